// The steward: the one process that owns the state. It sleeps until a session asks, a lease ends, a
// worker is done or something is due; then it looks at all of it again, in one order, and
// sleeps. Start-up, recovery after a crash and every day are the same path.

#include "catalog.h"
#include "errors.h"
#include "events.h"
#include "log.h"
#include "pg/interrupts.h"
#include "pg/transaction.h"
#include "points.h"
#include "pool/pool.h"
#include "settings.h"

namespace testpool::steward {

namespace {

constexpr long longest_sleep_ms = 3'600'000;

State state;
bool stale = true;      // the tables have to be read (again)
bool unchecked = true;  // templates may have been spoiled before this process began
MemoryContext loop_memory;

void report(const ErrorData* failure) {
    bool detailed = failure->detail != nullptr;
    log_line(WARNING, "%s%s%s", failure->message, detailed ? ": " : "",
             detailed ? failure->detail : "");
}

/// Changes the state in a transaction. After an error memory and catalog may differ: read anew.
template <class Work>
ErrorData* change(Work work) {
    int events_before = events::count();
    ErrorData* failure = attempt([&] { transaction(work); });
    if (failure == nullptr) return nullptr;
    stale = true;
    events::forget(events_before);
    return failure;
}

State empty_state() {
    State fresh;
    fresh.memory =
        AllocSetContextCreate(TopMemoryContext, "testpool state", ALLOCSET_DEFAULT_SIZES);
    return fresh;
}

/// Nothing is decided before the tables can be read. Who can wait for that does; the others hear
/// what is wrong.
void refuse_requests(const ErrorData& failure) {
    constexpr int64 retry_us = USECS_PER_SEC;
    state.look_again = GetCurrentTimestamp() + retry_us;
    Request request;
    for (uint64 ticket = 0; board::next_request(ticket, &request); ticket = request.ticket)
        if (request.deadline <= GetCurrentTimestamp())
            board::reply(request.ticket, errors::as_reply(failure));
        else
            state.look_again = std::min(state.look_again, request.deadline);
}

void take_over(State& fresh) {
    pool::carry_over(state, fresh);
    if (state.memory != nullptr) MemoryContextDelete(state.memory);
    state = fresh;
    pool::forget_tallies_of_gone(state);
    pool::note_first_use(state);
    pool::post_leases(state);
    if (state.unposted == 0) return;
    log_line(LOG,
             "%d leases have no place in shared memory yet, which has %d: raise "
             "testpool.max_databases and restart, or release databases",
             state.unposted, board::lease_room());
}

/// True once memory is what the tables say.
bool read_state() {
    if (board::catalog_announced()) stale = true;
    if (!stale) return true;
    State fresh = empty_state();
    ErrorData* failure = change([&] {
        if (!catalog::present()) return;
        catalog::load(fresh);
        pool::mend(fresh);
    });
    if (failure != nullptr) {
        MemoryContextDelete(fresh.memory);
        report(failure);
        refuse_requests(*failure);
        return false;
    }
    stale = false;
    take_over(fresh);
    if (!unchecked) return true;
    unchecked = false;
    if (ErrorData* spoiled = change([] { pool::discard_gone(state); })) report(spoiled);
    return true;
}

void note_finished_jobs() {
    Job job;
    Outcome outcome;
    for (int desk = 0; desk < board::desks(); desk++) {
        if (!board::take_done(desk, &job, &outcome)) continue;
        TESTPOOL_POINT("job-taken");
        if (ErrorData* failure = change([&] { pool::job_done(state, desk, job, outcome); }))
            report(failure);
    }
}

void end_leases() {
    Lease lease;
    int at = board::lease_room();
    while (!stale && (at = board::ending_lease(at, &lease)) >= 0)
        if (ErrorData* failure = change([&] { pool::end_if_over(state, lease); })) report(failure);
    if (state.unposted > 0 && !stale) pool::post_leases(state);
}

void serve(const Request& request) {
    std::optional<Reply> reply;
    ErrorData* failure = change([&] { reply = pool::serve(state, request); });
    if (failure != nullptr) reply = errors::as_reply(*failure);
    if (reply) TESTPOOL_POINT("request-served");
    if (!reply || board::reply(request.ticket, *reply)) return;
    change([&] { pool::take_back(state, *reply); });  // nobody was there to hear it
}

/// Builders before the others, so that an acquire whose builder died finds the next one.
void serve_all() {
    pool::forget_waiting(state);
    Request request;
    for (bool builders : {true, false})
        for (uint64 ticket = 0; board::next_request(ticket, &request); ticket = request.ticket) {
            if (stale) return;
            if ((request.verb == Verb::init_template) == builders) serve(request);
        }
}

void keep_within_bounds() {
    if (!pool::is_out_of_bounds(state)) return;
    if (ErrorData* failure = change([] { pool::keep_within_bounds(state); })) report(failure);
}

void hand_out_work() {
    if (ErrorData* failure = change([] { pool::take_stock(state); })) report(failure);
    for (int desk = 0; desk < board::desks() && !stale; desk++) {
        if (!board::desk_idle(desk)) continue;
        std::optional<Job> job;
        if (ErrorData* failure = change([&] { job = pool::next_job(state, desk); }))
            report(failure);
        if (job) board::assign(desk, *job);
    }
}

void look_at_everything() {
    state.look_again = 0;
    do {
        if (!read_state()) return;
        note_finished_jobs();
        end_leases();
        serve_all();
        if (!stale) keep_within_bounds();
        hand_out_work();
    } while (stale);
}

/// Whoever waits has been answered by now.
void tell_listeners() {
    constexpr int64 retry_us = 10'000;
    if (events::count() == 0) return;
    bool sent = true;
    if (ErrorData* failure = attempt([&] { transaction([&] { sent = events::send(); }); })) {
        report(failure);
        events::forget(0);
    }
    TimestampTz again = GetCurrentTimestamp() + retry_us;
    if (!sent && (state.look_again == 0 || again < state.look_again)) state.look_again = again;
}

long time_to_sleep() {
    if (state.look_again == 0) return longest_sleep_ms;
    return std::min(longest_sleep_ms,
                    TimestampDifferenceMilliseconds(GetCurrentTimestamp(), state.look_again));
}

void sleep() {
    serve_interrupts();  // one that came meanwhile may have had its wake-up consumed
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, time_to_sleep(),
              compat::wait_event("TestpoolStewardMain"));
    ResetLatch(MyLatch);
    serve_interrupts();
}

/// Its commits need no flush: whatever is done to a database that it hands out comes later in the
/// write-ahead log, so a crash that forgets the lease forgets the use as well.
void pin_settings() {
    for (auto [name, value] : {std::pair{"search_path", "pg_catalog, pg_temp"},
                               {"synchronous_commit", "off"},
                               {"lock_timeout", "2s"}})
        SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

[[noreturn]] void run() {
    loop_memory = AllocSetContextCreate(TopMemoryContext, "testpool loop", ALLOCSET_DEFAULT_SIZES);
    for (;;) {
        MemoryContextSwitchTo(loop_memory);
        look_at_everything();
        tell_listeners();
        MemoryContextReset(loop_memory);
        sleep();
    }
}

}  // namespace

}  // namespace testpool::steward

extern "C" PGDLLEXPORT void testpool_steward_main(Datum argument);

void testpool_steward_main(Datum /*argument*/) {
    using namespace testpool;
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnection(settings::database, nullptr, 0);
    steward::pin_settings();
    board::steward_enters();
    steward::run();
}
