// PostgreSQL's cumulative statistics of a database. As long as there are any, autovacuum visits the
// database; and those of relations that are gone would pile up.
#pragma once

#include "pg/server.h"

namespace testpool::statistics {

/// Registers the hook that makes forgetting safe; called once, by _PG_init.
void define();

/// Forgets what is known of a database and of all that is in it. Call it inside a transaction, with
/// a lock that keeps the database from being dropped.
void forget(Oid database);
/// The same under sessions: what they have counted and not yet told goes nowhere, too. Some of it
/// may be known though nothing is of the database as a whole.
void forget_under_sessions(Oid database);

}  // namespace testpool::statistics
