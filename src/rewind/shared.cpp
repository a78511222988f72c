// What a test can change about its database in the shared catalogs: the database's own row, and the
// rows of other catalogs that belong to it. Both are made what they would be if they had been
// copied with the database; CREATE DATABASE … TEMPLATE leaves most of them behind.

#include "rewind/shared.h"

#include "pairs.h"
#include "pg/database_row.h"
#include "pg/growing.h"

namespace testpool::rewind {

namespace {

/// A column by which the rows of a database are found in a shared catalog.
struct Column {
    enum Holds { nothing, database, its_class, zero };
    AttrNumber number;
    Holds holds;
};

/// The rows of one shared catalog that belong to a database.
struct Belongings {
    Oid catalog;
    Oid index;  // begins with these columns
    Column columns[3];
};

constexpr Belongings settings{DbRoleSettingRelationId,
                              DbRoleSettingDatidRolidIndexId,
                              {{Anum_pg_db_role_setting_setdatabase, Column::database}}};
constexpr Belongings comments{SharedDescriptionRelationId,
                              SharedDescriptionObjIndexId,
                              {{Anum_pg_shdescription_objoid, Column::database},
                               {Anum_pg_shdescription_classoid, Column::its_class}}};
constexpr Belongings labels{SharedSecLabelRelationId,
                            SharedSecLabelObjectIndexId,
                            {{Anum_pg_shseclabel_objoid, Column::database},
                             {Anum_pg_shseclabel_classoid, Column::its_class}}};
constexpr Belongings roles{SharedDependRelationId,
                           SharedDependDependerIndexId,
                           {{Anum_pg_shdepend_dbid, Column::zero},
                            {Anum_pg_shdepend_classid, Column::its_class},
                            {Anum_pg_shdepend_objid, Column::database}}};
constexpr Belongings roles_inside{SharedDependRelationId,
                                  SharedDependDependerIndexId,
                                  {{Anum_pg_shdepend_dbid, Column::database}}};

using Rows = std::span<HeapTuple>;

bool precedes(HeapTuple a, HeapTuple b) { return compare_rows(a, b) < 0; }

/// The row as it would be if it belonged to `owner`.
HeapTuple as_of(HeapTuple row, TupleDesc desc, const Belongings& what, Oid owner) {
    if (HeapTupleHasExternal(row)) row = toast_flatten_tuple(row, desc);
    const Column* column = std::ranges::find(what.columns, Column::database, &Column::holds);
    int number = column->number;
    Datum value = ObjectIdGetDatum(owner);
    bool null = false;
    HeapTuple changed = heap_modify_tuple_by_cols(row, desc, 1, &number, &value, &null);
    changed->t_self = row->t_self;
    return changed;
}

Oid wanted_in(const Column& column, Oid database) {
    if (column.holds == Column::database) return database;
    return column.holds == Column::its_class ? DatabaseRelationId : InvalidOid;
}

/// The rows that belong to `database`, as if they belonged to `owner`, sorted.
Rows rows_of(Relation catalog, const Belongings& what, Oid database, Oid owner) {
    ScanKeyData keys[3];
    int count = 0;
    for (const Column& column : what.columns)
        if (column.holds != Column::nothing)
            ScanKeyInit(&keys[count++], column.number, BTEqualStrategyNumber, F_OIDEQ,
                        ObjectIdGetDatum(wanted_in(column, database)));
    Growing<HeapTuple> rows;
    SysScanDesc scan = systable_beginscan(catalog, what.index, true, nullptr, count, keys);
    while (HeapTuple row = systable_getnext(scan))
        rows.add(as_of(row, RelationGetDescr(catalog), what, owner));
    systable_endscan(scan);
    std::ranges::sort(rows.all(), precedes);
    return rows.all();
}

void put(Relation catalog, const Belongings& what, Oid target, Rows wanted) {
    Rows present = rows_of(catalog, what, target, target);
    // First what goes: a row that takes its place may have the same key.
    auto remove = [&](HeapTuple* want, HeapTuple* have) {
        if (want == nullptr) CatalogTupleDelete(catalog, &(*have)->t_self);
    };
    auto insert = [&](HeapTuple* want, HeapTuple* have) {
        if (have == nullptr) CatalogTupleInsert(catalog, *want);
    };
    each_pair(wanted, present, std::identity{}, remove, precedes);
    each_pair(wanted, present, std::identity{}, insert, precedes);
    CommandCounterIncrement();
}

void copy_belongings(const Belongings& what, Oid source, Oid target) {
    Relation catalog = table_open(what.catalog, RowExclusiveLock);
    put(catalog, what, target, rows_of(catalog, what, source, target));
    table_close(catalog, NoLock);
}

/// The template's row, but for what tells the two apart.
HeapTuple row_like(HeapTuple source, HeapTuple target, TupleDesc desc, const NameData& name,
                   bool connectable) {
    auto* row = reinterpret_cast<Form_pg_database>(GETSTRUCT(target));
    auto* like = reinterpret_cast<Form_pg_database>(GETSTRUCT(source));
    int32 limit = compat::is_invalid(row) ? row->datconnlimit : like->datconnlimit;
    int columns[] = {Anum_pg_database_oid, Anum_pg_database_datname, Anum_pg_database_datistemplate,
                     Anum_pg_database_datallowconn, Anum_pg_database_datconnlimit};
    Datum values[] = {ObjectIdGetDatum(row->oid), NameGetDatum(&name), BoolGetDatum(false),
                      BoolGetDatum(connectable), Int32GetDatum(limit)};
    bool nulls[5] = {};
    return heap_modify_tuple_by_cols(source, desc, 5, columns, values, nulls);
}

[[noreturn]] void dropped() {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_DATABASE),
                    errmsg("the database or its template was dropped")));
    pg_unreachable();
}

