// A worker: creates, drops and seals databases, one job at a time, as the steward lays them on its
// desk. It knows nothing of templates and leases and writes none of testpool's tables.

#include "database.h"
#include "errors.h"
#include "pg/transaction.h"
#include "settings.h"

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
        case Task::none:
            break;
    }
    return "idle";
}

int64 perform(const Job& job, int desk) {
    switch (job.task) {
        case Task::create:
            database::create(job);
            return 0;
        case Task::drop:
            database::drop(job, desk);
            return 0;
        case Task::seal:
            return database::seal(job, desk);
        case Task::none:
            break;
    }
    return 0;
}

void do_job(const Job& job, int desk) {
    const char* activity = psprintf("%s database %s", verb_of(job.task), NameStr(job.name));
    pgstat_report_activity(STATE_RUNNING, activity);
    set_ps_display(activity);
    int64 bytes = 0;
    ErrorData* failure = attempt([&] { bytes = perform(job, desk); });
    Outcome outcome = errors::as_outcome(failure);
    outcome.bytes = bytes;
    board::finish_job(desk, outcome);
    pgstat_report_activity(STATE_IDLE, nullptr);
    set_ps_display("idle");
}

void sleep() {
    WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, 0,
              compat::wait_event("TestpoolWorkerMain"));
    ResetLatch(MyLatch);
    if (ProcDiePending) proc_exit(1);
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending) {
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
    }
}

void pin_settings() {
    for (auto [name, value] :
         {std::pair{"search_path", "pg_catalog, pg_temp"}, {"lock_timeout", "10s"}})
        SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

[[noreturn]] void run(int desk) {
    MemoryContext memory =
        AllocSetContextCreate(TopMemoryContext, "testpool job", ALLOCSET_DEFAULT_SIZES);
    for (;;) {
        MemoryContextSwitchTo(memory);
        Job job;
        if (board::take_job(desk, &job))
            do_job(job, desk);
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
    BackgroundWorkerInitializeConnection(settings::database, nullptr, 0);
    worker::pin_settings();
    int desk = DatumGetInt32(argument);
    board::worker_enters(desk);
    worker::run(desk);
}
