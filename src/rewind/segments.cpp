// Reading a fork's files. PostgreSQL cuts them into segments.

#include "rewind/segments.h"

#include <fcntl.h>
#include <unistd.h>

namespace testpool::rewind {

void Segments::read(BlockNumber first, BlockNumber count, char* pages) {
    open_segment(first / RELSEG_SIZE);
    size_t wanted = size_t{count} * BLCKSZ;
    auto at = static_cast<off_t>(first % RELSEG_SIZE) * BLCKSZ;
    ssize_t got = descriptor_ < 0 ? 0 : pg_pread(descriptor_, pages, wanted, at);
    if (got < 0)
        ereport(ERROR,
                (errcode_for_file_access(), errmsg("could not read file \"%s\": %m", path_)));
    memset(pages + got, 0, wanted - got);
}

void Segments::close() {
    if (descriptor_ >= 0) CloseTransientFile(descriptor_);
    descriptor_ = -1;
    segment_ = -1;
}

void Segments::open_segment(int64 segment) {
    if (segment == segment_) return;
    close();
    segment_ = segment;
    path_ = path_of(database_, name_, segment);
    descriptor_ = OpenTransientFile(path_, O_RDONLY | PG_BINARY);
    if (descriptor_ < 0 && errno != ENOENT)
        ereport(ERROR,
                (errcode_for_file_access(), errmsg("could not open file \"%s\": %m", path_)));
}

}  // namespace testpool::rewind
