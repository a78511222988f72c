// What of a database is changed in shared buffers: one pass over the buffer headers, as DROP
// DATABASE makes one too.

#include "rewind/buffers.h"

namespace testpool::rewind {

namespace {

/// Looks at the tag without the header's lock first: a buffer cannot become one of this database's
/// while nobody is in it.
bool is_dirty_block_of(Oid database, int index, DirtyBlock& block) {
    BufferDesc* header = GetBufferDescriptor(index);
    if (compat::database_of(header->tag) != database) return false;
    auto state = LockBufHdr(header);
    BufferTag tag = header->tag;
    UnlockBufHdr(header, state);
    if (compat::database_of(tag) != database || (state & BM_VALID) == 0 || (state & BM_DIRTY) == 0)
        return false;
    Locator relation = compat::locator_of(tag);
    block = {{compat::tablespace_of(relation), compat::number_of(relation), compat::fork_of(tag)},
             tag.blockNum,
             index + 1};
    return true;
}

}  // namespace

std::span<DirtyBlock> dirty_blocks(Oid database) {
    int room = 256;
    int count = 0;
    auto* blocks = static_cast<DirtyBlock*>(palloc(sizeof(DirtyBlock) * room));
    for (int i = 0; i < NBuffers; i++) {
        if (!is_dirty_block_of(database, i, blocks[count])) continue;
        if (++count < room) continue;
        room *= 2;
        blocks = static_cast<DirtyBlock*>(repalloc_huge(blocks, sizeof(DirtyBlock) * room));
    }
    std::sort(blocks, blocks + count);
    return {blocks, static_cast<size_t>(count)};
}

}  // namespace testpool::rewind
