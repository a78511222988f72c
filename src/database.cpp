// Databases on disk: the only place that creates, opens, seals and drops them.

#include "database.h"

#include "live/gate.h"
#include "pg/barrier.h"
#include "pg/database_row.h"
#include "pg/spi.h"
#include "pg/utility.h"
#include "points.h"
#include "privacy.h"
#include "rewind/rewind.h"
#include "rewind/shared.h"
#include "rewind/statistics.h"
#include "sessions.h"
#include "settings.h"
#include "vacuum_worker.h"

namespace testpool::database {

namespace {

/// What pg_database says of a database.
struct Facts {
    bool found;
    bool connectable;
    bool altered;  // by a transaction that has not ended
    bool invalid;  // a DROP was interrupted: it can only be dropped
    Oid owner;
    Oid tablespace;
    NameData name;
};

NewestRow newest_row(Oid oid) {
    Relation databases = table_open(DatabaseRelationId, AccessShareLock);
    NewestRow newest = newest_database_row(databases, oid);
    table_close(databases, AccessShareLock);
    return newest;
}

Facts facts_of(Oid oid) {
    NewestRow newest = newest_row(oid);
    if (!HeapTupleIsValid(newest.row)) return {};
    auto* form = reinterpret_cast<Form_pg_database>(GETSTRUCT(newest.row));
    return {true,         form->datallowconn,  newest.written, compat::is_invalid(form),
            form->datdba, form->dattablespace, form->datname};
}

[[noreturn]] void gone(const char* name) {
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_DATABASE), errmsg("database \"%s\" does not exist", name),
             errdetail("It was dropped by someone else."),
             errhint("Leave testpool's databases to testpool.")));
    pg_unreachable();
}

/// The directory of a database that is not in pg_database: a crash in the middle of CREATE DATABASE
/// leaves it, and PostgreSQL never removes it. If its commit failed, on a full disk for example,
/// its pages are still in memory: no checkpoint could ever write them once the files are gone.
void remove_leftovers(Oid oid) {
    DropDatabaseBuffers(oid);
    ForgetDatabaseSyncRequests(oid);
    spi([&] {
        static Statement<0> tablespaces{
            "SELECT oid FROM pg_catalog.pg_tablespace WHERE spcname <> 'pg_global'", {}};
        tablespaces.each_row({}, [&](const Row& row) {
            char* path = GetDatabasePath(oid, row.oid(1));
            if (access(path, F_OK) == 0) rmtree(path, true);
        });
    });
}

bool has_prepared_transactions(const NameData& name) {
    static Statement<1> count{
        "SELECT count(*) FROM pg_catalog.pg_prepared_xacts WHERE database = $1", {NAMEOID}};
    bool some = false;
    if (max_prepared_xacts == 0) return false;
    spi([&] {
        count.each_row({Value::name(const_cast<NameData&>(name))},
                       [&](const Row& row) { some = row.int8(1) > 0; });
    });
    return some;
}

void alter(const NameData& name, const char* options) {
    utility(psprintf("ALTER DATABASE %s %s", quote_identifier(NameStr(name)), options));
}

/// Raises if something lives in the database, or happened to it, that no page can tell.
void require_rewindable(const Facts& facts, const Job& job) {
    auto refuse = [](const char* why) {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE), errmsg("%s", why)));
    };
    int slots = 0;
    int active = 0;
    if (ReplicationSlotsCountDBSlots(job.oid, &slots, &active)) refuse("it has replication slots");
    if (CountDBSubscriptions(job.oid) > 0) refuse("it has subscriptions");
    if (has_prepared_transactions(facts.name)) refuse("it has prepared transactions");
    if (facts.tablespace != job.tablespace) refuse("it was moved to another tablespace");
    if (is_being_altered(job.oid)) refuse("a transaction that has not ended has altered it");
}

/// ALTER DATABASE as it does it, without parsing: every acquire waits for this.
template <class Change>
void change_row(Oid oid, Change change) {
    bool found = change_database_row(oid, [&](HeapTuple row, TupleDesc /*desc*/) {
        HeapTuple changed = heap_copytuple(row);
        change(*reinterpret_cast<Form_pg_database>(GETSTRUCT(changed)));
        return changed;
    });
    if (!found) gone(psprintf("%u", oid));
}

/// Rids the database of what the cluster keeps for it, which would be in the way of others:
/// prepared transactions, whose locks hold up even us, and subscriptions. Slots follow when nobody
/// is inside.
void evict(Oid oid, int worker) {
    bool has_guests = false;
    transaction([&] {
        has_guests = has_prepared_transactions(facts_of(oid).name) || CountDBSubscriptions(oid) > 0;
    });
    if (has_guests) vacuum_worker::run(worker, oid, VacuumTask::evict);
}

