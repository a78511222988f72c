// Which pages of a relation differ between the two sides.
#pragma once

#include "diff/side.h"

namespace testpool::diff {

/// The blocks of a relation that differ, or that one side does not have.
struct Changed {
    Blocks source;
    Blocks clone;
    bool rewritten;  // it has another file
    int64 pages() const { return static_cast<int64>(std::max(source.size(), clone.size())); }
};

/// A relation that one side does not have is nullptr there.
Changed changed_blocks(const Side& source, const Side& clone, const ClassRow* s, const ClassRow* c);

}  // namespace testpool::diff
