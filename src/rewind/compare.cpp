// Comparing files. Nobody may be in the clone, and its template never changes, so a page that is
// not dirty in shared buffers is in its file.

#include "rewind/compare.h"

#include <fcntl.h>
#include <unistd.h>

namespace testpool::rewind {

namespace {

// What differs between equal pages: where the page was last logged, and the checksum.
constexpr size_t compared_from = offsetof(PageHeaderData, pd_flags);

constexpr BlockNumber chunk = 32;  // pages read at a time: both chunks fit the processor's cache

/// The segments of one fork, one open at a time.
class Segments {
  public:
    Segments(Oid database, const ForkName& name) : database_(database), name_(name) {}

    /// Reads `count` pages that lie in one segment; what the file does not have reads as zeros.
    void read(BlockNumber first, BlockNumber count, char* pages) {
        open_segment(first / RELSEG_SIZE);
        size_t wanted = size_t{count} * BLCKSZ;
        auto at = static_cast<off_t>(first % RELSEG_SIZE) * BLCKSZ;
        ssize_t got = descriptor_ < 0 ? 0 : pg_pread(descriptor_, pages, wanted, at);
        if (got < 0)
            ereport(ERROR,
                    (errcode_for_file_access(), errmsg("could not read file \"%s\": %m", path_)));
        memset(pages + got, 0, wanted - got);
    }

    void close() {
        if (descriptor_ >= 0) CloseTransientFile(descriptor_);
        descriptor_ = -1;
    }

  private:
    void open_segment(int64 segment) {
        if (segment == segment_) return;
        close();
        segment_ = segment;
        path_ = path_of(database_, name_, segment);
        descriptor_ = OpenTransientFile(path_, O_RDONLY | PG_BINARY);
        if (descriptor_ < 0 && errno != ENOENT)
            ereport(ERROR,
                    (errcode_for_file_access(), errmsg("could not open file \"%s\": %m", path_)));
    }

    Oid database_;
    const ForkName& name_;
    int64 segment_ = -1;
    int descriptor_ = -1;
    const char* path_ = nullptr;
};

}  // namespace

bool same_page(const char* a, const char* b) {
    return memcmp(a + compared_from, b + compared_from, BLCKSZ - compared_from) == 0;
}

std::span<BlockNumber> differing_blocks(Oid source, Oid target, const ForkName& name,
                                        BlockNumber length) {
    int room = 64;
    int count = 0;
    auto* blocks = static_cast<BlockNumber*>(palloc(sizeof(BlockNumber) * room));
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
            if (same_page(ours + size_t{i} * BLCKSZ, theirs + size_t{i} * BLCKSZ)) continue;
            if (count == room)
                blocks = static_cast<BlockNumber*>(
                    repalloc_huge(blocks, sizeof(BlockNumber) * (room *= 2)));
            blocks[count++] = first + i;
        }
    }
    from.close();
    to.close();
    pfree(ours);
    pfree(theirs);
    return {blocks, static_cast<size_t>(count)};
}

}  // namespace testpool::rewind
