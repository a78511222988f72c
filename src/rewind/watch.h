// What was written to the files of a database, as the kernel tells this process: with it a rewind
// need not look at every file. Where the kernel does not, it looks (files.h).
#pragma once

#include "rewind/files.h"

namespace testpool::rewind {

struct Written {
    bool known;                       // false: look at every file
    std::span<const ForkName> forks;  // sorted
    bool init_file;
};

/// From now on this process is told what is written to the database. Nobody may be in it and no
/// buffer of it dirty. False if the kernel will not.
bool watch(Oid database, std::span<const Oid> tablespaces);

/// What was written since watch(). Nothing is known of a database that this process does not watch,
/// that has other directories now, or of which too much was written.
Written written_to(Oid database, std::span<const Oid> tablespaces);

}  // namespace testpool::rewind
