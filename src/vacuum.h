// What VACUUM does in a template before it is sealed. Runs inside that database, which nobody else
// is in.
#pragma once

#include "shmem/shmem.h"

namespace testpool::vacuum {

/// Freezes and analyzes every relation. One that cannot be analyzed is frozen all the same; the
/// outcome tells of it.
void everything(Outcome& outcome);
/// Freezes every relation, and leaves the statistics as they are.
void freeze_everything();
/// Freezes the system catalogs, which everybody reads who comes into a database or copies it.
void catalogs();

}  // namespace testpool::vacuum
