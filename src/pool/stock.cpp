// What the pools have, what they need, and what is too much.

#include "pool/stock.h"

#include "pool/bounds.h"
#include "pool/jobs.h"
#include "settings.h"

namespace testpool::pool {

namespace {

/// How long it takes until there is another clone in the place of one that is taken.
double seconds_to_prepare(const Template& t) {
    return t.rewindable > 0 ? t.usage.seconds_to_prepare : t.usage.seconds_to_clone;
}

plan::Demand demand_of(const Template& t) {
    return {.pool_size = settings::pool_size,
            .pool_max = settings::pool_max,
            .leased = t.held,
            .peak = t.usage.peak,
            .acquires_per_second = t.usage.acquires_per_second,
            .seconds_to_prepare = seconds_to_prepare(t)};
}

/// How many clones are to be ready. Those of the root template are made on demand: it may change at
/// any time.
int target_of(const Template& t) {
    return t.is_root() ? 0 : std::max(plan::target(demand_of(t)), t.prewarm);
}

int keep_of(Template& t) {
    if (t.is_root()) return 0;
    plan::Demand demand = demand_of(t);
    demand.peak = std::max(demand.peak, demand.leased);
    int keep = plan::keep(demand);
    if (keep > settings::pool_size)  // it shrinks when it is idle
        look_again(t, GetCurrentTimestamp() + settings::shrink_after * USECS_PER_SEC / 10);
    return std::max(keep, t.prewarm);
}

/// While the disk is short, nothing is cloned.
bool lacks_disk(Template& t, const plan::Pool& pool) {
    constexpr int64 look_again_us = USECS_PER_SEC;
    if (pool.target + pool.waiting <= pool.ready + pool.cloning || !is_disk_short(&t)) return false;
    look_again(t, GetCurrentTimestamp() + look_again_us);
    return true;
}

/// Of no use to anybody until some process answers, or something else lets it be dropped.
bool is_held_up(const State& state, const Database& d) {
    if (OidIsValid(d.role)) return false;
    bool drops_wait = state.held_up_until > GetCurrentTimestamp();
    return d.state == DatabaseState::failed || d.barrier != 0 || (drops_wait && is_leaving(d));
}

bool is_spare(const Database& d) {
    return d.state == DatabaseState::ready ||
           (d.state == DatabaseState::recycling && !OidIsValid(d.role) && !is_at_work(d));
}

void send_off(State& state, Database& d) {
    d.rewindable = false;  // so it is dropped
    if (d.state == DatabaseState::ready) return recycle(state, d);
    update(state, d);
}

/// Sends off unused clones that are more than the pool needs, or than testpool.pool_max, which may
/// have been lowered.
void trim(State& state, Template& t) {
    if (t.state != TemplateState::finalized) return;
    int total = t.clones.length;
    int coming = t.ready.length;
    for (Database& d : Each<Database>(t.unsettled.list)) {
        total -= is_leaving(d) || is_held_up(state, d);
        coming += d.state == DatabaseState::ready || will_be_ready(d);
    }
    int surplus = std::max(total - settings::pool_max, coming - keep_of(t) - t.waiting);
    for (const Queue<Database>* queue : {&t.unsettled, &t.ready})
        for (Database& d : Each<Database>(queue->list)) {
            if (surplus <= 0) return;
            if (is_leaving(d) || !is_spare(d)) continue;
            send_off(state, d);
            surplus--;
        }
}

/// What waits to be dropped, of one template.
void add_debt(Template& t, plan::Debt& sum) {
    int debt = t.state == TemplateState::discarded && OidIsValid(t.oid);
    for (Database& d : Each<Database>(t.unsettled.list)) {
        if (!is_leaving(d) && d.state != DatabaseState::failed) continue;
        debt++;
        sum.needed |= d.binding && d.failures == 0;
    }
    if (debt != t.debt) shmem::note_debt(t.id, debt, debt * t.bytes);
    t.debt = debt;
    sum.databases += debt;
    sum.bytes += debt * t.bytes;
}

}  // namespace

bool is_due(Template& t, TimestampTz at) {
    if (at == 0 || at <= GetCurrentTimestamp()) return true;
    look_again(t, at);
    return false;
}

plan::Pool pool_of(const State& state, Template& t) {
    plan::Pool pool{};
    pool.total = counted_databases(state, t);
    pool.ready = t.ready.length;
    for (Database& d : Each<Database>(t.unsettled.list)) pool.cloning += will_be_ready(d);
    pool.target = target_of(t);
    pool.waiting = t.waiting;
    pool.oldest_ticket = t.oldest_ticket;
    pool.bytes = t.bytes;
    pool.slow = is_slow(t, Task::create);
    pool.paused = t.paused = t.resealing || !is_due(t, t.retry_at) || lacks_disk(t, pool);
    return pool;
}

/// A drop takes a checkpoint, so it waits until nobody has acquired for a while.
plan::Debt debt_of(State& state) {
    constexpr int64 quiet_us = USECS_PER_SEC;
    constexpr int64 megabyte = 1024 * 1024;
    plan::Debt debt{};
    for (Template& t : Each<Template>(state.restless.list)) add_debt(t, debt);
    debt.bytes_max = settings::max_drop_debt * megabyte;
    TimestampTz quiet_at = state.used_at + quiet_us;
    debt.quiet = quiet_at <= GetCurrentTimestamp();
    if (debt.databases > 0 && !debt.quiet) look_again(state, quiet_at);
    debt.needed |= state.drops_awaited || (debt.databases > 0 && is_disk_short(nullptr));
    return debt;
}

int counted_databases(const State& state, const Template& t) {
    int held_up = 0;
    for (Database& d : Each<Database>(t.unsettled.list)) held_up += is_held_up(state, d);
    return t.clones.length - std::min(held_up, settings::pool_max);
}

bool is_at_pool_max(const State& state, const Template& t) {
    return counted_databases(state, t) >= settings::pool_max;
}

void take_stock(State& state) {
    if (room(state) > 0) disturb_starved(state);
    for (Template& t : Each<Template>(state.restless.list)) {
        t.look_at = 0;
        look_at_passed_over(state, t);
        t.usage = shmem::usage_of(t.id);
        has_expired(state, t);  // when it will have
        trim(state, t);
        if (t.look_at != 0) look_again(state, t.look_at);
    }
}

}  // namespace testpool::pool