/// Nobody can enter the database from now on but who passes by its row, and nobody is in it.
void close(Oid oid, const char* name) {
    shmem::report(Phase::ending_sessions);
    sessions::lock_out(oid);
    transaction([&] {
        if (!exists(oid)) gone(name);
        refuse_altered(oid, name);
        change_row(oid, [](FormData_pg_database& row) {
            row.datallowconn = false;
            row.datistemplate = false;
        });
    });
    sessions::let_in(oid);
}

const char* source_of(const Job& job) {
    if (!OidIsValid(job.source)) return NameStr(job.source_name);
    const char* name = get_database_name(job.source);
    if (name == nullptr) gone(NameStr(job.source_name));
    return name;
}

void refuse_spoiled(const Job& job) {
    if (!OidIsValid(job.source) || !rewind::is_spoiled(job)) return;
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("unlogged relations of template database \"%s\" were changed or emptied",
                           source_of(job)),
                    errdetail("A crash of the server empties them."),
                    errhint("Build the template again.")));
}

/// Adds what CREATE DATABASE … TEMPLATE leaves behind.
void complete(const Job& job) {
    shmem::report(Phase::completing);
    transaction([&] {
        rewind::copy_shared(job.source, job.oid, job.name, job.connectable, false);
        if (!OidIsValid(job.owner)) return;
        alter(job.name,
              psprintf("OWNER TO %s", quote_identifier(GetUserNameFromId(job.owner, false))));
    });
}

/// Has this transaction copy files without copying their blocks.
void share_blocks() {
    set_config_option("file_copy_method", "clone", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL,
                      true, 0, false);
}

const char* create_command(const Job& job) {
    const char* source = source_of(job);
    Oid owner = OidIsValid(job.owner) ? job.owner : facts_of(get_database_oid(source, false)).owner;
    return psprintf(
        "CREATE DATABASE %s TEMPLATE %s OID %u OWNER %s STRATEGY %s "
        "ALLOW_CONNECTIONS %s IS_TEMPLATE false",
        quote_identifier(NameStr(job.name)), quote_identifier(source), job.oid,
        quote_identifier(GetUserNameFromId(owner, false)),
        job.copying.strategy == Strategy::file_copy ? "file_copy" : "wal_log",
        job.connectable ? "true" : "false");
}

}  // namespace

Oid choose_oid() {
    Relation databases = table_open(DatabaseRelationId, AccessShareLock);
    Oid oid = GetNewOidWithIndex(databases, DatabaseOidIndexId, Anum_pg_database_oid);
    table_close(databases, AccessShareLock);
    return oid;
}

bool choose_name(const char* rest, NameData* name) {
    snprintf(NameStr(*name), NAMEDATALEN, "%s%s", settings::name_prefix, rest);
    return !OidIsValid(get_database_oid(NameStr(*name), true)) && !is_being_altered(NameStr(*name));
}

bool is_being_altered(Oid oid) { return facts_of(oid).altered; }

bool is_being_altered(const char* name) {
    Relation databases = table_open(DatabaseRelationId, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_database_datname, BTEqualStrategyNumber, F_NAMEEQ,
                CStringGetDatum(name));
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    SysScanDesc scan = systable_beginscan(databases, DatabaseNameIndexId, true, &dirty, 1, &key);
    bool writing = false;
    while (!writing && HeapTupleIsValid(systable_getnext(scan)))  // it tells of each row's writer
        writing = TransactionIdIsValid(dirty.xmin) || TransactionIdIsValid(dirty.xmax);
    systable_endscan(scan);
    table_close(databases, AccessShareLock);
    return writing;
}

void refuse_altered(Oid oid, const char* name) {
    if (!is_being_altered(oid)) return;
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_IN_USE), errmsg("database \"%s\" is being altered", name),
             errdetail("A transaction that has not ended has changed its row."),
             errhint("See pg_stat_activity and pg_prepared_xacts.")));
}

bool exists(Oid oid) { return facts_of(oid).found; }

bool is_closed(Oid oid) {
    Facts facts = facts_of(oid);
    return facts.found && !facts.connectable;
}

Oid of_owner(const char* name, Oid role) {
    Oid oid = get_database_oid(name, true);
    return OidIsValid(oid) && facts_of(oid).owner == role ? oid : InvalidOid;
}

