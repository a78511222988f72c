// What of a database is changed in shared buffers and not yet in its files.
#pragma once

#include "rewind/files.h"

namespace testpool::rewind {

struct DirtyBlock {
    ForkName fork;
    BlockNumber block;
    Buffer buffer;
    auto operator<=>(const DirtyBlock&) const = default;
};

/// Every dirty block of the database, sorted. The checkpointer may write some of them out
/// meanwhile, so look at the files after this. What sessions in the database change meanwhile may
/// be missed.
std::span<DirtyBlock> dirty_blocks(Oid database);

/// Those of one fork.
inline std::span<const DirtyBlock> blocks_of(std::span<const DirtyBlock> sorted,
                                             const ForkName& fork) {
    auto first = std::ranges::lower_bound(sorted, fork, {}, &DirtyBlock::fork);
    auto last = std::ranges::upper_bound(sorted, fork, {}, &DirtyBlock::fork);
    return {first, last};
}

}  // namespace testpool::rewind
