// What of a database is changed in shared buffers: one pass over the buffer headers, as DROP
// DATABASE makes one too.

#include "rewind/buffers.h"

#include "pg/growing.h"

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
    Growing<DirtyBlock> found;
    DirtyBlock block;
    for (int i = 0; i < NBuffers; i++)
        if (is_dirty_block_of(database, i, block)) found.add(block);
    std::ranges::sort(found.all());
    return found.all();
}

}  // namespace testpool::rewind