Oid tablespace_of(Oid oid) { return facts_of(oid).tablespace; }

bool is_spoiled(Oid oid, const Seal& seal) {
    return rewind::is_spoiled(oid, tablespace_of(oid), seal);
}

bool is_open(const char* name) {
    Relation databases = table_open(DatabaseRelationId, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_database_datname, BTEqualStrategyNumber, F_NAMEEQ,
                CStringGetDatum(name));
    // Like PostgreSQL's own look-up, which comes next; the caches may lack the index yet.
    SysScanDesc scan = systable_beginscan(databases, DatabaseNameIndexId,
                                          criticalSharedRelcachesBuilt, nullptr, 1, &key);
    HeapTuple tuple = systable_getnext(scan);
    auto* row =
        HeapTupleIsValid(tuple) ? reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple)) : nullptr;
    bool open = row != nullptr && row->datallowconn && !compat::is_invalid(row);
    systable_endscan(scan);
    table_close(databases, AccessShareLock);
    return open;
}

List* look_like_ours() {
    static Statement<1> alike{R"(
        SELECT datname FROM pg_catalog.pg_database
         WHERE pg_catalog.starts_with(datname, $1)
           AND pg_catalog.substr(datname, pg_catalog.length($1) + 1) ~ '^(template|[0-9]+)_[0-9]+$'
         ORDER BY oid)",
                              {TEXTOID}};
    MemoryContext caller = CurrentMemoryContext;
    List* names = NIL;
    spi([&] {
        alike.each_row({Value::of(const_cast<const char*>(settings::name_prefix))},
                       [&](const Row& row) {
                           MemoryContext inner = MemoryContextSwitchTo(caller);
                           names = lappend(names, pstrdup(row.text(1)));
                           MemoryContextSwitchTo(inner);
                       });
    });
    return names;
}

NameData open(Oid oid, Oid role, const NameData* name) {
    NameData opened{};
    bool found = change_database_row(oid, [&](HeapTuple row, TupleDesc desc) {
        HeapTuple changed = heap_copytuple(row);
        auto* form = reinterpret_cast<Form_pg_database>(GETSTRUCT(changed));
        form->datallowconn = true;
        if (name != nullptr) form->datname = *name;
        opened = form->datname;
        return settings::is_private ? privacy::for_role_alone(changed, desc, role) : changed;
    });
    if (!found) gone(psprintf("%u", oid));
    return opened;
}

void rename(Oid oid, const NameData& from, const NameData& to) {
    Facts facts = facts_of(oid);
    if (!facts.found || strcmp(NameStr(facts.name), NameStr(from)) != 0) return;
    change_row(oid, [&](FormData_pg_database& row) { row.datname = to; });
}

bool has_prepared_transactions(Oid oid) {
    return max_prepared_xacts > 0 && has_prepared_transactions(facts_of(oid).name);
}

bool binds_others(Oid oid, Oid source) {
    // Two look-ups in an index for each: every release of what cannot be rewound asks.
    static Statement<2> dependencies{R"(
        SELECT of_it.number > of_source.number
          FROM (SELECT (SELECT count(*) FROM pg_catalog.pg_shdepend WHERE dbid = $1)
                     + (SELECT count(*) FROM pg_catalog.pg_shdepend
                         WHERE dbid = 0 AND classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND objid = $1)
               ) of_it(number),
               (SELECT (SELECT count(*) FROM pg_catalog.pg_shdepend WHERE dbid = $2)
                     + (SELECT count(*) FROM pg_catalog.pg_shdepend
                         WHERE dbid = 0 AND classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND objid = $2)
               ) of_source(number))",
                                     {OIDOID, OIDOID}};
    int slots = 0;
    int active = 0;
    bool some = ReplicationSlotsCountDBSlots(oid, &slots, &active) ||
                CountDBSubscriptions(oid) > 0 || has_prepared_transactions(oid);
    spi([&] {
        dependencies.each_row({Value::of(oid), Value::of(source)},
                              [&](const Row& row) { some = some || row.boolean(1); });
    });
    return some;
}

bool is_as_sealed(Oid oid, const Seal& seal) {
    NewestRow newest = newest_row(oid);
    return HeapTupleIsValid(newest.row) && !newest.written &&
           HeapTupleHeaderGetRawXmin(newest.row->t_data) == seal.by;
}

int sessions_in(Oid oid) { return CountDBConnections(oid); }

TransactionId oldest_needed() {
    Relation databases = table_open(DatabaseRelationId, AccessShareLock);
    TransactionId horizon = GetOldestNonRemovableTransactionId(databases);
    table_close(databases, AccessShareLock);
    return horizon;
}

