// What of a database is changed in shared buffers and not yet in its files.
#pragma once

#include "pg/server.h"

namespace testpool::rewind {

struct DirtyBlock {
    RelNumber relation;
    ForkNumber fork;
    BlockNumber block;

    auto key() const { return std::pair{relation, fork}; }
};

/// Every dirty block of the database, sorted. Nobody may be in it; the checkpointer may write some
/// of them out meanwhile, so look at the files after this.
std::span<DirtyBlock> dirty_blocks(Oid database);

}  // namespace testpool::rewind
