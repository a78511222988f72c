// Jobs: what there is for workers to do, and what becomes of a row when it is done.

#include "catalog.h"
#include "database.h"
#include "errors.h"
#include "events.h"
#include "log.h"
#include "plan.h"
#include "pool/bounds.h"
#include "pool/reseal.h"
#include "settings.h"

namespace testpool::pool {

namespace {

/// A row that needs a worker, and the job that it needs.
struct Work {
    plan::Chore chore;
    Task task;
    Template* of_template;  // one of the two
    Database* of_database;
};

bool some_worker_has(bool of_template, int64 row) {
    for (int worker = 0; worker < shmem::workers(); worker++) {
        Job job = shmem::job_at(worker);
        if (job.task != Task::none && job.of_template == of_template && job.row == row) return true;
    }
    return false;
}

bool is_due(State& state, TimestampTz at) {
    if (at == 0 || at <= GetCurrentTimestamp()) return true;
    look_again(state, at);
    return false;
}

bool is_being_cloned(const State& state, const Template& t) {
    for (Database& d : databases(state))
        if (d.of == &t && d.state == DatabaseState::cloning) return true;
    return false;
}

/// A worker is at a copy, or compares one with it.
bool is_being_copied(const Template& t) {
    for (int worker = 0; worker < shmem::workers(); worker++)
        if (shmem::job_at(worker).source == t.oid) return true;
    return false;
}

bool is_resealing(const State& state, int32 base) {
    const Template* t = find_template(state, base);
    return t != nullptr && t->resealing;
}

Task task_of(State& state, const Template& t) {
    if (t.state == TemplateState::building && !t.exists)
        return is_resealing(state, t.base) || !is_due(state, t.retry_at) ? Task::none
                                                                         : Task::create;
    if (t.state == TemplateState::building && t.sealing) return Task::seal;
    if (t.state == TemplateState::discarded && OidIsValid(t.oid) && is_due(state, t.retry_at) &&
        !is_being_cloned(state, t))
        return Task::drop;
    return t.resealing && !is_being_copied(t) ? Task::reseal : Task::none;
}

Task task_of(State& state, const Database& d) {
    if (d.of->resealing && (d.state == DatabaseState::cloning || can_rewind(d))) return Task::none;
    if (d.state == DatabaseState::cloning) return Task::create;
    if (d.state == DatabaseState::recycling && !can_rewind(d)) return Task::drop;
    if (d.state == DatabaseState::recycling)
        return is_due(state, d.retry_at) ? Task::rewind : Task::none;
    if (d.state == DatabaseState::failed && is_due(state, d.retry_at)) return Task::drop;
    return Task::none;
}

/// Whoever waits for a clone waits for the seal, too.
plan::Urgency urgency_of(const Template& t, Task task) {
    if (task == Task::drop) return plan::Urgency::cleanup;
    return task == Task::reseal && t.waiting == 0 ? plan::Urgency::upkeep : plan::Urgency::awaited;
}

plan::Urgency urgency_of(const Database& d, Task task) {
    if (OidIsValid(d.role)) return plan::Urgency::awaited;
    if (task == Task::rewind) return plan::Urgency::rewind;
    return task == Task::create ? plan::Urgency::unfinished : plan::Urgency::cleanup;
}

/// The worker that watches the files of a used clone need not look at all of them.
bool is_better_done_by_another(const Database& d, Task task, int worker) {
    return task == Task::rewind && d.watched_by != worker && shmem::worker_idle(d.watched_by);
}

/// What may keep a worker for long: DROP DATABASE takes a checkpoint, and so does a seal.
bool is_slow(const Template& t, Task task) {
    constexpr int64 many_bytes = 256 * 1024 * 1024;
    constexpr double long_seconds = 1;
    if (task == Task::create)
        return t.bytes > many_bytes || t.usage.seconds_to_clone > long_seconds;
    return task == Task::drop || task == Task::seal || task == Task::reseal;
}

plan::Chore chore_of(const Template& t, Task task, plan::Urgency urgency) {
    bool slow = is_slow(t, task);
    return {urgency, slow, slow && task == Task::create};
}

/// One worker stays free of it for the pools, if there are any, and several workers.
int most_slow_jobs(bool pools) {
    return pools ? std::max(1, shmem::workers() - 1) : shmem::workers();
}

int slow_jobs() {
    int jobs = 0;
    for (int worker = 0; worker < shmem::workers(); worker++) jobs += shmem::job_at(worker).slow;
    return jobs;
}

int jobs_of(Task task) {
    int jobs = 0;
    for (int worker = 0; worker < shmem::workers(); worker++)
        jobs += shmem::job_at(worker).task == task;
    return jobs;
}

bool has_pools(const State& state) {
    for (Template& t : templates(state))
        if (t.state == TemplateState::finalized) return true;
    return false;
}

/// All that waits for a worker: what is urgent may be the last of many.
std::span<Work> open_work(State& state, int worker, std::span<Template* const> pools) {
    int most = list_length(state.templates) + list_length(state.databases);
    auto* work = static_cast<Work*>(palloc(sizeof(Work) * (most + 1)));
    size_t count = 0;
    for (Template& t : templates(state)) {
        Task task = task_of(state, t);
        if (task == Task::none || is_at_work(t)) continue;
        work[count++] = {chore_of(t, task, urgency_of(t, task)), task, &t, nullptr};
    }
    for (Database& d : databases(state)) {
        Task task = task_of(state, d);
        if (task == Task::none || is_at_work(d)) continue;
        if (is_better_done_by_another(d, task, worker)) continue;
        plan::Chore chore = chore_of(*d.of, task, urgency_of(d, task));
        auto pool = std::ranges::find(pools, d.of);
        if (pool != pools.end()) chore.pool = static_cast<int>(pool - pools.begin());
        work[count++] = {chore, task, nullptr, &d};
    }
    return {work, count};
}

/// How long it takes until there is another clone in the place of one that is taken.
double seconds_to_prepare(const State& state, const Template& t) {
    bool rewound = false;
    for (Database& d : databases(state)) rewound |= d.of == &t && can_rewind(d);
    return rewound ? t.usage.seconds_to_prepare : t.usage.seconds_to_clone;
}

plan::Demand demand_of(const State& state, const Template& t) {
    plan::Demand demand{.pool_size = settings::pool_size,
                        .pool_max = settings::pool_max,
                        .leased = 0,
                        .peak = t.usage.peak,
                        .acquires_per_second = t.usage.acquires_per_second,
                        .seconds_to_prepare = seconds_to_prepare(state, t)};
    for (Database& d : databases(state)) demand.leased += d.of == &t && OidIsValid(d.role);
    return demand;
}

/// How many clones are to be ready. Those of the root template are made on demand: it may change at
/// any time.
int target_of(const State& state, const Template& t) {
    return t.is_root() ? 0 : std::max(plan::target(demand_of(state, t)), t.prewarm);
}

int keep_of(State& state, const Template& t) {
    if (t.is_root()) return 0;
    plan::Demand demand = demand_of(state, t);
    demand.peak = std::max(demand.peak, demand.leased);
    int keep = plan::keep(demand);
    if (keep > settings::pool_size)  // it shrinks when it is idle
        look_again(state, GetCurrentTimestamp() + settings::shrink_after * USECS_PER_SEC / 10);
    return std::max(keep, t.prewarm);
}

/// While the disk is short, nothing is cloned.
bool lacks_disk(State& state, const Template& t, const plan::Pool& pool) {
    constexpr int64 look_again_us = USECS_PER_SEC;
    if (pool.target + pool.waiting <= pool.ready + pool.cloning || !is_disk_short(&t)) return false;
    look_again(state, GetCurrentTimestamp() + look_again_us);
    return true;
}

plan::Pool pool_of(State& state, const Template& t) {
    plan::Pool pool{};
    for (Database& d : databases(state)) {
        if (d.of != &t) continue;
        pool.ready += is_ready(d);
        pool.cloning += will_be_ready(d);
    }
    pool.total = counted_databases(state, t);
    pool.target = target_of(state, t);
    pool.waiting = t.waiting;
    pool.oldest_ticket = t.oldest_ticket;
    pool.bytes = t.bytes;
    pool.slow = is_slow(t, Task::create);
    pool.paused = t.resealing || !is_due(state, t.retry_at) || lacks_disk(state, t, pool);
    return pool;
}

Job job_for(const Template& t, Task task) {
    Job job{};
    job.task = task;
    job.of_template = true;
    job.row = t.id;
    job.slow = is_slow(t, task);
    job.oid = t.oid;
    job.name = t.database;
    job.owner = t.owner;
    job.connectable = true;
    job.confirmed = t.exists;
    job.vacuum = settings::vacuum_templates;
    job.seal = t.seal;
    return job;
}

/// What a database is copied from.
void set_source(const State& state, Job& job, int32 id) {
    Template* source = find_template(state, id);
    if (source != nullptr && !source->is_root()) {
        job.source = source->oid;
        job.source_name = source->database;
        job.seal = source->seal;
        job.tablespace = database::tablespace_of(source->oid);
        // To choose costs looks at the disk; a rewind copies nothing.
        if (job.task == Task::create) job.copying = choose_copying(state, *source);
    } else {
        job.copying = copying_of_root();
        strlcpy(NameStr(job.source_name), settings::root_template, NAMEDATALEN);
    }
}

Job job_for(const State& state, const Database& d, Task task) {
    Job job{};
    job.task = task;
    job.row = d.id;
    job.slow = is_slow(*d.of, task);
    job.oid = d.oid;
    job.name = d.name;
    job.confirmed = d.ready_at != 0;
    job.live = d.live;
    job.grace = d.grace;
    if (d.live && d.clone_reason != nullptr)
        snprintf(job.why, sizeof(job.why), "The database is cloned again: %s.", d.clone_reason);
    if (task == Task::drop) return job;
    set_source(state, job, d.of->id);
    job.prepare = !d.of->is_root() && settings::may_rewind();
    if (job.task == Task::rewind && d.live) job.owner = d.role;
    job.barrier = d.barrier;
    // A name is never handed out twice: whoever still reconnects to it must not meet the next
    // holder.
    int64 number = 0;
    bool renamed = task == Task::rewind && !OidIsValid(d.role);
    job.new_name = renamed ? free_clone_name(*d.of, number) : d.name;
    return job;
}

Database& begin_clone(State& state, Template& t) {
    auto* d = static_cast<Database*>(MemoryContextAllocZero(state.memory, sizeof(Database)));
    d->of = &t;
    d->name = free_clone_name(t, d->id);
    d->oid = database::choose_oid();
    d->state = DatabaseState::cloning;
    d->generation = 1;
    d->created_at = GetCurrentTimestamp();
    d->looked_at = ReadNextTransactionId();
    std::swap(d->clone_reason, t.clone_reason);
    catalog::insert(*d);
    MemoryContext caller = MemoryContextSwitchTo(state.memory);
    state.databases = lappend(state.databases, d);
    MemoryContextSwitchTo(caller);
    return *d;
}

void forget(State& state, Database& d) {
    catalog::remove(d);
    state.databases = list_delete_ptr(state.databases, &d);
    for (const char** text :
         {&d.reason, &d.error, &d.clone_reason, &d.sessions_ended, &d.unrewindable})
        set_text(state, *text, nullptr);
    pfree(&d);
}

/// The session that waits for this build, if it still does.
bool builder_request(const Template& t, Request* request) {
    for (uint64 ticket = 0; shmem::next_request(ticket, request); ticket = request->ticket)
        if (request->verb == Verb::init_template && request->session == t.builder.session &&
            strcmp(request->hash, t.hash) == 0)
            return true;
    return false;
}

Reply error_of(const Outcome& outcome) {
    Reply error{};
    error.sqlstate = outcome.sqlstate;
    strlcpy(error.message, outcome.message, sizeof(error.message));
    return error;
}

/// Counts one job, and its time.
void count_timed(const Template& t, Count jobs, Count microseconds, const Outcome& outcome) {
    shmem::count(t.id, jobs);
    shmem::count(t.id, microseconds, outcome.microseconds);
}

/// The root template is somebody's: who is in it is not ours to end.
Reply error_of_build(const Outcome& outcome) {
    Reply reply = error_of(outcome);
    if (outcome.sqlstate == ERRCODE_OBJECT_IN_USE)
        strlcpy(reply.hint,
                "Close the sessions in it, see pg_stat_activity, or wait longer with "
                "testpool.template_timeout.",
                sizeof(reply.hint));
    return reply;
}

void created(State& state, Template& t, const Outcome& outcome) {
    Request request;
    bool awaited = builder_request(t, &request);
    if (outcome.sqlstate == 0) {
        t.exists = true;
        t.retry_at = 0;
        catalog::update(t);
        if (t.state == TemplateState::building && !awaited)
            discard(state, t, "the session that claimed it did not wait", false);
        return;
    }
    shmem::count_failure(t.id, outcome.message);
    if (awaited && outcome.sqlstate == ERRCODE_OBJECT_IN_USE &&
        request.deadline > GetCurrentTimestamp()) {
        t.retry_at = GetCurrentTimestamp() + USECS_PER_SEC;
        return catalog::update(t);
    }
    if (awaited) shmem::reply(request.ticket, error_of_build(outcome));
    if (t.state == TemplateState::building) discard(state, t, outcome.message, false);
}

const char* warning_of(const Outcome& outcome) {
    if (outcome.unanalyzed == 0) return nullptr;
    return psprintf("%d of its relations could not be analyzed; the first, %s", outcome.unanalyzed,
                    outcome.unanalyzed_why);
}

void sealed(const State& state, Template& t, const Outcome& outcome) {
    if (outcome.sqlstate != 0) shmem::count_failure(t.id, outcome.message);
    if (t.state != TemplateState::building) return;  // discarded meanwhile
    t.sealing = false;
    if (outcome.sqlstate == 0) {
        t.state = TemplateState::finalized;
        t.finalized_at = GetCurrentTimestamp();
        t.bytes = outcome.bytes;
        t.seal = outcome.seal;
        t.stampless = outcome.stampless;
        set_text(state, t.warning, warning_of(outcome));
        choose_copying(state, t);
        shmem::remove_lease(key_of(t));
        events::note("finalized", t);
    } else {
        t.error = error_of(outcome);
        log_line(WARNING, "template \"%s\" could not be finalized: %s", errors::shown(t.hash),
                 outcome.message);
    }
    catalog::update(t);
}

void dropped(Template& t, const Outcome& outcome) {
    if (outcome.sqlstate == 0) {
        t.oid = InvalidOid;
        t.exists = false;
        count_timed(t, Count::drops, Count::drop_us, outcome);
    } else {
        shmem::count_failure(t.id, outcome.message);
        t.retry_at = retry_time(t.failures++);
        log_line(WARNING, "database \"%s\" could not be dropped: %s", NameStr(t.database),
                 outcome.message);
    }
    catalog::update(t);
}

bool waits_for(const Request& request, const Database& d) {
    bool waits = request.verb == Verb::recreate || request.verb == Verb::rewind;
    return waits && request.accepted && request.lease == key_of(d);
}

void note_failure(State& state, Database& d, const Outcome& outcome) {
    if (d.error == nullptr || strcmp(d.error, outcome.message) != 0)
        log_line(WARNING, "database \"%s\" failed: %s", NameStr(d.name), outcome.message);
    set_text(state, d.error, outcome.message);
    shmem::count_failure(d.of->id, outcome.message);
    d.retry_at = retry_time(std::max(d.of->failures, d.failures++));
}

void fail(State& state, Database& d, const Outcome& outcome) {
    d.state = DatabaseState::failed;
    note_failure(state, d, outcome);
    catalog::update(d);
    Request request;
    for (uint64 ticket = 0; shmem::next_request(ticket, &request); ticket = request.ticket)
        if (waits_for(request, d)) shmem::reply(request.ticket, error_of(outcome));
}

void clone_failed(State& state, Database& d, const Outcome& outcome) {
    Template& t = *d.of;
    if (t.state == TemplateState::discarded) return recycle(state, d);
    fail(state, d, outcome);
    t.error = error_of(outcome);
    t.retry_at = d.retry_at;
    t.failures++;
    catalog::update(t);
    discard_if_gone(state, t);
}

/// A clean database: back to its holder, to the pool, or away.
void hand_back(State& state, Database& d) {
    set_text(state, d.error, nullptr);
    d.failures = 0;
    d.barrier = 0;
    d.retry_at = 0;
    d.ready_at = GetCurrentTimestamp();
    if (OidIsValid(d.role)) {
        if (database::is_being_altered(d.oid)) return catalog::update(d);  // it is done once more
        lease(state, d);
    } else if (d.of->state == TemplateState::discarded)
        recycle(state, d);
    else {
        d.state = DatabaseState::ready;
        catalog::update(d);
    }
}

/// A clone's row in pg_database gets new versions with each lease. As long as some snapshot is old,
/// none of them can be removed, and whoever writes the row or connects walks them all: a clone with
/// another OID takes its place.
void replace_if_burdened(State& state, Database& d) {
    constexpr int leases = 1000;
    if (d.generation % leases != 0) return;
    if (TransactionIdIsValid(d.looked_at) && database::versions_stay(d.looked_at)) {
        d.rewindable = false;
        set_text(state, d.unrewindable,
                 "an old snapshot keeps all versions of its row in pg_database");
    }
    d.looked_at = ReadNextTransactionId();
}

void rewound(State& state, Database& d, const Job& job, const Outcome& outcome) {
    count_timed(*d.of, outcome.relations > 0 ? Count::rewinds : Count::clean, Count::rewind_us,
                outcome);
    shmem::count(d.of->id, Count::unwatched, outcome.unwatched);
    d.name = job.new_name;
    d.generation++;
    d.recycled = "rewind";
    d.recycle_us = outcome.microseconds;
    d.relations = outcome.relations;
    d.pages = outcome.pages;
    set_text(state, d.clone_reason, nullptr);
    replace_if_burdened(state, d);
    set_text(state, d.sessions_ended,
             outcome.ended > 0 ? psprintf("%d: %s", outcome.ended, outcome.ended_why) : nullptr);
    hand_back(state, d);
}

/// Some process does not answer, which takes until it does: others are made ready meanwhile.
void rewind_put_off(State& state, Database& d, const Outcome& outcome) {
    note_failure(state, d, outcome);
    d.barrier = outcome.barrier;
    catalog::update(d);
}

/// Falls back to a full clone.
void rewind_refused(State& state, Database& d, const Outcome& outcome) {
    d.rewindable = false;
    set_text(state, d.unrewindable, outcome.message);
    d.barrier = 0;
    d.failures = 0;
    note_clone_instead(state, d);
    d.binding = database::binds_others(d.oid, d.of->oid);
    catalog::update(d);
    if (outcome.drifted) note_drift(state, *d.of, outcome.message);
    log_line(LOG, "database \"%s\" is cloned again, not rewound: %s", NameStr(d.name),
             outcome.message);
}

const char* why_not_rewindable(const Outcome& outcome) {
    if (outcome.rewindable) return nullptr;
    return outcome.message[0] != '\0' ? outcome.message
                                      : "testpool.recycle was recreate when it was made";
}

void cloned(State& state, Database& d, const Outcome& outcome) {
    Template& t = *d.of;
    if (t.failures > 0) {
        t.failures = 0;
        t.retry_at = 0;
        catalog::update(t);
    }
    count_timed(t, Count::clones, Count::clone_us, outcome);
    d.rewindable = outcome.rewindable;
    t.stampless = outcome.stampless;
    set_text(state, d.unrewindable, why_not_rewindable(outcome));
    if (outcome.drifted) note_drift(state, t, outcome.message);
    if (d.generation > 1 || d.clone_reason != nullptr) {
        d.recycled = "clone";
        d.recycle_us = outcome.microseconds;
        d.relations = 0;
        d.pages = 0;
    }
    hand_back(state, d);
}

void dropped(State& state, Database& d, const Outcome& outcome) {
    count_timed(*d.of, Count::drops, Count::drop_us, outcome);
    bool leased = OidIsValid(d.role);
    if (!leased || d.of->state == TemplateState::discarded) {
        shmem::remove_lease(key_of(d));
        forget(state, d);
        return;
    }
    d.state = DatabaseState::cloning;
    d.binding = false;
    d.oid = database::choose_oid();
    d.looked_at = ReadNextTransactionId();
    d.ready_at = 0;
    d.generation++;
    catalog::update(d);
}

bool is_spare(const Database& d) {
    return d.state == DatabaseState::ready ||
           (d.state == DatabaseState::recycling && !OidIsValid(d.role) && !is_at_work(d));
}

/// Sends off unused clones that are more than the pool needs, or than testpool.pool_max, which may
/// have been lowered.
void trim(State& state, Template& t) {
    if (t.state != TemplateState::finalized) return;
    int total = 0;
    int coming = 0;
    for (Database& d : databases(state)) {
        if (d.of != &t) continue;
        total += !is_leaving(d) && !is_held_up(state, d);
        coming += d.state == DatabaseState::ready || will_be_ready(d);
    }
    int surplus = std::max(total - settings::pool_max, coming - keep_of(state, t) - t.waiting);
    for (Database& d : databases(state)) {
        if (surplus <= 0) return;
        if (d.of != &t || is_leaving(d) || !is_spare(d)) continue;
        d.rewindable = false;  // so it is dropped
        if (d.state == DatabaseState::ready) recycle(state, d);
        surplus--;
    }
}

/// The process that does not answer one drop, or rewind, answers no other either.
void note_held_up(State& state, const Outcome& outcome) {
    constexpr int64 a_while_us = 10 * USECS_PER_SEC;
    if (outcome.held_up) state.held_up_until = GetCurrentTimestamp() + a_while_us;
}

/// What waits to be dropped, of one template; shared memory is told.
void add_debt(const State& state, const Template& t, plan::Debt& sum) {
    int32 debt = t.state == TemplateState::discarded && OidIsValid(t.oid);
    for (Database& d : databases(state)) {
        if (d.of != &t || !(is_leaving(d) || d.state == DatabaseState::failed)) continue;
        debt++;
        sum.needed |= d.binding && d.failures == 0;
    }
    shmem::note_debt(t.id, debt, debt * t.bytes);
    sum.databases += debt;
    sum.bytes += debt * t.bytes;
}

/// A drop takes a checkpoint, so it waits until nobody has acquired for a while.
plan::Debt debt_of(State& state) {
    constexpr int64 quiet_us = USECS_PER_SEC;
    constexpr int64 megabyte = 1024 * 1024;
    plan::Debt debt{};
    for (Template& t : templates(state)) add_debt(state, t, debt);
    debt.bytes_max = settings::max_drop_debt * megabyte;
    debt.quiet = is_due(state, debt.databases > 0 ? state.used_at + quiet_us : 0);
    debt.needed |= state.drops_awaited || (debt.databases > 0 && is_disk_short(nullptr));
    return debt;
}

}  // namespace

NameData free_clone_name(const Template& t, int64& number) {
    NameData name;
    do {
        number = catalog::next_database_id();
    } while (!database::choose_name(psprintf("%d_" INT64_FORMAT, t.id, number), &name));
    return name;
}

bool can_rewind(const Database& d) {
    return d.rewindable && settings::may_rewind() && d.of->state == TemplateState::finalized;
}

bool is_leaving(const Database& d) {
    return d.state == DatabaseState::recycling && !can_rewind(d) && !OidIsValid(d.role);
}

bool will_be_ready(const Database& d) {
    bool coming = d.state == DatabaseState::cloning ||
                  (d.state == DatabaseState::recycling && can_rewind(d) && d.barrier == 0);
    return coming && !OidIsValid(d.role);
}

bool is_held_up(const State& state, const Database& d) {
    if (OidIsValid(d.role)) return false;
    bool drops_wait = state.held_up_until > GetCurrentTimestamp();
    return d.state == DatabaseState::failed || d.barrier != 0 || (drops_wait && is_leaving(d));
}

int counted_databases(const State& state, const Template& t) {
    int total = 0;
    int held_up = 0;
    for (Database& d : databases(state)) {
        if (d.of != &t) continue;
        total++;
        held_up += is_held_up(state, d);
    }
    return total - std::min(held_up, settings::pool_max);
}

bool is_at_pool_max(const State& state, const Template& t) {
    return counted_databases(state, t) >= settings::pool_max;
}

bool is_at_work(const Template& t) { return some_worker_has(true, t.id); }

bool is_at_work(const Database& d) { return some_worker_has(false, d.id); }

void job_done(State& state, int worker, const Job& job, const Outcome& outcome) {
    note_held_up(state, outcome);
    if (job.of_template) {
        Template* t = find_template(state, static_cast<int32>(job.row));
        if (t == nullptr) return;
        if (job.task == Task::create) created(state, *t, outcome);
        if (job.task == Task::seal) sealed(state, *t, outcome);
        if (job.task == Task::reseal) resealed(state, *t, outcome);
        if (job.task == Task::drop) dropped(*t, outcome);
        return;
    }
    Database* d = find_database(state, job.row);
    if (d == nullptr) return;
    bool well = outcome.sqlstate == 0;
    d->watched_by = worker;
    switch (job.task) {
        case Task::create:
            return well ? cloned(state, *d, outcome) : clone_failed(state, *d, outcome);
        case Task::rewind:
            if (well) return rewound(state, *d, job, outcome);
            if (outcome.barrier != 0 && !job.live) return rewind_put_off(state, *d, outcome);
            return rewind_refused(state, *d, outcome);
        case Task::drop:
            return well ? dropped(state, *d, outcome) : fail(state, *d, outcome);
        case Task::seal:
        case Task::reseal:
        case Task::none:
            return;
    }
}

void take_stock(State& state) {
    for (Template& t : templates(state)) {
        t.usage = shmem::usage_of(t.id);
        trim(state, t);
    }
}

namespace {

/// Large copies and drops take turns; see plan.cpp.
void note_begun(State& state, const Job& job) {
    if (job.slow && job.task == Task::create) state.copied_last = true;
    if (job.task == Task::drop) state.copied_last = false;
}

Job begin(State& state, const plan::Step& step, std::span<const Work> work,
          std::span<Template* const> pools) {
    if (step.kind == plan::Step::clone)
        return job_for(state, begin_clone(state, *pools[step.index]), Task::create);
    const Work& chosen = work[step.index];
    if (chosen.of_database != nullptr) return job_for(state, *chosen.of_database, chosen.task);
    Job job = job_for(*chosen.of_template, chosen.task);
    if (chosen.task == Task::create) set_source(state, job, chosen.of_template->base);
    return job;
}

}  // namespace

std::optional<Job> next_job(State& state, int worker) {
    bool slow = slow_jobs() < most_slow_jobs(has_pools(state));
    int most = std::max(1, list_length(state.templates));
    auto* pools = static_cast<plan::Pool*>(palloc(sizeof(plan::Pool) * most));
    auto** owners = static_cast<Template**>(palloc(sizeof(Template*) * most));
    size_t count = 0;
    for (Template& t : templates(state)) {
        t.resealing = t.state == TemplateState::finalized &&
                      (is_at_work(t) || (slow && reseal_is_due(state, t)));
        if (t.state != TemplateState::finalized) continue;
        owners[count] = &t;
        pools[count++] = pool_of(state, t);
    }

    plan::Debt debt = debt_of(state);
    std::span<Work> work = open_work(state, worker, {owners, count});
    auto* chores = static_cast<plan::Chore*>(palloc(sizeof(plan::Chore) * (work.size() + 1)));
    for (size_t i = 0; i < work.size(); i++) chores[i] = work[i].chore;

    plan::Step step = plan::next({chores, work.size()}, {pools, count},
                                 {.pool_max = settings::pool_max,
                                  .room = room(state),
                                  .bytes = bytes_left(state),
                                  .slow = slow,
                                  .drops_due = plan::drops_due(debt),
                                  .drop_first = plan::overdrawn(debt) && state.copied_last,
                                  .dropping = jobs_of(Task::drop)});
    if (step.kind == plan::Step::rest) return std::nullopt;
    Job job = begin(state, step, work, {owners, count});
    note_begun(state, job);
    return job;
}

}  // namespace testpool::pool