bool versions_stay(TransactionId before) { return TransactionIdPrecedes(oldest_needed(), before); }

namespace {

/// Has everything that was committed until now on disk: this commit is, and it comes after it.
void flush_commits() {
    transaction([] {
        GetCurrentTransactionId();
        ForceSyncCommit();
    });
}

}  // namespace

void create(const Job& job, Outcome& outcome) {
    flush_commits();
    shmem::report(Phase::copying);
    if (OidIsValid(job.source)) sessions::lock_out(job.source, ShareLock);
    transaction([&] {
        Facts facts = facts_of(job.oid);
        if (facts.found && strcmp(NameStr(facts.name), NameStr(job.name)) == 0) return;
        if (!facts.found) remove_leftovers(job.oid);
        refuse_spoiled(job);
        if (job.copying.share_blocks) share_blocks();
        utility(create_command(job));  // nothing may fail after it: it could not be undone
    });
    TESTPOOL_POINT("clone-created");
    if (OidIsValid(job.source)) complete(job);
    if (job.prepare) {
        sessions::lock_out(job.oid);
        rewind::prepare(job, outcome);
        outcome.stampless = rewind::is_stampless(job.oid, job.tablespace);
        sessions::let_in(job.oid);
    }
    if (OidIsValid(job.source)) sessions::let_in(job.source, ShareLock);
}

namespace {

void drop(Oid oid) {
    LockSharedObject(DatabaseRelationId, oid, 0, AccessExclusiveLock);
    Facts facts = facts_of(oid);  // nobody can rename it now
    if (!facts.found) return;
    utility(psprintf("DROP DATABASE %s WITH (FORCE)", quote_identifier(NameStr(facts.name))));
}

}  // namespace

void drop(const Job& job, int worker) {
    if (job.live) gate::announce_end(job.oid, job.why);
    Facts facts{};
    transaction([&] {
        facts = facts_of(job.oid);
        bool ours =
            facts.found && (job.confirmed || strcmp(NameStr(facts.name), NameStr(job.name)) == 0);
        if (!facts.found) remove_leftovers(job.oid);
        facts.found = ours;
    });
    if (!facts.found) return;
    if (!facts.invalid) {
        shmem::report(Phase::ending_sessions);
        evict(job.oid, worker);
        close(job.oid, NameStr(facts.name));
        evict(job.oid, worker);  // what came in between
    }
    TESTPOOL_POINT("drop-emptied");
    shmem::report(Phase::dropping);
    barrier::bounded(barrier::Patience::much, [&] { transaction([&] { drop(job.oid); }); });
    gate::forget(job.oid);
    TESTPOOL_POINT("drop-dropped");
}

namespace {

void refuse_prepared(const Job& job) {
    transaction([&] {
        if (!has_prepared_transactions(facts_of(job.oid).name)) return;
        ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                        errmsg("database \"%s\" has prepared transactions", NameStr(job.name)),
                        errhint("Commit or roll back what pg_prepared_xacts lists, then finalize "
                                "again.")));
    });
}

void reopen(Oid oid) {
    transaction([&] {
        if (exists(oid))
            change_row(oid, [](FormData_pg_database& row) { row.datallowconn = true; });
    });
}

/// Looks at the template while nobody can come in. `mark(seal)` is to leave word of who did.
template <class Mark>
void look(const Job& job, Outcome& outcome, Mark mark) {
    sessions::lock_out(job.oid);
    transaction([&] {
        outcome.seal = rewind::seal(job.oid);
        outcome.stampless = rewind::is_stampless(job.oid, tablespace_of(job.oid));
        mark(outcome.seal);
        statistics::forget(job.oid);
        outcome.bytes =
            DatumGetInt64(DirectFunctionCall1(pg_database_size_oid, ObjectIdGetDatum(job.oid)));
    });
    sessions::let_in(job.oid);
}

/// Lets nobody but our own processes, and autovacuum, in later.
void mark_as_template(const Job& job, Seal& seal) {
    change_row(job.oid, [](FormData_pg_database& row) { row.datistemplate = true; });
    seal.by = GetCurrentTransactionId();
}

void require_as_sealed(const Job& job) {
    if (is_as_sealed(job.oid, job.seal)) return;
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("database \"%s\" was altered since it was sealed", NameStr(job.name))));
}

}  // namespace

