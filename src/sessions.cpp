// Sessions hold no lock on their database, but take one while they come in, in InitPostgres(): who
// waits for ours is not inside yet, and looks again whether the database is there once we are done.

#include "sessions.h"

#include "pg/spi.h"
#include "pg/transaction.h"

namespace testpool::sessions {

namespace {

constexpr int patience_ms = 10'000;  // how long a session may take to end
constexpr int lock_try_ms = 500;     // who waits behind us may come in between two tries
constexpr int reminder_ms = 100;
constexpr long poll_ms = 2;

void tell_to_end(Oid database) {
    static Statement<1> terminate{R"(
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datid = $1 AND pid <> pg_backend_pid())",
                                  {OIDOID}};
    spi([&] { terminate.run({Value::of(database)}); });
}

/// Who is inside, in words.
const char* occupants(Oid database) {
    static Statement<1> inside{R"(
        SELECT string_agg(format('process %s (%s, application "%s")', pid, backend_type, application_name), ', ')
          FROM pg_stat_activity WHERE datid = $1)",
                               {OIDOID}};
    MemoryContext caller = CurrentMemoryContext;
    const char* text = "a process that pg_stat_activity does not show";
    spi([&] {
        inside.each_row({Value::of(database)}, [&](const Row& row) {
            if (row.text(1) != nullptr) text = MemoryContextStrdup(caller, row.text(1));
        });
    });
    return text;
}

[[noreturn]] void still_in_use(Oid database) {
    pgstat_clear_snapshot();
    ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                    errmsg("database \"%s\" is still in use by %s", get_database_name(database),
                           occupants(database)),
                    errdetail("It was told to end %d s ago.", patience_ms / 1000),
                    errhint("See pg_stat_activity.")));
    pg_unreachable();
}

void wait_a_little() {
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, poll_ms,
              compat::wait_event("TestpoolSessionEnd"));
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
}

/// Background workers may come back while others end.
void end_all(Oid database) {
    TimestampTz start = GetCurrentTimestamp();
    TimestampTz told = 0;
    while (CountDBBackends(database) > 0) {
        TimestampTz now = GetCurrentTimestamp();
        if (TimestampDifferenceExceeds(start, now, patience_ms)) still_in_use(database);
        if (TimestampDifferenceExceeds(told, now, reminder_ms)) {
            pgstat_clear_snapshot();
            tell_to_end(database);
            told = now;
        }
        wait_a_little();
    }
}

/// nullptr, or why the lock could not be had in a while.
ErrorData* try_lock(Oid database, LOCKMODE mode) {
    int usual = LockTimeout;
    LockTimeout = lock_try_ms;
    ErrorData* failure =
        attempt([&] { LockSharedObjectForSession(DatabaseRelationId, database, 0, mode); });
    LockTimeout = usual;
    return failure;
}

}  // namespace

void lock_out(Oid database, LOCKMODE mode) {
    TimestampTz start = GetCurrentTimestamp();
    for (;;) {
        // One of them may hold a lock on its own database, by ALTER DATABASE for example.
        if (CountDBBackends(database) > 0) transaction([&] { tell_to_end(database); });
        ErrorData* failure = try_lock(database, mode);
        if (failure == nullptr) break;
        bool late = TimestampDifferenceExceeds(start, GetCurrentTimestamp(), patience_ms);
        if (late || failure->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE) ReThrowError(failure);
    }
    if (CountDBBackends(database) > 0) transaction([&] { end_all(database); });
}

void let_in(Oid database, LOCKMODE mode) {
    UnlockSharedObjectForSession(DatabaseRelationId, database, 0, mode);
}

}  // namespace testpool::sessions
