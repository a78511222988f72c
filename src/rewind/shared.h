// What a test can change about its database in the shared catalogs, outside the database's own
// files.
#pragma once

#include "pg/server.h"

namespace testpool::rewind {

/// Undoes ALTER DATABASE … SET, OWNER and CONNECTION LIMIT, COMMENT and SECURITY LABEL, and gives
/// the database its template's dependencies if `catalogs_changed`. Raises what it cannot undo.
void restore_shared(Oid target, Oid source, bool catalogs_changed);

}  // namespace testpool::rewind
