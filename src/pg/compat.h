// What differs between PostgreSQL 15 and 19. The only file with version conditions.
#pragma once

#if PG_VERSION_NUM >= 190000
// 19 renamed the flag of a checkpoint that does not spread its writes.
#define CHECKPOINT_IMMEDIATE CHECKPOINT_FAST
/// 19 need not be told the state of the buffer header that it unlocks.
inline void UnlockBufHdr(BufferDesc* header, uint64 /*state*/) { UnlockBufHdr(header); }
#endif

namespace testpool::compat {

/// Names what a process of ours waits for in pg_stat_activity; before 17 an extension has one name
/// only.
inline uint32 wait_event([[maybe_unused]] const char* name) {
#if PG_VERSION_NUM >= 170000
    return WaitEventExtensionNew(name);
#else
    return PG_WAIT_EXTENSION;
#endif
}

/// The number of this process among all server processes, below MaxBackends for those that run SQL.
inline int process_number() { return static_cast<int>(MyProc - ProcGlobal->allProcs); }

/// What a process tells pg_stat_activity; nullptr while it is coming or going.
inline const volatile PgBackendStatus* status_of(const PGPROC& process) {
#if PG_VERSION_NUM >= 170000
    return MyBEEntry + (GetNumberFromPGProc(&process) - MyProcNumber);
#else
    if (process.backendId == InvalidBackendId) return nullptr;
    return MyBEEntry + (process.backendId - MyBackendId);
#endif
}

/// Keeps VACUUM from writing to a row of pg_database in place while it is updated. Minor releases
/// of November 2024 brought that lock.
inline void lock_against_inplace([[maybe_unused]] Relation databases,
                                 [[maybe_unused]] HeapTuple row, [[maybe_unused]] bool lock) {
#ifdef InplaceUpdateTupleLock
    if (lock)
        LockTuple(databases, &row->t_self, InplaceUpdateTupleLock);
    else
        UnlockTuple(databases, &row->t_self, InplaceUpdateTupleLock);
#endif
}

/// Changes the only row with that key in place: it takes effect at once, whatever becomes of the
/// transaction. False if there is none.
template <class Change>
bool change_in_place(Relation catalog, Oid index, ScanKeyData key, Change change) {
    HeapTuple row = nullptr;
#ifdef InplaceUpdateTupleLock
    void* state = nullptr;
    systable_inplace_update_begin(catalog, index, true, nullptr, 1, &key, &row, &state);
    if (!HeapTupleIsValid(row)) return false;
    change(row);
    systable_inplace_update_finish(state, row);
#else
    SysScanDesc scan = systable_beginscan(catalog, index, true, nullptr, 1, &key);
    row = systable_getnext(scan);
    if (HeapTupleIsValid(row)) row = heap_copytuple(row);
    systable_endscan(scan);
    if (!HeapTupleIsValid(row)) return false;
    change(row);
    heap_inplace_update(catalog, row);
#endif
    heap_freetuple(row);
    return true;
}

/// The connection limit of what an interrupted DROP DATABASE leaves: nobody may connect. Before
/// 15.4 it was any negative number but that for no limit, and nobody kept to it.
#ifdef DATCONNLIMIT_INVALID_DB
constexpr int32 invalid_limit = DATCONNLIMIT_INVALID_DB;
#else
constexpr int32 invalid_limit = 0;
#endif

/// True for what an interrupted DROP DATABASE leaves. Minor releases before 15.4 did not mark it.
inline bool is_invalid([[maybe_unused]] Form_pg_database form) {
#ifdef DATCONNLIMIT_INVALID_DB
    return form->datconnlimit == DATCONNLIMIT_INVALID_DB;
#else
    return false;
#endif
}

// 16 renamed RelFileNode to RelFileLocator and its members; their order stayed.
#if PG_VERSION_NUM >= 160000
using RelNumber = RelFileNumber;
using Locator = RelFileLocator;
inline RelNumber number_of(const Locator& locator) { return locator.relNumber; }
inline Oid tablespace_of(const Locator& locator) { return locator.spcOid; }
inline Oid database_of(const Locator& locator) { return locator.dbOid; }
inline Locator locator_of(const BufferTag& tag) { return BufTagGetRelFileLocator(&tag); }
inline ForkNumber fork_of(const BufferTag& tag) { return BufTagGetForkNum(&tag); }
inline Oid database_of(const BufferTag& tag) { return tag.dbOid; }
inline Locator locator_of(Relation relation) { return relation->rd_locator; }
#else
using RelNumber = Oid;
using Locator = RelFileNode;
inline RelNumber number_of(const Locator& locator) { return locator.relNode; }
inline Oid tablespace_of(const Locator& locator) { return locator.spcNode; }
inline Oid database_of(const Locator& locator) { return locator.dbNode; }
inline Locator locator_of(const BufferTag& tag) { return tag.rnode; }
inline ForkNumber fork_of(const BufferTag& tag) { return tag.forkNum; }
inline Oid database_of(const BufferTag& tag) { return tag.rnode.dbNode; }
inline Locator locator_of(Relation relation) { return relation->rd_node; }
#endif

/// The file of a catalog that pg_class names none for, in that directory of a database.
inline RelNumber mapped_file(const char* directory, Oid catalog) {
#if PG_VERSION_NUM >= 160000
    return RelationMapOidToFilenumberForDatabase(const_cast<char*>(directory), catalog);
#else
    return RelationMapOidToFilenodeForDatabase(const_cast<char*>(directory), catalog);
#endif
}

/// Zeros what a row of pg_class has of measures, and what follows from rows of other catalogs.
inline void forget_measures(Form_pg_class row) {
    row->relfilenode = 0;
    row->relpages = row->relallvisible = 0;
    row->reltuples = 0;
    row->reltoastrelid = row->relrewrite = InvalidOid;
    row->relhasindex = row->relhasrules = row->relhastriggers = row->relhassubclass = false;
    row->relnatts = row->relchecks = 0;
    row->relfrozenxid = row->relminmxid = 0;
#if PG_VERSION_NUM >= 180000
    row->relallfrozen = 0;
#endif
}

/// Runs a portal to its end, as a client's; 18 knows by itself that it is run once.
inline void run_portal(Portal portal) {
#if PG_VERSION_NUM >= 180000
    PortalRun(portal, FETCH_ALL, true, None_Receiver, None_Receiver, nullptr);
#else
    PortalRun(portal, FETCH_ALL, true, true, None_Receiver, None_Receiver, nullptr);
#endif
}

/// What was counted for a relation of any database, or nullptr.
inline const PgStat_StatTabEntry* statistics_of(Oid database, Oid relation) {
#if PG_VERSION_NUM >= 190000
    void* entry = pgstat_fetch_entry(PGSTAT_KIND_RELATION, database, relation, nullptr);
#else
    void* entry = pgstat_fetch_entry(PGSTAT_KIND_RELATION, database, relation);
#endif
    return static_cast<const PgStat_StatTabEntry*>(entry);
}

/// Forgets what this process has counted of a relation and not told yet.
inline void forget_pending_counts(Oid database, Oid relation) {
    PgStat_EntryRef* entry = pgstat_fetch_pending_entry(PGSTAT_KIND_RELATION, database, relation);
    if (entry == nullptr) return;
    auto* pending = static_cast<PgStat_TableStatus*>(entry->pending);
#if PG_VERSION_NUM >= 160000
    pending->counts = {};
#else
    pending->t_counts = {};
#endif
}

/// The storage of a relation that is not temporary.
inline SMgrRelation storage_of(const Locator& locator) {
#if PG_VERSION_NUM >= 170000
    return smgropen(locator, INVALID_PROC_NUMBER);
#else
    return smgropen(locator, InvalidBackendId);
#endif
}

/// A page in memory as smgrextend() wants it: 16 asks for an alignment that suits direct I/O.
#if PG_VERSION_NUM >= 160000
using AlignedBlock = PGIOAlignedBlock;
#else
using AlignedBlock = PGAlignedBlock;
#endif

/// Forgets the statistics of a database at once; false if somebody still refers to them. 19 wants
/// to be told that they may be gone already.
inline bool drop_statistics(Oid database) {
#if PG_VERSION_NUM >= 190000
    return pgstat_drop_entry(PGSTAT_KIND_DATABASE, database, InvalidOid, true);
#else
    return pgstat_drop_entry(PGSTAT_KIND_DATABASE, database, InvalidOid);
#endif
}

/// Shortens one fork without logging it; 18 wants to be told the present length.
inline void truncate_fork(SMgrRelation storage, ForkNumber fork,
                          [[maybe_unused]] BlockNumber present, BlockNumber length) {
#if PG_VERSION_NUM >= 180000
    smgrtruncate(storage, &fork, 1, &present, &length);
#else
    smgrtruncate(storage, &fork, 1, &length);
#endif
}

/// True if the role has the privilege to connect to the database.
inline bool may_connect(Oid database, Oid role) {
#if PG_VERSION_NUM >= 160000
    return object_aclcheck(DatabaseRelationId, database, role, ACL_CONNECT) == ACLCHECK_OK;
#else
    return pg_database_aclcheck(database, role, ACL_CONNECT) == ACLCHECK_OK;
#endif
}

/// Forgets what shared buffers hold of a fork, written or not.
inline void drop_buffers(SMgrRelation storage, ForkNumber fork) {
    BlockNumber first = 0;
#if PG_VERSION_NUM >= 160000
    DropRelationBuffers(storage, &fork, 1, &first);
#else
    DropRelFileNodeBuffers(storage, &fork, 1, &first);
#endif
}

/// For a page of one's own that is written past shared buffers.
inline void set_checksum(char* page, BlockNumber block) {
#if PG_VERSION_NUM >= 190000
    PageSetChecksum(page, block);
#else
    PageSetChecksumInplace(page, block);
#endif
}

}  // namespace testpool::compat
