// A row of pg_database, read and changed without the caches and without ALTER DATABASE: every
// acquire and every rewind waits for that.
#pragma once

#include "pg/newest.h"
#include "pg/row.h"

namespace testpool {

/// The newest version of that database's row.
NewestRow newest_database_row(Relation databases, Oid oid);

/// Writes that version in place of the row.
void replace_database_row(Relation databases, HeapTuple row, HeapTuple changed);

/// Replaces the row by what `change(row, descriptor)` makes of it, unless that is the same. False
/// if there is no such database.
template <class Change>
bool change_database_row(Oid oid, Change change) {
    Relation databases = table_open(DatabaseRelationId, RowExclusiveLock);
    HeapTuple row = newest_database_row(databases, oid).row;
    if (HeapTupleIsValid(row)) {
        compat::lock_against_inplace(databases, row, true);
        HeapTuple changed = change(row, RelationGetDescr(databases));
        if (compare_rows(row, changed) != 0) replace_database_row(databases, row, changed);
        compat::lock_against_inplace(databases, row, false);
    }
    table_close(databases, NoLock);
    CommandCounterIncrement();
    return HeapTupleIsValid(row);
}

}  // namespace testpool
