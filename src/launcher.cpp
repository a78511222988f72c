// The launcher: the one process that owns the state. It sleeps until a session asks, a lease ends,
// a worker is done or something is due; then it looks at all of it again, in one order, and sleeps.
// Start-up, recovery after a crash and every day are the same path.

#include "catalog.h"
#include "errors.h"
#include "events.h"
#include "log.h"
#include "pg/interrupts.h"
#include "pg/pinned.h"
#include "pg/transaction.h"
#include "points.h"
#include "pool/pool.h"
#include "start.h"
#include "trouble.h"

namespace testpool::launcher {

namespace {

constexpr long longest_sleep_ms = 3'600'000;

State* state = nullptr;
bool stale = true;      // the tables have to be read (again)
bool unchecked = true;  // templates may have been spoiled before this process began
MemoryContext loop_memory;

// What is done at each look without being asked for, each with what keeps it from that. While one
// pauses the others go on.
Trouble reading{"reading the tables"};
Trouble noting{"noting what workers did"};
Trouble ending{"ending leases"};
Trouble bounding{"keeping within bounds"};
Trouble planning{"handing out work"};
Trouble telling{"telling listeners"};
constexpr std::array troubles = {&reading, &noting, &ending, &bounding, &planning, &telling};

uint64 newest_ticket = 0;  // of the requests seen so far

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

void look_again(TimestampTz at) {
    if (state->look_again == 0 || at < state->look_again) state->look_again = at;
}

/// Does one part of a look, which returns what it failed with: then it pauses, so that the tables
/// can be read anew and the other parts have their turn.
template <class Work>
void unless_in_trouble(Trouble& trouble, Work work) {
    if (stale) return;
    if (trouble.pauses()) return look_again(trouble.until());
    if (ErrorData* failure = work())
        trouble.note(*failure);
    else
        trouble.over();
}

void hurry() {
    for (Trouble* trouble : troubles) trouble->hurry();
}

/// Somebody new may be served even if those before could not be.
void hurry_for_newcomers() {
    Request request;
    bool came = false;
    for (; shmem::next_request(newest_ticket, &request); newest_ticket = request.ticket)
        came = true;
    if (came) hurry();
}

/// Nothing is decided before the tables can be read. Who can wait for that does; the others hear
/// what is wrong.
void refuse_requests() {
    look_again(reading.until());
    Request request;
    for (uint64 ticket = 0; shmem::next_request(ticket, &request); ticket = request.ticket)
        if (request.deadline <= GetCurrentTimestamp())
            shmem::reply(request.ticket, *reading.failure());
        else
            look_again(request.deadline);
}

void take_over(State* fresh) {
    pool::carry_over(*state, *fresh);
    MemoryContextDelete(state->memory);
    state = fresh;
    pool::forget_tallies_of_gone(*state);
    pool::note_first_use(*state);
    pool::post_leases(*state);
    if (state->unposted == 0) return;
    log_line(LOG,
             "%d leases have no place in shared memory yet, which has %d: raise "
             "testpool.max_databases and restart, or release databases",
             state->unposted, shmem::lease_room());
}

/// True once memory is what the tables say.
bool read_state() {
    if (shmem::catalog_announced()) stale = true;
    if (!stale) return true;
    if (reading.pauses()) return false;
    State* fresh = empty_state();
    ErrorData* failure = change([&] {
        if (!catalog::present()) return;
        catalog::load(*fresh);
        pool::mend(*fresh);
    });
    if (failure != nullptr) {
        MemoryContextDelete(fresh->memory);
        reading.note(*failure);
        return false;
    }
    reading.over();
    stale = false;
    shmem::trust_stamps();
    take_over(fresh);
    if (!unchecked) return true;
    unchecked = false;
    if (ErrorData* spoiled = change([&] { pool::discard_gone(*state); })) report(spoiled);
    return true;
}

ErrorData* note_finished_jobs() {
    Job job;
    Outcome outcome;
    for (int worker = 0; worker < shmem::workers(); worker++) {
        if (!shmem::take_done(worker, &job, &outcome)) continue;
        TESTPOOL_POINT("job-taken");
        if (ErrorData* failure = change([&] { pool::job_done(*state, worker, job, outcome); }))
            return failure;
    }
    return nullptr;
}

ErrorData* end_leases() {
    Lease lease;
    int at = shmem::lease_room();
    while ((at = shmem::ending_lease(at, &lease)) >= 0) {
        if (!pool::may_be_over(*state, lease)) continue;
        if (ErrorData* failure = change([&] { pool::end_if_over(*state, lease); })) return failure;
    }
    if (state->unposted > 0) pool::post_leases(*state);
    return nullptr;
}

/// Who waited in vain for what is in trouble hears of that.
const Reply* cause_of(const ErrorData& failure) {
    if (failure.sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE) return nullptr;
    for (const Trouble* trouble : {&planning, &noting, &bounding, &ending})
        if (trouble->failure() != nullptr) return trouble->failure();
    return nullptr;
}

/// It goes well if it is done again: our lock was in the way of somebody's, and theirs of ours.
bool is_to_be_repeated(const ErrorData& failure) {
    return ERRCODE_TO_CATEGORY(failure.sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK;
}

void serve(const Request& request) {
    std::optional<Reply> reply;
    ErrorData* failure = change([&] { reply = pool::serve(*state, request); });
    if (failure != nullptr && is_to_be_repeated(*failure)) return;
    if (failure != nullptr) {
        const Reply* cause = cause_of(*failure);
        reply = cause != nullptr ? *cause : errors::as_reply(*failure);
    }
    if (reply) TESTPOOL_POINT("request-served");
    if (!reply || shmem::reply(request.ticket, *reply)) return;
    change([&] { pool::take_back(*state, *reply); });  // nobody was there to hear it
}

/// Builders before the others, so that an acquire whose builder died finds the next one.
void serve_all() {
    pool::forget_waiting(*state);
    Request request;
    for (bool builders : {true, false})
        for (uint64 ticket = 0; shmem::next_request(ticket, &request); ticket = request.ticket) {
            if (stale) return;
            if ((request.verb == Verb::init_template) == builders) serve(request);
        }
}

ErrorData* keep_within_bounds() {
    if (!pool::is_out_of_bounds(*state)) return nullptr;
    return change([&] { pool::keep_within_bounds(*state); });
}

ErrorData* hand_out_work() {
    ErrorData* failure = change([&] { pool::take_stock(*state); });
    for (int worker = 0; worker < shmem::workers() && failure == nullptr; worker++) {
        if (!shmem::worker_idle(worker)) continue;
        std::optional<Job> job;
        failure = change([&] { job = pool::next_job(*state, worker); });
        if (failure == nullptr && job) shmem::assign(worker, *job);
    }
    return failure;
}

/// It ends: what fails is in trouble, or was an answer to somebody who then no longer asks.
void look_at_everything() {
    state->look_again = 0;
    disturb_due(*state);
    if (shmem::tallies_were_reset()) disturb_all(*state);
    hurry_for_newcomers();
    do {
        if (!read_state()) return refuse_requests();
        unless_in_trouble(noting, note_finished_jobs);
        unless_in_trouble(ending, end_leases);
        serve_all();
        unless_in_trouble(bounding, keep_within_bounds);
        unless_in_trouble(planning, hand_out_work);
    } while (stale);
    look_again_in_time(*state);
#ifdef TESTPOOL_POINTS
    transaction([] { pool::verify(*state); });
#endif
}

/// Whoever waits has been answered by now.
void tell_listeners() {
    constexpr int64 retry_us = 10'000;
    if (events::count() == 0) return;
    if (telling.pauses()) return look_again(telling.until());
    bool sent = true;
    if (ErrorData* failure = attempt([&] { transaction([&] { sent = events::send(); }); })) {
        telling.note(*failure);
        events::forget(0);
    } else {
        telling.over();
    }
    if (!sent) look_again(GetCurrentTimestamp() + retry_us);
}

long time_to_sleep() {
    if (state->look_again == 0) return longest_sleep_ms;
    return std::min(longest_sleep_ms,
                    TimestampDifferenceMilliseconds(GetCurrentTimestamp(), state->look_again));
}

/// Settings are part of what was decided by.
void note_settings() {
    hurry();
    file_all(*state);
}

void sleep() {
    if (serve_interrupts()) return note_settings();  // it may have had its wake-up consumed
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, time_to_sleep(),
              compat::wait_event("TestpoolLauncherMain"));
    ResetLatch(MyLatch);
    if (serve_interrupts()) note_settings();
}

/// Its commits need no flush: whatever is done to a database that it hands out comes later in the
/// write-ahead log, so a crash that forgets the lease forgets the use as well.
void pin_settings() {
    testpool::pin_settings({{"synchronous_commit", "off"}, {"lock_timeout", "2s"}});
}

[[noreturn]] void run() {
    state = empty_state();
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

}  // namespace testpool::launcher

extern "C" PGDLLEXPORT void testpool_launcher_main(Datum argument);

void testpool_launcher_main(Datum /*argument*/) {
    using namespace testpool;
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    launcher::pin_settings();
    start::connect(0);
    shmem::launcher_enters();
    launcher::run();
}
