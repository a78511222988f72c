// Who may connect to a leased database if testpool.private is on: the role that holds it, its
// members, the database's owner, and superusers. The privilege CONNECT says so, in the database's
// own row: PostgreSQL keeps to it from its first moment on, and a restart changes nothing.
#pragma once

#include "pg/server.h"

namespace testpool::privacy {

/// The row of pg_database with CONNECT for the role and the owner alone. pg_shdepend is told.
HeapTuple for_role_alone(HeapTuple row, TupleDesc desc, Oid role);

}  // namespace testpool::privacy