void seal(const Job& job, int worker, Outcome& outcome) {
    ErrorData* failure = attempt([&] {
        close(job.oid, NameStr(job.name));
        refuse_prepared(job);
        TESTPOOL_POINT("seal-closed");
        shmem::report(Phase::vacuuming);
        outcome = vacuum_worker::run(worker, job.oid,
                                     job.vacuum ? VacuumTask::vacuum : VacuumTask::freeze_catalogs);
        vacuum_worker::run(worker, job.oid, VacuumTask::connect);  // makes the relation-cache file
        shmem::report(Phase::checkpoint);
        RequestCheckpoint(CHECKPOINT_IMMEDIATE | CHECKPOINT_FORCE | CHECKPOINT_WAIT);
        look(job, outcome, [&](Seal& seal) { mark_as_template(job, seal); });
    });
    if (failure != nullptr) {
        LockReleaseSession(DEFAULT_LOCKMETHOD);
        reopen(job.oid);
        ReThrowError(failure);
    }
    TESTPOOL_POINT("seal-done");
}

/// Its row is not written: that it stays the same is what proves the next seal, too. If this ends
/// in the middle, the old seal is the one that counts, and it does not hold.
void reseal(const Job& job, int worker, Outcome& outcome) {
    shmem::report(Phase::ending_sessions);
    sessions::lock_out(job.oid);
    transaction([&] {
        require_as_sealed(job);
        if (!is_spoiled(job.oid, job.seal)) return;
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("unlogged relations of template database \"%s\" were changed or "
                               "emptied",
                               NameStr(job.name))));
    });
    sessions::let_in(job.oid);
    TESTPOOL_POINT("reseal-begun");
    shmem::report(Phase::vacuuming);
    vacuum_worker::run(worker, job.oid, VacuumTask::freeze);
    vacuum_worker::run(worker, job.oid, VacuumTask::connect);  // makes the relation-cache file
    TESTPOOL_POINT("reseal-vacuumed");
    look(job, outcome, [&](Seal& seal) {
        require_as_sealed(job);
        seal.by = job.seal.by;
    });
    TESTPOOL_POINT("reseal-done");
}

void vacuum_catalogs() {
    transaction([] {  // without TRUNCATE, which would make sessions wait that log in
        utility(
            "VACUUM (SKIP_LOCKED, INDEX_CLEANUP on, TRUNCATE off) "
            "pg_catalog.pg_database, testpool.database");
    });
}

namespace {

/// Leaves nobody in a transaction, and the sessions inside at the gate.
void empty_but_for_idle(const Job& job, Outcome& outcome) {
    TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), job.grace);
    gate::Ended ended;
    gate::shut(job.oid);
    gate::settle(job.oid, deadline, ended);
    LockSharedObjectForSession(DatabaseRelationId, job.oid, 0, AccessExclusiveLock);
    gate::call(job.oid);  // who came in between has not heard it
    gate::hold(job.oid);
    gate::settle(job.oid, deadline, ended);
    outcome.ended = ended.count;
    if (ended.count > 0)
        strlcpy(outcome.ended_why, gate::text_of(ended.first), sizeof(outcome.ended_why));
}

/// Rewinds the database under the sessions that are in it.
void rewind_live(const Job& job, Outcome& outcome) {
    shmem::report(Phase::ending_sessions);
    empty_but_for_idle(job, outcome);
    TESTPOOL_POINT("live-shut");
    transaction([&] {
        Facts facts = facts_of(job.oid);
        if (!facts.found) gone(NameStr(job.name));
        require_rewindable(facts, job);
    });
    rewind::run(job, outcome);
    if (settings::is_private) transaction([&] { open(job.oid, job.owner); });
    gate::open(job.oid, outcome.catalogs        ? gate::Change::catalogs
                        : outcome.relations > 0 ? gate::Change::relations
                                                : gate::Change::nothing);
    sessions::let_in(job.oid);
    TESTPOOL_POINT("live-opened");
}

}  // namespace

void rewind(const Job& job, int worker, Outcome& outcome) {
    if (job.live) return rewind_live(job, outcome);
    shmem::report(Phase::ending_sessions);
    evict(job.oid, worker);
    sessions::lock_out(job.oid);
    transaction([&] {
        ReplicationSlotsDropDBSlots(job.oid);
        Facts facts = facts_of(job.oid);
        if (!facts.found) gone(NameStr(job.name));
        require_rewindable(facts, job);
    });
    TESTPOOL_POINT("rewind-closed");
    rewind::run(job, outcome);
    gate::forget(job.oid);
    sessions::let_in(job.oid);
}

}  // namespace testpool::database
