// What a test can change about its database in the shared catalogs, outside the database's own
// files.
#pragma once

#include "pg/server.h"

namespace testpool::rewind {

/// Gives a clone what its template has in the shared catalogs: owner, privileges, connection limit,
/// settings, comment, security labels, horizons; if `inside`, also the dependencies of the objects
/// inside on roles. The clone gets that name. Nothing is written that is the same already. What
/// close() did stays.
void copy_shared(Oid source, Oid target, const NameData& name, bool connectable, bool inside);

/// The dependencies of a database on roles: its owner, and those who have privileges on it.
std::span<HeapTuple> roles_of(Oid database);
/// Makes them so again.
void put_roles(Oid database, std::span<HeapTuple> rows);

/// Lets nobody connect to the database, at once, until reopen(): whatever becomes of this process,
/// of its transaction or of the server. It shows as what an interrupted DROP DATABASE leaves.
void close(Oid database);
/// Gives it its template's connection limit again, at once; also if somebody's DROP DATABASE was
/// interrupted.
void reopen(Oid database, Oid source);

}  // namespace testpool::rewind
