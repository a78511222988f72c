// Visitors: short-lived processes that do something inside a database that refuses connections.
#pragma once

#include "board/board.h"

namespace testpool::visitor {

/// Sends a visitor into the database and waits until it is done; returns what it tells. Raises its
/// error, or 53000 if no background worker is free. Called by the worker at `desk`.
Outcome visit(int desk, Oid database, Visit visit);

}  // namespace testpool::visitor
