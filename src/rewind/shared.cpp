// What a test can change about its database in the shared catalogs. CREATE DATABASE is the model:
// what it would have put there is what must be there.

#include "rewind/shared.h"

#include "pg/spi.h"

namespace testpool::rewind {

namespace {

[[noreturn]] void cannot_undo(const char* what) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("%s", what)));
    pg_unreachable();
}

HeapTuple row_of(Oid database) {
    HeapTuple tuple = SearchSysCacheCopy1(DATABASEOID, ObjectIdGetDatum(database));
    if (!HeapTupleIsValid(tuple)) cannot_undo("the database or its template was dropped");
    return tuple;
}

Form_pg_database form_of(HeapTuple tuple) {
    return reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
}

/// The restored pages are as old as the template's, so the horizons that hold back the removal of
/// old transaction states must be the template's again.
void restore_horizons(HeapTuple target, Form_pg_database source) {
    Form_pg_database row = form_of(target);
    if (row->datfrozenxid == source->datfrozenxid && row->datminmxid == source->datminmxid) return;
    row->datfrozenxid = source->datfrozenxid;
    row->datminmxid = source->datminmxid;
    Relation databases = table_open(DatabaseRelationId, RowExclusiveLock);
    CatalogTupleUpdate(databases, &target->t_self, target);
    table_close(databases, RowExclusiveLock);
    CommandCounterIncrement();
}

void require_no_privileges(HeapTuple target) {
    bool none = false;
    SysCacheGetAttr(DATABASEOID, target, Anum_pg_database_datacl, &none);
    if (!none) cannot_undo("privileges were granted on the database");
}

void restore_row(Form_pg_database target, Form_pg_database source) {
    const char* name = quote_identifier(NameStr(target->datname));
    spi([&] {
        if (target->datconnlimit != -1)
            SPI_execute(psprintf("ALTER DATABASE %s CONNECTION LIMIT -1", name), false, 0);
        if (target->datdba != source->datdba)
            SPI_execute(psprintf("ALTER DATABASE %s OWNER TO %s", name,
                                 quote_identifier(GetUserNameFromId(source->datdba, false))),
                        false, 0);
    });
}

/// Whether objects inside the two databases depend on different roles.
bool dependencies_differ(Oid target, Oid source) {
    static Statement<2> difference{R"(
        WITH target AS (SELECT classid, objid, objsubid, refclassid, refobjid, deptype
                          FROM pg_catalog.pg_shdepend WHERE dbid = $1),
             source AS (SELECT classid, objid, objsubid, refclassid, refobjid, deptype
                          FROM pg_catalog.pg_shdepend WHERE dbid = $2)
        SELECT EXISTS (TABLE target EXCEPT TABLE source)
            OR EXISTS (TABLE source EXCEPT TABLE target))",
                                   {OIDOID, OIDOID}};
    bool differ = false;
    spi([&] {
        difference.each_row({Value::of(target), Value::of(source)},
                            [&](const Row& row) { differ = row.boolean(1); });
    });
    return differ;
}

void restore_dependencies(Oid target, Oid source, Oid owner) {
    if (!dependencies_differ(target, source)) return;
    dropDatabaseDependencies(target);
    copyTemplateDependencies(source, target);
    recordDependencyOnOwner(DatabaseRelationId, target, owner);
}

}  // namespace

void restore_shared(Oid target, Oid source, bool catalogs_changed) {
    HeapTuple target_row = row_of(target);
    HeapTuple source_row = row_of(source);
    require_no_privileges(target_row);
    restore_horizons(target_row, form_of(source_row));
    restore_row(form_of(target_row), form_of(source_row));
    DropSetting(target, InvalidOid);
    DeleteSharedComments(target, DatabaseRelationId);
    DeleteSharedSecurityLabel(target, DatabaseRelationId);
    if (catalogs_changed) restore_dependencies(target, source, form_of(source_row)->datdba);
}

}  // namespace testpool::rewind
