// A worker: creates, drops and seals databases, one job at a time, as the launcher puts them into
// its slot. It knows nothing of templates and leases and writes none of testpool's tables.

#include "database.h"
#include "errors.h"
#include "live/gate.h"
#include "log.h"
#include "pg/barrier.h"
#include "pg/interrupts.h"
#include "pg/pinned.h"
#include "pg/transaction.h"
#include "rewind/drift.h"
#include "start.h"

namespace testpool::worker {

namespace {

const char* verb_of(Task task) {
    switch (task) {
        case Task::create:
            return "creating";
        case Task::drop:
            return "dropping";
        case Task::seal:
            return "sealing";
        case Task::rewind:
            return "rewinding";
        case Task::reseal:
            return "sealing again";
        case Task::none:
            break;
    }
    return "idle";
}

void perform(const Job& job, int worker, Outcome& outcome) {
    switch (job.task) {
        case Task::create:
            return database::create(job, outcome);
        case Task::drop:
            return database::drop(job, worker);
        case Task::seal:
            return database::seal(job, worker, outcome);
        case Task::rewind:
            return database::rewind(job, worker, outcome);
        case Task::reseal:
            return database::reseal(job, worker, outcome);
        case Task::none:
            return;
    }
}

/// Every rewind, and every drop, leaves dead rows in the catalogs.
void tidy_up() {
    constexpr int often_enough = 1000;
    static int recycled = 0;
    if (++recycled % often_enough != 0) return;
    if (ErrorData* failure = attempt(database::vacuum_catalogs))
        log_line(WARNING, "could not vacuum its catalogs: %s", failure->message);
}

/// A rewind holds a lock beyond its transactions. PostgreSQL gives such a lock back when a
/// transaction is aborted; a worker that ends between two of them would leave it behind for ever.
/// It may hold a gate as well.
void let_go(int /*code*/, Datum /*argument*/) {
    gate::shutter_ends();
    LockReleaseSession(DEFAULT_LOCKMETHOD);
}

/// Nobody waits, and if somebody comes another worker is free.
bool may_dawdle() {
    Request request;
    if (shmem::next_request(0, &request)) return false;
    for (int worker = 0; worker < shmem::workers(); worker++)
        if (shmem::worker_idle(worker)) return true;
    return false;
}

void tell_idle() {
    pgstat_report_activity(STATE_IDLE, nullptr);
    set_ps_display("idle");
}

void do_job(const Job& job, int worker) {
    const char* activity = psprintf("%s database %s", verb_of(job.task), NameStr(job.name));
    pgstat_report_activity(STATE_RUNNING, activity);
    set_ps_display(activity);
    TimestampTz start = GetCurrentTimestamp();
    Outcome outcome{};
    if (ErrorData* failure = attempt([&] { perform(job, worker, outcome); })) {
        uint64 barrier = outcome.barrier;
        outcome = errors::as_outcome(failure);
        outcome.barrier = barrier;
        outcome.held_up = barrier::is_held_up();
        outcome.drifted =
            job.task == Task::rewind && failure->sqlerrcode == rewind::drifted_sqlstate;
        let_go(0, 0);
    }
    outcome.microseconds = GetCurrentTimestamp() - start;
    shmem::finish_job(worker, outcome);
    if (outcome.sqlstate == 0)
        log_line(DEBUG1, "%s database \"%s\" took %.1f ms", verb_of(job.task), NameStr(job.name),
                 static_cast<double>(outcome.microseconds) / 1000);
    if (job.task == Task::rewind || job.task == Task::drop) tidy_up();
    pgstat_report_stat(false);
    tell_idle();
}

void sleep() {
    serve_interrupts();  // one that came during a job may have had its wake-up consumed there
    WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, 0,
              compat::wait_event("TestpoolWorkerMain"));
    ResetLatch(MyLatch);
    serve_interrupts();
}

/// Where a commit has to be on disk before what follows it, it is flushed without being asked: that
/// of CREATE and DROP DATABASE, and one that drops files.
void pin_settings() {
    testpool::pin_settings({{"synchronous_commit", "off"}, {"lock_timeout", "10s"}});
}

[[noreturn]] void run(int worker) {
    MemoryContext memory =
        AllocSetContextCreate(TopMemoryContext, "testpool job", ALLOCSET_DEFAULT_SIZES);
    tell_idle();
    for (;;) {
        MemoryContextSwitchTo(memory);
        Job job;
        if (shmem::take_job(worker, &job))
            do_job(job, worker);
        else
            sleep();
        MemoryContextReset(memory);
    }
}

}  // namespace

}  // namespace testpool::worker

extern "C" PGDLLEXPORT void testpool_worker_main(Datum argument);

void testpool_worker_main(Datum argument) {
    using namespace testpool;
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    worker::pin_settings();
    barrier::define(worker::may_dawdle);
    int worker = DatumGetInt32(argument);
    start::connect(1 + worker);
    before_shmem_exit(worker::let_go, 0);
    shmem::worker_enters(worker);
    worker::run(worker);
}
