// A row of pg_database, changed without ALTER DATABASE: every acquire and every rewind waits for
// that.
#pragma once

#include "pg/row.h"

namespace testpool {

/// Replaces the row by what `change(row, descriptor)` makes of it, unless that is the same. False
/// if there is no such database.
template <class Change>
bool change_database_row(Oid oid, Change change) {
    Relation databases = table_open(DatabaseRelationId, RowExclusiveLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_database_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(oid));
    SysScanDesc scan = systable_beginscan(databases, DatabaseOidIndexId, true, nullptr, 1, &key);
    HeapTuple row = systable_getnext(scan);
    bool found = HeapTupleIsValid(row);
    if (found) {
        compat::lock_against_inplace(databases, row, true);
        HeapTuple changed = change(row, RelationGetDescr(databases));
        if (compare_rows(row, changed) != 0) {
            CatalogTupleUpdate(databases, &row->t_self, changed);
            InvokeObjectPostAlterHook(DatabaseRelationId, oid, 0);
        }
        compat::lock_against_inplace(databases, row, false);
    }
    systable_endscan(scan);
    table_close(databases, NoLock);
    CommandCounterIncrement();
    return found;
}

}  // namespace testpool
