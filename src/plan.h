// What to do next: a pure function from a situation to one step. It knows nothing of the server,
// so that every rule of the schedule has a unit test (test/unit/plan_test.cpp).
#pragma once

#include <cstdint>
#include <span>

namespace testpool::plan {

/// How much hurry a piece of work is in, most urgent first.
enum class Urgency : std::uint8_t {
    awaited,     // a session waits for exactly this: a build, a seal, a recreate
    rewind,      // a used clone becomes ready again in milliseconds
    unfinished,  // a clone that was begun before the server or a worker stopped
    cleanup,     // a drop
};

/// Work that exists already and that no worker has.
struct Chore {
    Urgency urgency;
};

/// The clones of one template.
struct Pool {
    int ready;
    int cloning;                  // or being rewound: soon to be ready
    int total;                    // databases in any state
    int target;                   // how many clones to keep ready when nobody waits
    int waiting;                  // sessions that wait for a clone
    std::uint64_t oldest_ticket;  // of those
    bool paused;                  // a clone failed a moment ago
};

struct Limits {
    int pool_max;  // databases a pool
    int room;      // databases that may still be created
};

struct Step {
    enum Kind : std::uint8_t { rest, chore, clone } kind = rest;
    int index = 0;  // of the chore, or of the pool
    bool operator==(const Step&) const = default;
};

/// The next step for a worker that is free.
Step next(std::span<const Chore> chores, std::span<const Pool> pools, Limits limits);

}  // namespace testpool::plan
