// What to do next. The rules, in order:
//   1. work that a session waits for;
//   2. rewinds: nothing makes a clone ready sooner;
//   3. a clone for the pool whose acquire has waited longest;
//   4. room for a pool that is full while somebody waits: drop something;
//   5. clones that were begun and not finished;
//   6. the pool that is furthest below its target;
//   7. drops, when they are due or a pool below its target lacks the room.
// Slow work leaves a worker free for what is quick: a test that only needs a rewind must not wait
// for somebody's checkpoint. And while more waits to be dropped than may, a drop takes the place of
// a large copy: who has large databases made and given up without a pause is slowed down, instead
// of filling the disk.

#include "plan.h"

#include <algorithm>
#include <cmath>

namespace testpool::plan {

namespace {

using Chores = std::span<const Chore>;
using Pools = std::span<const Pool>;

constexpr int most_debt = 16;  // databases

bool has_room(const Pool& pool, Limits limits) {
    return limits.room > 0 && pool.total < limits.pool_max && pool.bytes <= limits.bytes;
}

bool may_grow(const Pool& pool, Limits limits) {
    return !pool.paused && has_room(pool, limits) && (limits.slow || !pool.slow);
}

int shortfall(const Pool& pool) { return pool.waiting - pool.ready - pool.cloning; }

int distance(const Pool& pool) { return pool.target + shortfall(pool); }

Step first(Chores chores, Urgency urgency, Limits limits) {
    for (int i = 0; i < static_cast<int>(chores.size()); i++)
        if (chores[i].urgency == urgency && (limits.slow || !chores[i].slow))
            return {Step::chore, i};
    return {};
}

Step longest_waiting(Pools pools, Limits limits) {
    Step best;
    for (int i = 0; i < static_cast<int>(pools.size()); i++) {
        if (shortfall(pools[i]) <= 0 || !may_grow(pools[i], limits)) continue;
        if (best.kind == Step::rest || pools[i].oldest_ticket < pools[best.index].oldest_ticket)
            best = {Step::clone, i};
    }
    return best;
}

Step furthest_below(Pools pools, Limits limits) {
    Step best;
    for (int i = 0; i < static_cast<int>(pools.size()); i++) {
        if (distance(pools[i]) <= 0 || !may_grow(pools[i], limits)) continue;
        if (best.kind == Step::rest || distance(pools[i]) > distance(pools[best.index]))
            best = {Step::clone, i};
    }
    return best;
}

bool lacks_room(Pools pools, Limits limits, int (*lack)(const Pool&)) {
    return std::ranges::any_of(pools, [&](const Pool& pool) {
        return lack(pool) > 0 && !pool.paused && !has_room(pool, limits);
    });
}

bool is_large(Step step, Chores chores, Pools pools) {
    if (step.kind == Step::clone) return pools[step.index].slow;
    return step.kind == Step::chore && chores[step.index].large;
}

Step most_urgent(Chores chores, Pools pools, Limits limits) {
    auto first_of = [&](Urgency urgency) { return first(chores, urgency, limits); };
    if (Step step = first_of(Urgency::awaited); step.kind != Step::rest) return step;
    if (Step step = first_of(Urgency::rewind); step.kind != Step::rest) return step;
    if (Step step = longest_waiting(pools, limits); step.kind != Step::rest) return step;
    if (lacks_room(pools, limits, shortfall))
        if (Step step = first_of(Urgency::cleanup); step.kind != Step::rest) return step;
    if (Step step = first_of(Urgency::unfinished); step.kind != Step::rest) return step;
    if (Step step = furthest_below(pools, limits); step.kind != Step::rest) return step;
    if (!limits.drops_due && !lacks_room(pools, limits, distance)) return {};
    return first_of(Urgency::cleanup);
}

}  // namespace

int target(const Demand& demand) {
    double taken = demand.acquires_per_second * demand.seconds_to_prepare;
    int taken_meanwhile = static_cast<int>(std::ceil(taken + std::sqrt(taken)));
    int wanted = std::max({demand.pool_size, taken_meanwhile, demand.peak - demand.leased});
    return std::clamp(wanted, 0, std::max(0, demand.pool_max - demand.leased));
}

int keep(const Demand& demand) {
    int back = std::max(0, demand.peak - demand.leased);
    int most = std::max(0, demand.pool_max - demand.leased);
    return std::clamp(std::max(target(demand), demand.pool_size + back), 0, most);
}

bool overdrawn(const Debt& debt) {
    return debt.databases > most_debt || debt.bytes > debt.bytes_max;
}

bool drops_due(const Debt& debt) { return debt.quiet || debt.needed || overdrawn(debt); }

Step next(Chores chores, Pools pools, Limits limits) {
    Step step = most_urgent(chores, pools, limits);
    if (!limits.overdrawn || !is_large(step, chores, pools)) return step;
    Step drop = first(chores, Urgency::cleanup, limits);
    return drop.kind != Step::rest ? drop : step;
}

}  // namespace testpool::plan
