// How a database is copied: PostgreSQL's STRATEGY, chosen by what is known of its source. A pure
// function, so that every rule has a unit test (test/unit/strategy_test.cpp); the figures behind
// the rules come from bench/strategies.py.
#pragma once

#include <cstdint>

namespace testpool {

enum class Strategy : std::uint8_t {
    automatic,  // as testpool.clone_strategy: chosen for each template
    wal_log,    // every page goes through the write-ahead log
    file_copy,  // files are copied between two checkpoints
};

/// What is copied, and on what it lies.
struct CopySource {
    std::int64_t bytes;
    int files;
    bool synced;  // each file of the copy is flushed to a disk
};

/// How it is copied.
struct Copying {
    Strategy strategy;
    bool share_blocks;  // of the files that are copied
};

/// The strategy that takes least time, and no checkpoint where the other takes hardly longer.
Strategy fastest(const CopySource& source);

}  // namespace testpool