int32 limit_of(Oid database) {
    Relation databases = table_open(DatabaseRelationId, AccessShareLock);
    HeapTuple row = newest_database_row(databases, database).row;
    table_close(databases, AccessShareLock);
    if (!HeapTupleIsValid(row)) dropped();
    return reinterpret_cast<Form_pg_database>(GETSTRUCT(row))->datconnlimit;
}

/// As dropdb() marks a database that it begins to drop.
void set_limit(Oid database, int32 limit) {
    Relation databases = table_open(DatabaseRelationId, RowExclusiveLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_database_oid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(database));
    bool found = compat::change_in_place(databases, DatabaseOidIndexId, key, [&](HeapTuple row) {
        reinterpret_cast<Form_pg_database>(GETSTRUCT(row))->datconnlimit = limit;
    });
    table_close(databases, NoLock);
    if (!found) dropped();
}

}  // namespace

std::span<HeapTuple> roles_of(Oid database) {
    Relation catalog = table_open(roles.catalog, AccessShareLock);
    Rows rows = rows_of(catalog, roles, database, database);
    table_close(catalog, AccessShareLock);
    return rows;
}

void put_roles(Oid database, std::span<HeapTuple> rows) {
    Relation catalog = table_open(roles.catalog, RowExclusiveLock);
    put(catalog, roles, database, rows);
    table_close(catalog, NoLock);
}

void close(Oid database) { set_limit(database, compat::invalid_limit); }

void reopen(Oid database, Oid source) {
    int32 limit = limit_of(source);
    if (limit_of(database) != limit) set_limit(database, limit);
}

void copy_shared(Oid source, Oid target, const NameData& name, bool connectable, bool inside) {
    HeapTuple source_row = SearchSysCacheCopy1(DATABASEOID, ObjectIdGetDatum(source));
    bool there = HeapTupleIsValid(source_row) &&
                 change_database_row(target, [&](HeapTuple row, TupleDesc desc) {
                     return row_like(source_row, row, desc, name, connectable);
                 });
    if (!there) dropped();
    for (const Belongings& what : {settings, comments, labels, roles})
        copy_belongings(what, source, target);
    if (inside) copy_belongings(roles_inside, source, target);
}

}  // namespace testpool::rewind
