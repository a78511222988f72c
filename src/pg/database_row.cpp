// Rows of pg_database. Each process remembers where it last saw the rows of the databases that it
// is concerned with.

#include "pg/database_row.h"

namespace testpool {

namespace {

struct Place {
    Oid database;
    ItemPointerData row;
};

Place places[1024];  // a database that falls on another's place is looked up in the index

Place& place_of(Oid database) { return places[database % std::size(places)]; }

Oid oid_of(HeapTuple row) { return reinterpret_cast<Form_pg_database>(GETSTRUCT(row))->oid; }

NewestRow newest_known(Relation databases, Oid oid) {
    const Place& place = place_of(oid);
    if (place.database != oid) return {};
    NewestRow newest = newest_from(databases, place.row);
    return HeapTupleIsValid(newest.row) && oid_of(newest.row) == oid ? newest : NewestRow{};
}

NewestRow newest_indexed(Relation databases, Oid oid) {
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_database_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(oid));
    SysScanDesc scan = systable_beginscan(databases, DatabaseOidIndexId, true, nullptr, 1, &key);
    HeapTuple row = systable_getnext(scan);
    NewestRow newest = HeapTupleIsValid(row) ? newest_from(databases, row->t_self) : NewestRow{};
    systable_endscan(scan);
    return newest;
}

}  // namespace

NewestRow newest_database_row(Relation databases, Oid oid) {
    NewestRow newest = newest_known(databases, oid);
    if (!HeapTupleIsValid(newest.row)) newest = newest_indexed(databases, oid);
    if (HeapTupleIsValid(newest.row)) place_of(oid) = {oid, newest.row->t_self};
    return newest;
}

void replace_database_row(Relation databases, HeapTuple row, HeapTuple changed) {
    CatalogTupleUpdate(databases, &row->t_self, changed);
    Oid oid = oid_of(changed);
    place_of(oid) = {oid, changed->t_self};
    InvokeObjectPostAlterHook(DatabaseRelationId, oid, 0);
}

}  // namespace testpool
