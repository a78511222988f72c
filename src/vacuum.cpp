// VACUUM of a template. People's code runs here: ANALYZE evaluates the expressions of indexes and
// statistics, and the predicates of indexes, as the owner of the table (do_analyze_rel() in
// analyze.c), and BRIN may do so when an index is cleaned up. Our search_path is pinned, so a
// function that means another one by a name without a schema fails; from PostgreSQL 17 on it does
// for its owner, too. That costs the statistics of its table, never the template.
//
// Relations are vacuumed by lists. The whole database at once would have to wait for whoever
// vacuums a shared catalog from another one; and each command looks through all of pg_class, for
// datfrozenxid.

#include "vacuum.h"

#include "errors.h"
#include "log.h"
#include "pg/spi.h"
#include "pg/utility.h"

namespace testpool::vacuum {

namespace {

constexpr int at_once = 64;  // relations in one command

const char* const freeze_and_analyze = "VACUUM (FREEZE, ANALYZE)";
const char* const freeze = "VACUUM (FREEZE)";

/// Autovacuum cleans the shared catalogs from within any database, and notes their sizes in that
/// database's pg_class: sealed templates and clean clones would change. Other databases are left.
/// ALTER TABLE would lock the catalog itself, which is everybody's; this is our row of it.
void leave_shared_catalogs_alone() {
    static Statement<0> tell{R"(
        UPDATE pg_catalog.pg_class c
           SET reloptions = ARRAY(SELECT o FROM pg_catalog.unnest(c.reloptions) o
                                   WHERE o NOT LIKE 'autovacuum_enabled=%') || 'autovacuum_enabled=off'::text
         WHERE relisshared AND relkind = 'r'
           AND 'autovacuum_enabled=off' <> ALL (coalesce(reloptions, '{}')))",
                             {}};
    transaction([] { spi([] { tell.run({}); }); });
}

/// As get_all_vacuum_rels() in vacuum.c: TOAST tables go with their tables, and a partitioned table
/// is analyzed but does not bring its partitions along.
Statement<0> all_of_its_own{R"(
    SELECT oid FROM pg_catalog.pg_class
     WHERE relkind IN ('r', 'm', 'p') AND NOT relisshared ORDER BY oid)",
                            {}};
Statement<0> catalogs_of_its_own{R"(
    SELECT oid FROM pg_catalog.pg_class
     WHERE relkind = 'r' AND NOT relisshared AND relnamespace = 'pg_catalog'::pg_catalog.regnamespace)",
                                 {}};
Statement<0> shared_catalogs{
    "SELECT oid FROM pg_catalog.pg_class WHERE relkind = 'r' AND relisshared", {}};

List* relations(Statement<0>& which) {
    List* found = NIL;
    MemoryContext caller = CurrentMemoryContext;
    transaction([&] {
        spi([&] {
            which.each_row({}, [&](const Row& row) {
                MemoryContext inner = MemoryContextSwitchTo(caller);
                found = lappend_oid(found, row.oid(1));
                MemoryContextSwitchTo(inner);
            });
        });
    });
    return found;
}

List* columns_of(Oid relation) {
    static Statement<1> columns{R"(
        SELECT attname FROM pg_catalog.pg_attribute
         WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped)",
                                {OIDOID}};
    List* found = NIL;
    MemoryContext caller = CurrentMemoryContext;
    transaction([&] {
        spi([&] {
            columns.each_row({Value::of(relation)}, [&](const Row& row) {
                MemoryContext inner = MemoryContextSwitchTo(caller);
                found = lappend(found, makeString(pstrdup(row.text(1))));
                MemoryContextSwitchTo(inner);
            });
        });
    });
    return found;
}

/// Names them by OID, as autovacuum does.
void vacuum(const char* command, List* oids, List* columns = NIL) {
    if (oids == NIL) return;  // that would mean all
    transaction([&] {
        utility(command, [&](Node* statement) {
            ListCell* cell = nullptr;
            foreach (cell, oids) {
                auto* relation = makeVacuumRelation(nullptr, lfirst_oid(cell), columns);
                castNode(VacuumStmt, statement)->rels =
                    lappend(castNode(VacuumStmt, statement)->rels, relation);
            }
        });
    });
}

