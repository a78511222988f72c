// Vacuum workers: short-lived processes that do something inside a database that refuses
// connections.
#pragma once

#include "shmem/shmem.h"

namespace testpool::vacuum_worker {

/// Sends a vacuum worker into the database and waits until it is done; returns what it tells.
/// Raises its error, or 53000 if no background worker is free. Called by the worker of slot
/// `worker`.
Outcome run(int worker, Oid database, VacuumTask task);

}  // namespace testpool::vacuum_worker
