// One fork made equal to its template's: what differs is put back through shared buffers, or, once
// there is much of it, past them.
#pragma once

#include "pg/growing.h"
#include "rewind/buffers.h"
#include "rewind/bulk.h"

namespace testpool::rewind {

class ForkRestore {
  public:
    /// `dirty`: what of the fork was dirty in shared buffers before its file was looked at.
    ForkRestore(const ForkPair& pair, const ForkName& name, std::span<const DirtyBlock> dirty)
        : pair_(pair), name_(name), dirty_(dirty) {}

    /// Compares the files, as far as both have `length` blocks.
    void compare_files(BlockNumber length);
    /// Blocks that are to be put back without a look at their file.
    void add(BlockNumber first, BlockNumber end);
    /// Puts back what has not been, among it the dirty blocks below `length`; returns the number of
    /// pages that were put back in all.
    int64 finish(BlockNumber length);
    /// True if the first block may have been among them.
    bool touched_first() const;

  private:
    void begin_bulk(BlockNumber at);
    std::span<BlockNumber> pending();

    const ForkPair& pair_;
    const ForkName& name_;
    std::span<const DirtyBlock> dirty_;
    Growing<BlockNumber> pending_;
    std::optional<BulkWriter> bulk_;
    int64 written_ = 0;
};

}  // namespace testpool::rewind
