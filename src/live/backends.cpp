// The side of the process that shuts a gate: who is in the database, and what becomes of them.

#include "live/gate.h"

#include "live/memory.h"
#include "log.h"

namespace testpool::gate {

namespace {

constexpr long poll_ms = 1;
constexpr int end_ms = 10'000;  // how long a process may take to end when told to

Oid kept = InvalidOid;  // the database whose gate this process has shut
bool past_return = false;

/// Calls each(process, its number) for all in the database. Who is on the way in is seen once they
/// have given back their lock on the database.
template <class Each>
void each_inside(Oid database, Each each) {
    for (int i = 0; i < memory->slots; i++) {
        PGPROC* process = &ProcGlobal->allProcs[i];
        if (process->databaseId != database || process == MyProc) continue;
        int pid = process->pid;
        if (BackendPidGetProc(pid) == process) each(*process, i, pid);  // else it is long gone
    }
}

bool has_transaction(PGPROC& process) {
    LWLockAcquire(&process.fpInfoLock, LW_SHARED);
    bool has = LocalTransactionIdIsValid(process.fpLocalTransactionId);
    LWLockRelease(&process.fpInfoLock);
    return has;
}

enum class Doing { nothing, something, unknown };

/// A transaction gives its id back before it removes the files of what it has dropped. Only then it
/// says that it is over; with track_activities off it does not say so.
Doing doing(PGPROC& process, int pid) {
    if (has_transaction(process)) return Doing::something;
    pg_memory_barrier();
    const volatile PgBackendStatus* status = compat::status_of(process);
    if (status == nullptr || status->st_procpid != pid) return Doing::something;  // it is starting
    if (status->st_state == STATE_DISABLED) return Doing::unknown;
    return status->st_xact_start_timestamp == 0 ? Doing::nothing : Doing::something;
}

bool is_waiting(int number) {
    return locked(LW_SHARED, [&] { return slots()[number].waiting; });
}

/// Who is in the database, and cannot be while it is put back.
struct Left {
    int busy = 0;       // clients in a transaction
    int unfit = 0;      // clients that cannot stay, whatever they are at
    int strangers = 0;  // processes that are no client's
    int all() const { return busy + unfit + strangers; }
};

/// Why a client's session cannot stay; transaction: if it is still in one when it is late.
End judge(PGPROC& process, int number, int pid) {
    if (!is_waiting(number)) {
        Doing what = doing(process, pid);
        if (what == Doing::unknown) return End::unknown;
        if (what == Doing::something) return End::transaction;
    }
    return OidIsValid(process.tempNamespaceId) ? End::temporary : End::none;
}

void note(int pid, End why, Ended& ended) {
    ended.count++;
    if (ended.first == End::none) ended.first = why;
    log_line(LOG, "process %d is ended: %s", pid, text_of(why));
}

void end_client(int number, int pid, End why, Ended& ended) {
    if (slots()[number].end == End::none) {
        slots()[number].end = why;
        note(pid, why, ended);
    }
    kill(pid, SIGTERM);
}

void end_stranger(int pid, Ended& ended) {
    if (ended.stranger != pid) note(pid, End::stranger, ended);
    ended.stranger = pid;
    kill(pid, SIGTERM);
}

/// Looks at all, and ends clients that cannot stay.
Left look_at_all(Oid database, bool late, Ended& ended) {
    Left left;
    each_inside(database, [&](PGPROC& process, int number, int pid) {
        if (!slots()[number].client) {
            left.strangers++;
            return;
        }
        End why = judge(process, number, pid);
        bool waits = why == End::transaction && !late;
        left.busy += why == End::transaction;
        left.unfit += why != End::none && why != End::transaction;
        if (why != End::none && !waits) end_client(number, pid, why, ended);
    });
    return left;
}

/// A parallel worker ends with its leader's statement.
void end_strangers(Oid database, Ended& ended) {
    each_inside(database, [&](PGPROC& /*process*/, int number, int pid) {
        if (!slots()[number].client) end_stranger(pid, ended);
    });
}

void sleep_a_little() {
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, poll_ms,
              compat::wait_event("TestpoolSettle"));
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
}

/// Nobody is in a gate that stands open.
void set(Oid database, Position position) {
    locked(LW_EXCLUSIVE, [&] {
        if (Gate* gate = find(database)) gate->position = position;
    });
}

void wake(Oid database) {
    each_inside(database, [](PGPROC& process, int number, int /*pid*/) {
        if (slots()[number].waiting) SetLatch(&process.procLatch);
    });
}

Gate* place() {
    if (Gate* free = find(InvalidOid)) return free;
    return memory->gates < memory->gate_room ? &gates()[memory->gates++] : nullptr;
}

}  // namespace

