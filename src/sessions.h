// Sessions in our databases: keeping others out of one, and ending who is in it. An application's
// pool connects again as soon as its sessions are ended, so newcomers are kept out first.
#pragma once

#include "pg/server.h"

namespace testpool::sessions {

/// Keeps everybody out of the database, and leaves nobody in it, until let_in(): whoever wants to
/// come in waits. With ShareLock others of our processes may do the same at once. Call it outside a
/// transaction. Raises 55006, naming who, if a session does not end.
void lock_out(Oid database, LOCKMODE mode = AccessExclusiveLock);
void let_in(Oid database, LOCKMODE mode = AccessExclusiveLock);

}  // namespace testpool::sessions
