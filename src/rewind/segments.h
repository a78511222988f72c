// One fork of one relation, read from its files.
#pragma once

#include "rewind/files.h"

namespace testpool::rewind {

/// The segments of a fork, one open at a time; close() when done.
class Segments {
  public:
    Segments(Oid database, const ForkName& name) : database_(database), name_(name) {}

    /// Reads `count` pages that lie in one segment; what the file does not have reads as zeros.
    void read(BlockNumber first, BlockNumber count, char* pages);
    void close();

  private:
    void open_segment(int64 segment);

    Oid database_;
    ForkName name_;
    int64 segment_ = -1;
    int descriptor_ = -1;
    const char* path_ = nullptr;
};

}  // namespace testpool::rewind