void shut(Oid database) {
    bool found = locked(LW_EXCLUSIVE, [&] {
        Gate* gate = find(database);
        if (gate == nullptr && (gate = place()) != nullptr) *gate = {.database = database};
        if (gate == nullptr || gate->position != Position::open) return false;
        gate->position = Position::shutting;
        return true;
    });
    if (!found)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                        errmsg("there is no room for another database that is rewound live"),
                        errhint("Raise testpool.max_databases and restart the server.")));
    kept = database;
    past_return = false;
    call(database);
}

void settle(Oid database, TimestampTz deadline, Ended& ended) {
    TimestampTz last =
        TimestampTzPlusMilliseconds(std::max(deadline, GetCurrentTimestamp()), end_ms);
    for (;;) {
        TimestampTz now = GetCurrentTimestamp();
        Left left = look_at_all(database, now >= deadline, ended);
        if (left.all() == 0) return;
        if (left.busy == 0) end_strangers(database, ended);
        if (now >= last)
            ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE), errmsg("it is still in use"),
                            errdetail("%d of its sessions did not end.", left.all()),
                            errhint("See pg_stat_activity.")));
        sleep_a_little();
    }
}

void hold(Oid database) { set(database, Position::shut); }

void point_of_no_return() { past_return = true; }
bool is_past_return() { return past_return; }

void open(Oid database, Change change) {
    locked(LW_EXCLUSIVE, [&] {
        Gate* gate = find(database);
        gate->position = Position::open;
        if (change == Change::nothing) return;
        gate->opened = ++memory->openings;
        if (change == Change::catalogs) gate->catalogs = gate->opened;
    });
    kept = InvalidOid;
    past_return = false;
    wake(database);
}

void announce_end(Oid database, const char* why) {
    locked(LW_EXCLUSIVE, [&] {
        Gate* gate = find(database);
        if (gate == nullptr && (gate = place()) != nullptr) *gate = {.database = database};
        if (gate == nullptr) return;
        strlcpy(gate->why, why, sizeof(gate->why));
    });
    each_inside(database, [](PGPROC& /*process*/, int number, int /*pid*/) {
        if (slots()[number].end == End::none) slots()[number].end = End::cloned;
    });
}

void uncount(Oid database, std::span<const Oid> relations) {
    locked(LW_EXCLUSIVE, [&] {
        Gate* gate = find(database);
        for (Oid relation : relations) {
            std::span listed = std::span(gate->relations).first(gate->uncounted);
            if (std::ranges::find(listed, relation) != listed.end()) continue;
            if (listed.size() == gate->relations.size()) gate->uncounted = 0;
            gate->relations[gate->uncounted++] = relation;
        }
    });
}

void shatter(Oid database, const char* why) {
    announce_end(database, why);
    set(database, Position::broken);
    call(database);
    wake(database);
}

void forget(Oid database) {
    locked(LW_EXCLUSIVE, [&] {
        if (Gate* gate = find(database)) *gate = {};
    });
}

void shutter_ends() {
    if (!OidIsValid(kept)) return;
    Oid database = kept;
    kept = InvalidOid;
    if (past_return)
        shatter(database, "The database could not be rewound, and is cloned again.");
    else
        open(database, Change::nothing);
    past_return = false;
}

}  // namespace testpool::gate
