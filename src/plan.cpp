// What to do next. The rules, in order:
//   1. work that a session waits for;
//   2. rewinds: nothing makes a clone ready sooner;
//   3. a clone for the pool whose acquire has waited longest;
//   4. room for a pool that is full while somebody waits: drop something;
//   5. clones that were begun and not finished;
//   6. the pool that is furthest below its target;
//   7. drops.

#include "plan.h"

namespace testpool::plan {

namespace {

using Chores = std::span<const Chore>;
using Pools = std::span<const Pool>;

bool may_grow(const Pool& pool, Limits limits) {
    return !pool.paused && limits.room > 0 && pool.total < limits.pool_max;
}

int shortfall(const Pool& pool) { return pool.waiting - pool.ready - pool.cloning; }

int distance(const Pool& pool) { return pool.target + shortfall(pool); }

Step first(Chores chores, Urgency urgency) {
    for (int i = 0; i < static_cast<int>(chores.size()); i++)
        if (chores[i].urgency == urgency) return {Step::chore, i};
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

bool someone_waits_for_room(Pools pools, Limits limits) {
    for (const Pool& pool : pools)
        if (shortfall(pool) > 0 && !pool.paused && !may_grow(pool, limits)) return true;
    return false;
}

}  // namespace

Step next(Chores chores, Pools pools, Limits limits) {
    if (Step step = first(chores, Urgency::awaited); step.kind != Step::rest) return step;
    if (Step step = first(chores, Urgency::rewind); step.kind != Step::rest) return step;
    if (Step step = longest_waiting(pools, limits); step.kind != Step::rest) return step;
    if (someone_waits_for_room(pools, limits))
        if (Step step = first(chores, Urgency::cleanup); step.kind != Step::rest) return step;
    if (Step step = first(chores, Urgency::unfinished); step.kind != Step::rest) return step;
    if (Step step = furthest_below(pools, limits); step.kind != Step::rest) return step;
    return first(chores, Urgency::cleanup);
}

}  // namespace testpool::plan
