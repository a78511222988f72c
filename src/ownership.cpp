#include "ownership.h"

#include "pg/database_row.h"
#include "rewind/shared.h"
#include "session.h"

namespace testpool::ownership {

namespace {

/// A database as it was before the command.
struct Guarded {
    Oid oid;
    HeapTuple row;
    std::span<HeapTuple> roles;
};

bool is_ours(Oid database) {
    Request request = session::request(Verb::knows);
    request.oid = database;
    return !session::ask(request).null;
}

/// The databases, but for this one, that shdepReassignOwned() and shdepDropOwned() would find.
List* databases_of(Oid role) {
    List* found = NIL;
    Relation dependencies = table_open(SharedDependRelationId, AccessShareLock);
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], Anum_pg_shdepend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(AuthIdRelationId));
    ScanKeyInit(&keys[1], Anum_pg_shdepend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(role));
    SysScanDesc scan =
        systable_beginscan(dependencies, SharedDependReferenceIndexId, true, nullptr, 2, keys);
    while (HeapTuple tuple = systable_getnext(scan)) {
        auto* row = reinterpret_cast<Form_pg_shdepend>(GETSTRUCT(tuple));
        if (row->classid == DatabaseRelationId && row->objid != MyDatabaseId)
            found = list_append_unique_oid(found, row->objid);
    }
    systable_endscan(scan);
    table_close(dependencies, AccessShareLock);
    return found;
}

/// Remembers what it is like, and writes its row: the launcher and the workers let it alone until
/// this transaction ends.
Guarded* hold(Oid database) {
    auto* guarded = static_cast<Guarded*>(palloc0(sizeof(Guarded)));
    guarded->oid = database;
    Relation databases = table_open(DatabaseRelationId, RowExclusiveLock);
    HeapTuple row = newest_database_row(databases, database).row;
    if (HeapTupleIsValid(row)) {
        compat::lock_against_inplace(databases, row, true);
        guarded->row = heap_copytuple(row);
        replace_database_row(databases, row, heap_copytuple(row));
        compat::lock_against_inplace(databases, row, false);
    }
    table_close(databases, NoLock);
    CommandCounterIncrement();
    guarded->roles = rewind::roles_of(database);
    return guarded;
}

HeapTuple as_before(HeapTuple row, TupleDesc desc, HeapTuple before) {
    int columns[] = {Anum_pg_database_datdba, Anum_pg_database_datacl};
    Datum values[2];
    bool nulls[2];
    for (int i = 0; i < 2; i++) values[i] = heap_getattr(before, columns[i], desc, &nulls[i]);
    return heap_modify_tuple_by_cols(row, desc, 2, columns, values, nulls);
}

}  // namespace

List* guard(List* roles) {
    if (!shmem::is_handed_out(MyDatabaseId)) return NIL;
    List* databases = NIL;
    ListCell* cell = nullptr;
    List* oids = roleSpecsToIds(roles);
    foreach (cell, oids)
        databases = list_concat_unique_oid(databases, databases_of(lfirst_oid(cell)));
    List* ours = NIL;  // all asked for before the first is held: the launcher is not to wait for us
    foreach (cell, databases)
        if (is_ours(lfirst_oid(cell))) ours = lappend_oid(ours, lfirst_oid(cell));
    List* guarded = NIL;
    foreach (cell, ours) guarded = lappend(guarded, hold(lfirst_oid(cell)));
    return guarded;
}

void put_back(List* guarded) {
    if (guarded == NIL) return;
    CommandCounterIncrement();
    ListCell* cell = nullptr;
    foreach (cell, guarded) {
        const auto* before = static_cast<Guarded*>(lfirst(cell));
        if (before->row == nullptr) continue;
        change_database_row(before->oid, [&](HeapTuple row, TupleDesc desc) {
            return as_before(row, desc, before->row);
        });
        rewind::put_roles(before->oid, before->roles);
    }
    ereport(NOTICE, (errmsg("testpool's other databases keep their owners and privileges"),
                     errdetail("This database was handed out by testpool; the command reached %d "
                               "templates and clones beside it.",
                               list_length(guarded))));
}

}  // namespace testpool::ownership
