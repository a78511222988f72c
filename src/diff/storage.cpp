// Finding the pages that differ. Where a file of the clone was not written and is not dirty, it is
// the template's.

#include "diff/storage.h"

#include "rewind/compare.h"

namespace testpool::diff {

namespace {

/// The blocks below `common` that may differ: in the files, or because they are dirty.
std::span<BlockNumber> suspects(const Side& source, const Side& clone, const ForkName& name,
                                BlockNumber common) {
    const Fork* s = source.fork(name);
    const Fork* c = clone.fork(name);
    Growing<BlockNumber> found;
    if (s != nullptr && c != nullptr && (c->written || s->bytes != c->bytes))
        rewind::compare(source.database(), clone.database(), name, common,
                        [&](BlockNumber /*first*/, const rewind::Pages& differing) {
                            for (BlockNumber block : differing.blocks) found.add(block);
                        });
    for (const Side* side : {&source, &clone})
        for (const DirtyBlock& dirty : side->dirty_blocks(name))
            if (dirty.block < common) found.add(dirty.block);
    std::span<BlockNumber> all = found.all();
    std::sort(all.begin(), all.end());
    return {all.begin(), std::unique(all.begin(), all.end())};
}

/// `blocks`, and those from `first` up to `end`.
Blocks with_rest(Blocks blocks, BlockNumber first, BlockNumber end) {
    Growing<BlockNumber> all;
    for (BlockNumber block : blocks) all.add(block);
    for (BlockNumber block = first; block < end; block++) all.add(block);
    return all.all();
}

Blocks differing(const Side& source, const Side& clone, const ForkName& name, BlockNumber common) {
    std::span<BlockNumber> blocks = suspects(source, clone, name, common);
    rewind::PageReader from = source.pages(name);
    rewind::PageReader to = clone.pages(name);
    size_t count = 0;
    for (BlockNumber block : blocks) {
        CHECK_FOR_INTERRUPTS();
        if (!rewind::same_page(from.at(block), to.at(block))) blocks[count++] = block;
    }
    from.close();
    to.close();
    return blocks.first(count);
}

}  // namespace

Changed changed_blocks(const Side& source, const Side& clone, const ClassRow* s,
                       const ClassRow* c) {
    BlockNumber before = s != nullptr ? source.length(s->file) : 0;
    BlockNumber now = c != nullptr ? clone.length(c->file) : 0;
    bool both = s != nullptr && c != nullptr;
    if (!both || s->file != c->file)
        return {blocks_between(0, before), blocks_between(0, now), both};
    BlockNumber common = std::min(before, now);
    Blocks blocks = differing(source, clone, s->file, common);
    return {with_rest(blocks, common, before), with_rest(blocks, common, now), false};
}

}  // namespace testpool::diff
