// Which pages of a clone's file differ from its template's: the files are read side by side,
// because that is several times faster than to read each page into shared buffers.
#pragma once

#include "rewind/files.h"
#include "rewind/segments.h"

namespace testpool::rewind {

// Pages read at a time: those of both sides fit the processor's cache, and one record of the log
// takes as many.
constexpr BlockNumber compared_at_once = 32;

/// Room for so many pages, aligned for direct I/O.
class PageMemory {
  public:
    PageMemory() {
        char* aligned = reinterpret_cast<char*>(TYPEALIGN(BLCKSZ, memory_));
        for (size_t i = 0; i < pages_.size(); i++) pages_[i] = aligned + i * BLCKSZ;
    }
    std::span<char*> all() { return pages_; }
    void free() { pfree(memory_); }

  private:
    char* memory_ = static_cast<char*>(palloc(size_t{compared_at_once + 1} * BLCKSZ));
    std::array<char*, compared_at_once> pages_;
};

/// Blocks, in order, and what the template has in them.
struct Pages {
    std::span<BlockNumber> blocks;
    std::span<char*> contents;
};

/// True if two pages are the same but for LSN and checksum.
bool same_page(const char* a, const char* b);

/// Calls `differ(first, Pages)` with those pages, of each stretch below `length` that begins at
/// block `first`, that differ in the files of the two databases; in order, and also if there are
/// none. What is dirty in shared buffers has to be looked for there.
template <class Differ>
void compare(Oid source, Oid target, const ForkName& name, BlockNumber length, Differ differ) {
    PageMemory our_memory;
    PageMemory their_memory;
    std::span<char*> ours = our_memory.all();
    std::span<char*> theirs = their_memory.all();
    Segments from(source, name);
    Segments to(target, name);
    std::array<BlockNumber, compared_at_once> blocks;
    std::array<char*, compared_at_once> contents;
    BlockNumber pages = 0;
    for (BlockNumber first = 0; first < length; first += pages) {
        CHECK_FOR_INTERRUPTS();
        BlockNumber left_in_segment = RELSEG_SIZE - first % RELSEG_SIZE;
        pages = std::min({compared_at_once, length - first, left_in_segment});
        from.read(first, pages, theirs[0]);
        to.read(first, pages, ours[0]);
        size_t count = 0;
        for (BlockNumber i = 0; i < pages; i++) {
            if (same_page(ours[i], theirs[i])) continue;
            blocks[count] = first + i;
            contents[count++] = theirs[i];
        }
        differ(first, Pages{std::span(blocks).first(count), std::span(contents).first(count)});
    }
    from.close();
    to.close();
    our_memory.free();
    their_memory.free();
}

}  // namespace testpool::rewind
