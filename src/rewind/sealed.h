// What is known of a sealed template, and whether it still is what was sealed.
#pragma once

#include "rewind/relations.h"
#include "shmem/shmem.h"

namespace testpool::rewind {

/// The template's files as this process found them first.
const Files& files_of_template(const Job& job);

/// What has that file in the template; nullptr: perhaps a catalog.
const RelationOf* relation_of(const Job& job, const ForkName& file);

/// Why clones made before must not be mixed with the template any more; nullptr: they may. What
/// happened to a single logged page is told by the page (pages.h).
const char* drift(const Job& job);

/// Why that cannot be told, now or ever; nullptr: it can.
const char* obstacle(const Job& job);

/// True for the contents of an unlogged relation; its init fork is logged.
bool is_unlogged(const Files& files, const ForkName& name);

}  // namespace testpool::rewind
