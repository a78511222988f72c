// Databases on disk: the only place that creates, opens, seals and drops them. It recognises them
// by OID and never looks at a name to decide what is ours. Creating, sealing and dropping
// may be repeated: a worker that dies in the middle is followed by another that does it again.
#pragma once

#include "shmem/shmem.h"

namespace testpool::database {

// --- for sessions ------------------------------------------------------------------------------

/// True if there is a database of that name that lets clients in. Also works for a session that has
/// not entered a database yet.
bool is_open(const char* name);
/// The names of all databases that are called as testpool calls its own.
List* look_like_ours();

// --- for the launcher: quick, inside its transaction -----------------------------------------

/// An OID that no database has or had, for one that is to be created.
Oid choose_oid();
/// A name for a database that is to be created: testpool.name_prefix and `rest`, if it is free.
bool choose_name(const char* rest, NameData* name);
/// True if a transaction that has not ended yet has changed the database's row, or that of one of
/// this name: whoever changes it as well has to wait.
bool is_being_altered(Oid oid);
bool is_being_altered(const char* name);
/// Raises 55006 if so, rather than to wait for somebody's transaction.
void refuse_altered(Oid oid, const char* name);
bool exists(Oid oid);
/// True if it exists and refuses clients, as a ready clone does.
bool is_closed(Oid oid);
/// Lets clients in, under another name if one is given, and returns the database's name. Clients
/// are those of `role` alone if testpool.private is on. Raises 3D000 if the database is gone.
NameData open(Oid oid, Oid role, const NameData* name = nullptr);
/// Takes the name of a database away from it, unless it has another or is gone.
void rename(Oid oid, const NameData& from, const NameData& to);
/// The database of that name, if it belongs to the role.
Oid of_owner(const char* name, Oid role);
/// The tablespace of a database that exists.
Oid tablespace_of(Oid oid);
/// True if the contents of a sealed template's unlogged relations are gone.
bool is_spoiled(Oid oid, const Seal& seal);
/// True if nobody has written the row of a sealed template's database since, so that nobody but
/// autovacuum and our own processes can have been in it.
bool is_as_sealed(Oid oid, const Seal& seal);
/// True if prepared transactions live in the database.
bool has_prepared_transactions(Oid oid);
/// True if something of the whole cluster depends on the database, and nothing of its template in
/// the same way: slots, subscriptions, prepared transactions, and roles that own or may do
/// something.
bool binds_others(Oid oid, Oid source);
/// Client sessions in the database.
int sessions_in(Oid oid);
/// The oldest transaction that some snapshot may not see the end of.
TransactionId oldest_needed();
/// True if versions of rows of pg_database that were replaced before that transaction cannot be
/// removed yet: an old snapshot may see them.
bool versions_stay(TransactionId before);

// --- for workers: slow, in transactions of their own ----------------------------------------

/// Copies the job's source. Does nothing if the database is there already. First the record of its
/// OID is flushed: a directory of that name appears at once, and after a crash only the record
/// tells whose it is. (The launcher does not wait for the disk.)
void create(const Job& job, Outcome& outcome);
/// Ends whatever is in the database, and drops it with all that is left of it.
void drop(const Job& job, int worker);
/// Makes a filled database a template.
void seal(const Job& job, int worker, Outcome& outcome);
/// Vacuums a template, which does not change what it holds, and looks at it anew. Raises if
/// somebody else may have been in it.
void reseal(const Job& job, int worker, Outcome& outcome);
/// Lets go of what the cluster keeps for a used clone, and rewinds it. Raises if a full clone is
/// needed instead.
void rewind(const Job& job, int worker, Outcome& outcome);

/// Frees the room that leases and renamed databases have left in pg_database, its indexes and our
/// table; autovacuum comes too seldom.
void vacuum_catalogs();

}  // namespace testpool::database
