// What to do next. The rules, in order:
//   1. work that a session waits for;
//   2. a clone for those who wait for any of a pool: by a rewind, by going on with one that was
//      begun, or by a new one; who has waited longest comes first, but a rewind, which takes
//      milliseconds, overtakes some copies;
//   3. room for a pool that is full while somebody waits: drop something;
//   4. the other rewinds;
//   5. templates that are to be sealed again: what is cloned before could not be rewound;
//   6. the other clones that were begun and not finished;
//   7. the pool that is furthest below its target;
//   8. drops, when they are due or a pool below its target lacks the room.
// No worker is idle while somebody waits for what it could do. Slow work that nobody waits for
// leaves a worker free: who comes next must not wait for somebody's checkpoint. While more bytes
// wait to be dropped than may, large copies and drops take turns: who has large databases made and
// given up without a pause is slowed down, instead of filling the disk.

#include "plan.h"

#include <algorithm>
#include <cmath>

namespace testpool::plan {

namespace {

using Chores = std::span<const Chore>;
using Pools = std::span<const Pool>;

constexpr int most_debt = 16;                      // databases
constexpr std::uint64_t most_that_overtake = 100;  // requests

bool has_room(const Pool& pool, Limits limits) {
    return limits.room > 0 && pool.total < limits.pool_max && pool.bytes <= limits.bytes;
}

bool may_grow(const Pool& pool, Limits limits) { return !pool.paused && has_room(pool, limits); }

int shortfall(const Pool& pool) { return pool.waiting - pool.ready - pool.cloning; }

int distance(const Pool& pool) { return pool.target + shortfall(pool); }

template <class Which>
Step first_where(Chores chores, Which which) {
    auto found = std::ranges::find_if(chores, which);
    if (found == chores.end()) return {};
    return {Step::chore, static_cast<int>(found - chores.begin())};
}

Step first(Chores chores, Urgency urgency) {
    return first_where(chores, [&](const Chore& c) { return c.urgency == urgency; });
}

/// The same of what nobody waits for.
Step first_unawaited(Chores chores, Urgency urgency, Limits limits) {
    return first_where(
        chores, [&](const Chore& c) { return c.urgency == urgency && (limits.slow || !c.slow); });
}

Step first_of_pool(Chores chores, int pool, Urgency urgency) {
    return first_where(chores,
                       [&](const Chore& c) { return c.pool == pool && c.urgency == urgency; });
}

/// What gives the pool a ready clone soonest.
Step soonest(Chores chores, Pools pools, int index, Limits limits) {
    const Pool& pool = pools[index];
    if (pool.waiting <= pool.ready) return {};
    for (Urgency urgency : {Urgency::rewind, Urgency::unfinished})
        if (Step step = first_of_pool(chores, index, urgency); step.kind != Step::rest) return step;
    if (shortfall(pool) > 0 && may_grow(pool, limits)) return {Step::clone, index};
    return {};
}

/// The longer somebody has waited for it, the sooner is a step's turn.
std::uint64_t turn_of(Step step, Chores chores, const Pool& pool) {
    bool quick = step.kind == Step::chore && chores[step.index].urgency == Urgency::rewind;
    return pool.oldest_ticket + (quick ? 0 : most_that_overtake);
}

Step for_longest_waiting(Chores chores, Pools pools, Limits limits) {
    Step best;
    std::uint64_t best_turn = 0;
    for (int i = 0; i < static_cast<int>(pools.size()); i++) {
        Step step = soonest(chores, pools, i, limits);
        if (step.kind == Step::rest) continue;
        std::uint64_t turn = turn_of(step, chores, pools[i]);
        if (best.kind != Step::rest && best_turn <= turn) continue;
        best = step;
        best_turn = turn;
    }
    return best;
}

/// The pool that has waited longest of those that lack the room; -1: none does.
int longest_without_room(Pools pools, Limits limits) {
    int found = -1;
    for (int i = 0; i < static_cast<int>(pools.size()); i++) {
        const Pool& pool = pools[i];
        if (shortfall(pool) <= 0 || pool.paused || has_room(pool, limits)) continue;
        if (found < 0 || pool.oldest_ticket < pools[found].oldest_ticket) found = i;
    }
    return found;
}

/// A drop that makes room for somebody who waits. Those under way may do.
Step room_for_waiting(Chores chores, Pools pools, Limits limits) {
    int index = longest_without_room(pools, limits);
    if (index < 0) return {};
    bool is_full = pools[index].total >= limits.pool_max;  // of its own databases
    bool awaited = limits.dropping < shortfall(pools[index]);
    return first_where(chores, [&](const Chore& c) {
        return c.urgency == Urgency::cleanup && (!is_full || c.pool == index) &&
               (awaited || limits.slow || !c.slow);
    });
}

Step furthest_below(Pools pools, Limits limits) {
    Step best;
    for (int i = 0; i < static_cast<int>(pools.size()); i++) {
        if (distance(pools[i]) <= 0 || !may_grow(pools[i], limits)) continue;
        if (pools[i].slow && !limits.slow) continue;
        if (best.kind == Step::rest || distance(pools[i]) > distance(pools[best.index]))
            best = {Step::clone, i};
    }
    return best;
}

bool lacks_room(Pools pools, Limits limits) {
    return limits.starved || std::ranges::any_of(pools, [&](const Pool& pool) {
               return distance(pool) > 0 && !pool.paused && !has_room(pool, limits);
           });
}

bool is_large(Step step, Chores chores, Pools pools) {
    if (step.kind == Step::clone) return pools[step.index].slow;
    return step.kind == Step::chore && chores[step.index].large;
}

Step most_urgent(Chores chores, Pools pools, Limits limits) {
    auto first_of = [&](Urgency urgency) { return first_unawaited(chores, urgency, limits); };
    if (Step step = first(chores, Urgency::awaited); step.kind != Step::rest) return step;
    if (Step step = for_longest_waiting(chores, pools, limits); step.kind != Step::rest)
        return step;
    if (Step step = room_for_waiting(chores, pools, limits); step.kind != Step::rest) return step;
    if (Step step = first_of(Urgency::rewind); step.kind != Step::rest) return step;
    if (Step step = first_of(Urgency::upkeep); step.kind != Step::rest) return step;
    if (Step step = first_of(Urgency::unfinished); step.kind != Step::rest) return step;
    if (Step step = furthest_below(pools, limits); step.kind != Step::rest) return step;
    if (!limits.drops_due && !lacks_room(pools, limits)) return {};
    return first_of(Urgency::cleanup);
}

/// As many as are taken while one is prepared.
int taken_meanwhile(const Demand& demand) {
    double taken = demand.acquires_per_second * demand.seconds_to_prepare;
    return static_cast<int>(std::ceil(taken + std::sqrt(taken)));
}

}  // namespace

int target(const Demand& demand) {
    int wanted = std::max({demand.pool_size, taken_meanwhile(demand), demand.peak - demand.leased});
    return std::clamp(wanted, 0, std::max(0, demand.pool_max - demand.leased));
}

int keep(const Demand& demand) {
    int back = std::max(0, demand.peak - demand.leased);
    int most = std::max(0, demand.pool_max - demand.leased);
    return std::clamp(std::max(demand.pool_size, taken_meanwhile(demand)) + back, 0, most);
}

bool overdrawn(const Debt& debt) { return debt.bytes > debt.bytes_max; }

bool drops_due(const Debt& debt) {
    return debt.quiet || debt.needed || debt.databases > most_debt || overdrawn(debt);
}

Step next(Chores chores, Pools pools, Limits limits) {
    Step step = most_urgent(chores, pools, limits);
    if (!limits.drop_first || !is_large(step, chores, pools)) return step;
    Step drop = first(chores, Urgency::cleanup);
    return drop.kind != Step::rest ? drop : step;
}

}  // namespace testpool::plan
