// Putting many pages back: past shared buffers, from file to file, many pages in one record of the
// log. For few pages pages.h is the better way: what was cached stays cached.
#pragma once

#include "rewind/compare.h"
#include "rewind/pages.h"

namespace testpool::rewind {

/// True if so many pages are put back sooner past shared buffers, although each header of them is
/// looked at to forget what they hold.
bool is_bulk(size_t pages);

/// Writes pages of one fork, of which shared buffers hold nothing from then on.
class BulkWriter {
  public:
    BulkWriter(const ForkPair& pair, ForkNumber fork);

    /// Puts back pages that were just read from the template, at most compared_at_once of them.
    void write(const Pages& pages);
    /// The same for blocks, sorted, that are still to be read.
    void write(const ForkName& name, std::span<const BlockNumber> blocks);

  private:
    void log(const Pages& pages);
    void write_files(const Pages& pages) const;

    const ForkPair& pair_;
    ForkNumber fork_;
    bool flushed_ = false;
};

}  // namespace testpool::rewind
