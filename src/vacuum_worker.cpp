// Vacuum workers: short-lived processes that do something inside a database that refuses
// connections. What they run is written here in full: a database may contain anything.

#include "vacuum_worker.h"

#include "errors.h"
#include "pg/pinned.h"
#include "pg/spi.h"
#include "pg/utility.h"
#include "vacuum.h"

namespace testpool::vacuum_worker {

namespace {

/// A database's own settings, made by whoever used it, must not change what we do in it.
void pin_settings() {
    testpool::pin_settings({{"synchronous_commit", "local"}, {"lock_timeout", "10s"}});
}

/// The first column of the rows, which is a name; in the caller's memory.
List* names_in(Statement<0>& statement) {
    List* names = NIL;
    MemoryContext caller = CurrentMemoryContext;
    spi([&] {
        statement.each_row({}, [&](const Row& row) {
            MemoryContext inner = MemoryContextSwitchTo(caller);
            names = lappend(names, pstrdup(row.text(1)));
            MemoryContextSwitchTo(inner);
        });
    });
    return names;
}

template <class Work>
void for_each_name(Statement<0>& statement, Work work) {
    ListCell* cell = nullptr;
    foreach (cell, names_in(statement)) work(static_cast<const char*>(lfirst(cell)));
}

void roll_back_prepared() {
    static Statement<0> prepared{
        "SELECT gid FROM pg_catalog.pg_prepared_xacts "
        "WHERE database = pg_catalog.current_database()",
        {}};
    List* names = NIL;
    transaction([&] { names = names_in(prepared); });
    ListCell* cell = nullptr;
    foreach (cell, names) {
        const char* name = static_cast<const char*>(lfirst(cell));
        transaction([&] { FinishPreparedTransaction(name, false); });
    }
}

void drop_subscriptions() {
    static Statement<0> subscriptions{R"(
        SELECT subname FROM pg_catalog.pg_subscription
         WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database
                           WHERE datname = pg_catalog.current_database()))",
                                      {}};
    transaction([] {
        for_each_name(subscriptions, [](const char* name) {
            const char* quoted = quote_identifier(name);
            utility_without_triggers(psprintf("ALTER SUBSCRIPTION %s DISABLE", quoted));
            utility_without_triggers(
                psprintf("ALTER SUBSCRIPTION %s SET (slot_name = NONE)", quoted));
            utility_without_triggers(psprintf("DROP SUBSCRIPTION %s", quoted));
        });
    });
}

void perform(VacuumTask task, Outcome& outcome) {
    switch (task) {
        case VacuumTask::vacuum:
            return vacuum::everything(outcome);
        case VacuumTask::freeze:
            return vacuum::freeze_everything();
        case VacuumTask::freeze_catalogs:
            return vacuum::catalogs();
        case VacuumTask::evict:
            roll_back_prepared();
            drop_subscriptions();
            return;
        case VacuumTask::connect:  // PostgreSQL has made the relation-cache file by now
        case VacuumTask::none:
            return;
    }
}

/// The database may have another encoding than this one.
void make_readable(char* text) {
    if (pg_verifymbstr(text, static_cast<int>(strlen(text)), true)) return;
    std::replace_if(
        text, text + strlen(text), [](unsigned char c) { return c >= 0x80; }, '?');
}

}  // namespace

Outcome run(int worker, Oid database, VacuumTask task) {
    shmem::set_vacuum_task(worker, task);
    BackgroundWorker process{};
    process.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    process.bgw_start_time = BgWorkerStart_RecoveryFinished;
    process.bgw_restart_time = BGW_NEVER_RESTART;
    process.bgw_notify_pid = MyProcPid;
    process.bgw_main_arg = Int32GetDatum(worker);
    memcpy(process.bgw_extra, &database, sizeof(database));
    strlcpy(process.bgw_library_name, "testpool", sizeof(process.bgw_library_name));
    strlcpy(process.bgw_function_name, "testpool_vacuum_worker_main",
            sizeof(process.bgw_function_name));
    strlcpy(process.bgw_type, "testpool vacuum worker", sizeof(process.bgw_type));
    snprintf(process.bgw_name, sizeof(process.bgw_name), "testpool vacuum worker of database %u",
             database);
    BackgroundWorkerHandle* handle = nullptr;
    if (!RegisterDynamicBackgroundWorker(&process, &handle))
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
                        errmsg("no background worker is free for database %u", database),
                        errhint("Raise max_worker_processes.")));
    WaitForBackgroundWorkerShutdown(handle);
    Outcome outcome = shmem::vacuum_outcome(worker);
    make_readable(outcome.message);
    make_readable(outcome.unanalyzed_why);
    if (outcome.sqlstate != 0)
        ereport(ERROR, (errcode(outcome.sqlstate), errmsg_internal("%s", outcome.message)));
    return outcome;
}

}  // namespace testpool::vacuum_worker

extern "C" PGDLLEXPORT void testpool_vacuum_worker_main(Datum argument);

void testpool_vacuum_worker_main(Datum argument) {
    using namespace testpool;
    int worker = DatumGetInt32(argument);
    Oid database = InvalidOid;
    memcpy(&database, MyBgworkerEntry->bgw_extra, sizeof(database));
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    vacuum_worker::pin_settings();
    BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, BGWORKER_BYPASS_ALLOWCONN);
    Outcome outcome{};
    ErrorData* failure =
        attempt([&] { vacuum_worker::perform(shmem::vacuum_task_of(worker), outcome); });
    shmem::finish_vacuum_task(worker, failure != nullptr ? errors::as_outcome(failure) : outcome);
}
