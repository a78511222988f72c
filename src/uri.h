// Connection URIs for this server, as the caller reached it.
#pragma once

#include "pg/server.h"

namespace testpool::uri {

/// A libpq URI of `database`: the address or socket directory, the port and the role of this
/// session, without a password. Facts: PostgreSQL documentation, "Connection URIs".
char* of_database(const char* database);

}  // namespace testpool::uri
