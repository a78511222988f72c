// Visitors: short-lived processes that do something inside a database that refuses connections.
// What they run is written here in full: a visited database may contain anything.

#include "visitor.h"

#include "errors.h"
#include "pg/pinned.h"
#include "pg/spi.h"
#include "pg/utility.h"
#include "vacuum.h"

namespace testpool::visitor {

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

void do_visit(Visit visit, Outcome& outcome) {
    switch (visit) {
        case Visit::vacuum:
            return vacuum::everything(outcome);
        case Visit::freeze:
            return vacuum::freeze_everything();
        case Visit::freeze_catalogs:
            return vacuum::catalogs();
        case Visit::evict:
            roll_back_prepared();
            drop_subscriptions();
            return;
        case Visit::connect:  // PostgreSQL has made the relation-cache file by now
        case Visit::none:
            return;
    }
}

/// The database that was visited may have another encoding than this one.
void make_readable(char* text) {
    if (pg_verifymbstr(text, static_cast<int>(strlen(text)), true)) return;
    std::replace_if(
        text, text + strlen(text), [](unsigned char c) { return c >= 0x80; }, '?');
}

}  // namespace

Outcome visit(int desk, Oid database, Visit visit) {
    board::set_visit(desk, visit);
    BackgroundWorker process{};
    process.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    process.bgw_start_time = BgWorkerStart_RecoveryFinished;
    process.bgw_restart_time = BGW_NEVER_RESTART;
    process.bgw_notify_pid = MyProcPid;
    process.bgw_main_arg = Int32GetDatum(desk);
    memcpy(process.bgw_extra, &database, sizeof(database));
    strlcpy(process.bgw_library_name, "testpool", sizeof(process.bgw_library_name));
    strlcpy(process.bgw_function_name, "testpool_visitor_main", sizeof(process.bgw_function_name));
    strlcpy(process.bgw_type, "testpool visitor", sizeof(process.bgw_type));
    snprintf(process.bgw_name, sizeof(process.bgw_name), "testpool visitor of database %u",
             database);
    BackgroundWorkerHandle* handle = nullptr;
    if (!RegisterDynamicBackgroundWorker(&process, &handle))
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
                        errmsg("no background worker is free for database %u", database),
                        errhint("Raise max_worker_processes.")));
    WaitForBackgroundWorkerShutdown(handle);
    Outcome outcome = board::visit_outcome(desk);
    make_readable(outcome.message);
    make_readable(outcome.unanalyzed_why);
    if (outcome.sqlstate != 0)
        ereport(ERROR, (errcode(outcome.sqlstate), errmsg_internal("%s", outcome.message)));
    return outcome;
}

}  // namespace testpool::visitor

extern "C" PGDLLEXPORT void testpool_visitor_main(Datum argument);

void testpool_visitor_main(Datum argument) {
    using namespace testpool;
    int desk = DatumGetInt32(argument);
    Oid database = InvalidOid;
    memcpy(&database, MyBgworkerEntry->bgw_extra, sizeof(database));
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    visitor::pin_settings();
    BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, BGWORKER_BYPASS_ALLOWCONN);
    Outcome outcome{};
    ErrorData* failure = attempt([&] { visitor::do_visit(board::visit_of(desk), outcome); });
    board::finish_visit(desk, failure != nullptr ? errors::as_outcome(failure) : outcome);
}
