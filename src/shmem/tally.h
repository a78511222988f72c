// Tallies: what happened in the pool of each template since the server started, or since somebody
// reset them. The launcher counts; anybody reads, without asking it.
#pragma once

#include "histogram.h"
#include "shmem/shmem.h"

namespace testpool {

enum class Count : uint8 {
    acquires,
    waits,     // acquires that were not served at once
    misses,    // of those, the ones that found the template ready and no clone
    timeouts,  // acquires that gave up
    waited_us,
    clones,
    clone_us,
    rewinds,  // those that put something back
    clean,    // rewinds that found nothing changed
    rewind_us,
    refusals,   // rewinds that a full clone took the place of
    unwatched,  // rewinds after which the kernel would not watch the files
    drops,
    drop_us,
    abandoned,  // leases that ended because nobody was there any more
    failures,
    count,
};

/// What is so now, and not counted.
struct Gauges {
    int32 most_leased;  // at once
    int32 debt;         // databases that wait to be dropped
    int64 debt_bytes;
};

/// What was waited in one of the last minutes.
struct Minute {
    int64 number;  // since the epoch
    int64 waited_us;
};

/// The most that was asked of the pool in a tenth of testpool.shrink_after.
struct Peak {
    int64 number;  // since the epoch
    int32 leased;  // at once
    double acquires_per_second;
};

struct Tally {
    static constexpr int kept = 10;

    int32 of;  // a template's id; 0: free
    TimestampTz since;
    TimestampTz used_at;
    std::array<int64, static_cast<size_t>(Count::count)> counts;
    histogram::Histogram waits;
    std::array<Minute, kept> minutes;
    std::array<Peak, kept> peaks;
    double acquires_per_second;  // as of the last acquire
    TimestampTz acquired_at;
    Gauges gauges;
    TimestampTz failed_at;
    char error[256];
    char refusal[256];
};

namespace shmem {

/// Counts for a template; forgotten if there is no room for another one.
void count(int32 of, Count what, int64 number = 1);
/// An acquire was served so long after it had been asked; so many are leased now.
void count_acquire(int32 of, int64 waited_us, int32 leased);
/// The same for one that gave up.
void count_timeout(int32 of, int64 waited_us);
void count_failure(int32 of, const char* error);
void count_refusal(int32 of, const char* why);
/// So many clones are wanted until testpool.shrink_after has passed.
void note_demand(int32 of, int32 clones);
void note_debt(int32 of, int32 databases, int64 bytes);
void forget_tally(int32 of);

/// Copies the tally at that index; false: there is no such place. A free one has no template.
bool tally_at(int index, Tally* tally);
void reset_tallies();
/// True once after that: for the launcher, who decides by them.
bool tallies_were_reset();

/// Of the last ten minutes.
int64 recently_waited_us(const Tally& tally, TimestampTz now);

/// What the past tells of the future.
struct Usage {
    TimestampTz used_at;
    int32 peak;                  // leases at once, of late
    double acquires_per_second;  // at most, of late
    double seconds_to_prepare;   // what takes the place of a used clone: a rewind, or a full clone
    double seconds_to_clone;
};
Usage usage_of(int32 of);
/// A template was asked for.
void note_used(int32 of);

}  // namespace shmem

}  // namespace testpool