/// These are not of the relation's making, and would be met again with the next one.
bool concerns_all(int sqlstate) {
    int kind = ERRCODE_TO_CATEGORY(sqlstate);
    return kind == ERRCODE_INSUFFICIENT_RESOURCES || kind == ERRCODE_OPERATOR_INTERVENTION ||
           sqlstate == ERRCODE_LOCK_NOT_AVAILABLE;
}

/// nullptr, or why one of them could not be vacuumed.
ErrorData* try_vacuum(const char* command, List* oids, List* columns = NIL) {
    ErrorData* failure = attempt([&] { vacuum(command, oids, columns); });
    if (failure != nullptr && concerns_all(failure->sqlerrcode)) ReThrowError(failure);
    return failure;
}

void freeze_alone(Oid relation) {
    List* it = list_make1_oid(relation);
    if (try_vacuum(freeze, it) == nullptr) return;
    vacuum("VACUUM (FREEZE, INDEX_CLEANUP off)", it);  // without what may evaluate expressions
}

const char* name_of(Oid relation) {
    const char* name = nullptr;
    MemoryContext caller = CurrentMemoryContext;
    transaction([&] {
        const char* schema = get_namespace_name(get_rel_namespace(relation));
        MemoryContextSwitchTo(caller);
        name = quote_qualified_identifier(schema, get_rel_name(relation));
    });
    return name;
}

void note_unanalyzed(Oid relation, const ErrorData& why, Outcome& outcome) {
    const char* name = name_of(relation);
    log_line(WARNING, "relation %s of template database %u could not be analyzed: %s", name,
             MyDatabaseId, why.message);
    if (outcome.unanalyzed++ > 0) return;
    snprintf(outcome.unanalyzed_why, sizeof(outcome.unanalyzed_why), "%s: %s", name, why.message);
}

/// With a list of columns the expressions of indexes and statistics are passed over, most of them.
void analyze_alone(Oid relation, Outcome& outcome) {
    List* it = list_make1_oid(relation);
    ErrorData* why = try_vacuum(freeze_and_analyze, it);
    if (why == nullptr) return;
    note_unanalyzed(relation, *why, outcome);
    freeze_alone(relation);
    if (List* columns = columns_of(relation)) try_vacuum("ANALYZE", it, columns);
}

/// A list at a time, and what fails so one by one.
template <class Alone>
void each(List* oids, const char* command, Alone alone) {
    for (int first = 0; first < list_length(oids); first += at_once) {
        List* some = NIL;
        for (int i = first; i < std::min(first + at_once, list_length(oids)); i++)
            some = lappend_oid(some, list_nth_oid(oids, i));
        if (try_vacuum(command, some) == nullptr) continue;
        ListCell* cell = nullptr;
        foreach (cell, some) alone(lfirst_oid(cell));
    }
}

/// Their ages count for the database's, too. Who vacuums one elsewhere at this moment is not waited
/// for.
void freeze_shared_catalogs() {
    List* oids = relations(shared_catalogs);
    if (ErrorData* why = attempt([&] { vacuum("VACUUM (FREEZE, SKIP_LOCKED)", oids); }))
        log_line(DEBUG1, "shared catalogs were not vacuumed: %s", why->message);
}

}  // namespace

/// The second time freezes what the first time wrote: the statistics.
void everything(Outcome& outcome) {
    leave_shared_catalogs_alone();
    List* oids = relations(all_of_its_own);
    each(oids, freeze_and_analyze, [&](Oid relation) { analyze_alone(relation, outcome); });
    each(oids, freeze, freeze_alone);
    freeze_shared_catalogs();
}

void freeze_everything() {
    leave_shared_catalogs_alone();
    each(relations(all_of_its_own), freeze, freeze_alone);
    freeze_shared_catalogs();
}

void catalogs() {
    leave_shared_catalogs_alone();
    each(relations(catalogs_of_its_own), freeze, freeze_alone);
    freeze_shared_catalogs();
}

}  // namespace testpool::vacuum
