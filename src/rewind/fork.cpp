// One fork made equal to its template's.

#include "rewind/fork.h"

namespace testpool::rewind {

void ForkRestore::compare_files(BlockNumber length) {
    Oid source = compat::database_of(pair_.source);
    Oid target = compat::database_of(pair_.target);
    compare(source, target, name_, length, [&](BlockNumber first, const Pages& differing) {
        if (!bulk_ && is_bulk(pending_.all().size() + differing.blocks.size())) begin_bulk(first);
        if (!bulk_) {
            for (BlockNumber block : differing.blocks) pending_.add(block);
        } else if (!differing.blocks.empty()) {
            bulk_->write(differing);
            written_ += static_cast<int64>(differing.blocks.size());
        }
    });
}

/// From here on the files alone tell. What was dirty in the stretch that was compared before may
/// have been written out since.
void ForkRestore::begin_bulk(BlockNumber at) {
    bulk_.emplace(pair_, name_.fork);
    for (const DirtyBlock& d : dirty_)
        if (d.block < at + compared_at_once) pending_.add(d.block);
}

void ForkRestore::add(BlockNumber first, BlockNumber end) {
    for (BlockNumber block = first; block < end; block++) pending_.add(block);
}

std::span<BlockNumber> ForkRestore::pending() {
    std::span<BlockNumber> all = pending_.all();
    std::ranges::sort(all);
    return {all.begin(), std::unique(all.begin(), all.end())};
}

bool ForkRestore::touched_first() const {
    std::span<BlockNumber> all = pending_.all();
    return bulk_ || std::ranges::find(all, BlockNumber{0}) != all.end();
}

int64 ForkRestore::finish(BlockNumber length) {
    if (!bulk_ && is_bulk(pending_.all().size() + dirty_.size())) begin_bulk(length);
    if (!bulk_)
        for (const DirtyBlock& d : dirty_)
            if (d.block < length) pending_.add(d.block);
    std::span<BlockNumber> blocks = pending();
    if (!bulk_) return restore_blocks(pair_, name_.fork, blocks);
    auto past = std::ranges::lower_bound(blocks, length);  // those are truncated away
    bulk_->write(name_, {blocks.begin(), past});
    return written_ + (past - blocks.begin());
}

}  // namespace testpool::rewind
