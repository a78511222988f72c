// The connection hook: what happens to a client between its authentication and the look-up of its
// database.
#pragma once

namespace testpool::connection {

/// Registers the hook; called once, by _PG_init.
void define();

}  // namespace testpool::connection
