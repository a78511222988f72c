// What to do next: a pure function from a situation to one step. It knows nothing of the server,
// so that every rule of the schedule has a unit test (test/unit/plan_test.cpp).
#pragma once

#include <cstdint>
#include <limits>
#include <span>

namespace testpool::plan {

/// How much hurry a piece of work is in, most urgent first.
enum class Urgency : std::uint8_t {
    awaited,     // a session waits for exactly this: a build, a seal, a recreate
    rewind,      // a used clone becomes ready again in milliseconds
    upkeep,      // a template is sealed again
    unfinished,  // a clone that was begun before the server or a worker stopped
    cleanup,     // a drop
};

/// Work that exists already and that no worker has.
struct Chore {
    Urgency urgency;
    bool slow = false;   // may take a checkpoint or many bytes
    bool large = false;  // a copy of many bytes
    int pool = -1;       // whose database it is; -1: of a template that has no pool (any more)
};

/// The clones of one template.
struct Pool {
    int ready;
    int cloning;                  // or being rewound: soon to be ready
    int total;                    // databases that count towards pool_max
    int target;                   // how many clones to have ready when nobody waits
    int waiting;                  // sessions that wait for a clone
    std::uint64_t oldest_ticket;  // of those
    bool paused;                  // a clone failed a moment ago, or the disk is full
    bool slow = false;            // a clone takes long
    std::int64_t bytes = 0;       // of one more clone
};

struct Limits {
    int pool_max;  // databases a pool
    int room;      // databases that may still be created
    std::int64_t bytes = std::numeric_limits<std::int64_t>::max();  // that they may have
    bool slow = true;         // slow work may begin for nobody: a worker stays free beside it
    bool drops_due = true;    // drops may begin though nobody needs the room
    bool drop_first = false;  // before the next large copy
    int dropping = 0;         // drops under way
    bool starved = false;     // pools that are not among those given lack the room, too
};

/// How much of a pool is used, and how long it takes to replace what is taken.
struct Demand {
    int pool_size;  // clones to keep ready, at least
    int pool_max;
    int leased;
    int peak;                    // the most that were leased at once, of late
    double acquires_per_second;  // at most, of late
    double seconds_to_prepare;   // another in its place, by rewinding or cloning
};

/// What waits to be dropped, and what there is to say about it.
struct Debt {
    int databases;
    std::int64_t bytes;
    std::int64_t bytes_max;
    bool quiet;   // nobody has acquired for a while
    bool needed;  // somebody needs the room
};

struct Step {
    enum Kind : std::uint8_t { rest, chore, clone } kind = rest;
    int index = 0;  // of the chore, or of the pool
    bool operator==(const Step&) const = default;
};

/// How many clones to keep ready: as many as were in use at once, and as many as are taken while
/// one is prepared, with a margin because they are not taken at even intervals.
int target(const Demand& demand);
/// How many may be ready or nearly so; more are dropped. While all that were in use at once are
/// leased, a target's worth is ready beside them: those are not dropped when the former come back.
int keep(const Demand& demand);

/// True if more bytes wait to be dropped than may.
bool overdrawn(const Debt& debt);
/// True if something should be dropped now rather than when the pool is quiet.
bool drops_due(const Debt& debt);

/// The next step for a worker that is free.
Step next(std::span<const Chore> chores, std::span<const Pool> pools, Limits limits);

}  // namespace testpool::plan
