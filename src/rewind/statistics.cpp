// What was forgotten stays, marked, for as long as another process refers to it: one that has read
// it in a transaction that is still open, for example. When a database is dropped, PostgreSQL
// forgets it once that is committed; if it is marked already, all but the latest minor releases end
// the whole server then, and so does every standby, because forgetting is logged. So here it is not
// logged, no two workers do it at once, and the mark is taken off before any drop of a database.

#include "rewind/statistics.h"

namespace testpool::statistics {

namespace {

object_access_hook_type earlier_access;

bool are_known(Oid database) { return pgstat_fetch_stat_dbentry(database) != nullptr; }

/// Only those that forget take this lock: of a part of the database that does not exist.
void lock(Oid database) {
    constexpr int part = 1;
    LockSharedObject(DatabaseRelationId, database, part, ExclusiveLock);
    pgstat_clear_snapshot();  // somebody else may have done it
}

/// Takes the mark off what was forgotten.
void make_known(Oid database) {
    pgstat_get_entry_ref(PGSTAT_KIND_DATABASE, database, InvalidOid, true, nullptr);
}

void drop(Oid database) {
    if (!compat::drop_statistics(database)) pgstat_request_entry_refs_gc();
}

void before_drop(ObjectAccessType access, Oid catalog, Oid object, int part, void* argument) {
    if (earlier_access != nullptr) earlier_access(access, catalog, object, part, argument);
    if (access == OAT_DROP && catalog == DatabaseRelationId) make_known(object);
}

}  // namespace

void define() {
    earlier_access = object_access_hook;
    object_access_hook = before_drop;
}

void forget(Oid database) {
    if (!are_known(database)) return;
    lock(database);
    if (are_known(database)) drop(database);
}

void forget_under_sessions(Oid database) {
    lock(database);
    make_known(database);
    drop(database);
}

}  // namespace testpool::statistics
