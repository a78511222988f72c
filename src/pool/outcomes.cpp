// What becomes of a row when the job that it needed is done.

#include "catalog.h"
#include "database.h"
#include "errors.h"
#include "events.h"
#include "log.h"
#include "pool/reseal.h"
#include "settings.h"

namespace testpool::pool {

namespace {

void forget(State& state, Database& d) {
    catalog::remove(d);
    remove(state, d);
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
        update(state, t);
        if (t.state == TemplateState::building && !awaited)
            discard(state, t, "the session that claimed it did not wait", false);
        return;
    }
    shmem::count_failure(t.id, outcome.message);
    if (awaited && outcome.sqlstate == ERRCODE_OBJECT_IN_USE &&
        request.deadline > GetCurrentTimestamp()) {
        t.retry_at = GetCurrentTimestamp() + USECS_PER_SEC;
        return update(state, t);
    }
    if (awaited) shmem::reply(request.ticket, error_of_build(outcome));
    if (t.state == TemplateState::building) discard(state, t, outcome.message, false);
}

const char* warning_of(const Outcome& outcome) {
    if (outcome.unanalyzed == 0) return nullptr;
    return psprintf("%d of its relations could not be analyzed; the first, %s", outcome.unanalyzed,
                    outcome.unanalyzed_why);
}

void sealed(State& state, Template& t, const Outcome& outcome) {
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
    update(state, t);
}

void dropped(State& state, Template& t, const Outcome& outcome) {
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
    update(state, t);
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
    update(state, d);
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
    update(state, t);
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
        if (database::is_being_altered(d.oid)) return update(state, d);  // it is done once more
        lease(state, d);
    } else if (d.of->state == TemplateState::discarded)
        recycle(state, d);
    else {
        d.state = DatabaseState::ready;
        update(state, d);
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
    update(state, d);
}

/// Falls back to a full clone.
void rewind_refused(State& state, Database& d, const Outcome& outcome) {
    d.rewindable = false;
    set_text(state, d.unrewindable, outcome.message);
    d.barrier = 0;
    d.failures = 0;
    note_clone_instead(state, d);
    d.binding = database::binds_others(d.oid, d.of->oid);
    update(state, d);
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
        update(state, t);
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
    update(state, d);
}

/// The process that does not answer one drop, or rewind, answers no other either.
void note_held_up(State& state, const Outcome& outcome) {
    constexpr int64 a_while_us = 10 * USECS_PER_SEC;
    if (outcome.held_up) state.held_up_until = GetCurrentTimestamp() + a_while_us;
}

}  // namespace

void job_done(State& state, int worker, const Job& job, const Outcome& outcome) {
    note_held_up(state, outcome);
    if (job.of_template) {
        Template* t = find_template(state, static_cast<int32>(job.row));
        if (t == nullptr) return;
        if (job.task == Task::create) created(state, *t, outcome);
        if (job.task == Task::seal) sealed(state, *t, outcome);
        if (job.task == Task::reseal) resealed(state, *t, outcome);
        if (job.task == Task::drop) dropped(state, *t, outcome);
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

}  // namespace testpool::pool
