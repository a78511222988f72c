// Comparing pages. Nobody may be in the clone, and its template never changes, so a page that is
// not dirty in shared buffers is in its file.

#include "rewind/compare.h"

namespace testpool::rewind {

// What differs between equal pages: where the page was last logged, and the checksum.
bool same_page(const char* a, const char* b) {
    constexpr size_t compared_from = offsetof(PageHeaderData, pd_flags);
    return memcmp(a + compared_from, b + compared_from, BLCKSZ - compared_from) == 0;
}

}  // namespace testpool::rewind
