// As RelationCopyStorage() in storage.c, but for the flush of the file at the end, which is left to
// the next checkpoint: none begins between a batch's record in the log and its pages in the file,
// so each one that begins later knows of them.

#include "rewind/bulk.h"

#include "rewind/segments.h"

namespace testpool::rewind {

namespace {

/// How many of the blocks, from the first one on, follow each other within one segment.
BlockNumber run_length(std::span<const BlockNumber> blocks) {
    BlockNumber most = std::min(compared_at_once, RELSEG_SIZE - blocks[0] % RELSEG_SIZE);
    BlockNumber length = 1;
    while (length < most && length < blocks.size() && blocks[length] == blocks[0] + length)
        length++;
    return length;
}

}  // namespace

bool is_bulk(size_t pages) {
    constexpr size_t least = 64;
    constexpr int headers_a_page = 256;  // as many are looked at in the time that a page takes
    return pages >= std::max(least, static_cast<size_t>(NBuffers / headers_a_page));
}

BulkWriter::BulkWriter(const ForkPair& pair, ForkNumber fork) : pair_(pair), fork_(fork) {
    compat::drop_buffers(compat::storage_of(pair.target), fork);
}

void BulkWriter::write(const Pages& pages) {
    for (size_t i = 0; i < pages.blocks.size(); i++)
        refuse_younger(pair_, fork_, pages.blocks[i], pages.contents[i]);
    MyProc->delayChkptFlags |= DELAY_CHKPT_START;
    if (pair_.logged) log(pages);
    write_files(pages);
    MyProc->delayChkptFlags &= ~DELAY_CHKPT_START;
}

/// The pages do not wait for their own record to be on disk: if a crash loses it, the database is
/// dropped, as one that was being rewound. That it was, a crash must not forget.
void BulkWriter::log(const Pages& pages) {
    Locator target = pair_.target;
    log_newpages(&target, fork_, static_cast<int>(pages.blocks.size()), pages.blocks.data(),
                 pages.contents.data(), std::ranges::all_of(pages.contents, has_empty_hole));
    if (!flushed_) XLogFlush(XactLastRecEnd);
    flushed_ = true;
}

void BulkWriter::write_files(const Pages& pages) const {
    SMgrRelation storage = compat::storage_of(pair_.target);
    for (size_t i = 0; i < pages.blocks.size(); i++) {
        BlockNumber block = pages.blocks[i];
        compat::set_checksum(pages.contents[i], block);
        // The last page of a segment tells the checkpointer that there is something to flush.
        bool told =
            i + 1 < pages.blocks.size() && block / RELSEG_SIZE == pages.blocks[i + 1] / RELSEG_SIZE;
        smgrwrite(storage, fork_, block, pages.contents[i], told);
    }
}

void BulkWriter::write(const ForkName& name, std::span<const BlockNumber> blocks) {
    Segments from(compat::database_of(pair_.source), name);
    PageMemory memory;
    std::array<BlockNumber, compared_at_once> numbers;
    while (!blocks.empty()) {
        CHECK_FOR_INTERRUPTS();
        BlockNumber count = run_length(blocks);
        from.read(blocks[0], count, memory.all()[0]);
        std::ranges::copy(blocks.first(count), numbers.begin());
        write({std::span(numbers).first(count), memory.all().first(count)});
        blocks = blocks.subspan(count);
    }
    from.close();
    memory.free();
}

}  // namespace testpool::rewind
