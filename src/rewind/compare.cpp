// Comparing files. Nobody may be in the clone, and its template never changes, so a page that is
// not dirty in shared buffers is in its file.

#include "rewind/compare.h"

#include "pg/growing.h"
#include "rewind/segments.h"

namespace testpool::rewind {

namespace {

// What differs between equal pages: where the page was last logged, and the checksum.
constexpr size_t compared_from = offsetof(PageHeaderData, pd_flags);

constexpr BlockNumber chunk = 32;  // pages read at a time: both chunks fit the processor's cache

}  // namespace

bool same_page(const char* a, const char* b) {
    return memcmp(a + compared_from, b + compared_from, BLCKSZ - compared_from) == 0;
}

std::span<BlockNumber> differing_blocks(Oid source, Oid target, const ForkName& name,
                                        BlockNumber length) {
    Growing<BlockNumber> differing;
    auto* ours = static_cast<char*>(palloc(size_t{chunk} * BLCKSZ));
    auto* theirs = static_cast<char*>(palloc(size_t{chunk} * BLCKSZ));
    Segments from(source, name);
    Segments to(target, name);
    BlockNumber pages = 0;
    for (BlockNumber first = 0; first < length; first += pages) {
        CHECK_FOR_INTERRUPTS();
        BlockNumber left_in_segment = RELSEG_SIZE - first % RELSEG_SIZE;
        pages = std::min({chunk, length - first, left_in_segment});
        from.read(first, pages, theirs);
        to.read(first, pages, ours);
        for (BlockNumber i = 0; i < pages; i++) {
            if (!same_page(ours + size_t{i} * BLCKSZ, theirs + size_t{i} * BLCKSZ))
                differing.add(first + i);
        }
    }
    from.close();
    to.close();
    pfree(ours);
    pfree(theirs);
    return differing.all();
}

}  // namespace testpool::rewind
