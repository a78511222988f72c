// What of a database is changed in shared buffers and not yet in its files.
#pragma once

#include "rewind/files.h"

namespace testpool::rewind {

struct DirtyBlock {
    ForkName fork;
    BlockNumber block;
    auto operator<=>(const DirtyBlock&) const = default;
};

/// Every dirty block of the database, sorted. Nobody may be in it; the checkpointer may write some
/// of them out meanwhile, so look at the files after this.
std::span<DirtyBlock> dirty_blocks(Oid database);

}  // namespace testpool::rewind
