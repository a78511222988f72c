// A rewind that is asked for from inside: SET testpool.rewind = now, and DISCARD ALL where
// testpool.rewind_on_discard is on. Nothing of the extension needs to be created in the database.
#pragma once

namespace testpool::live {

/// Defines the setting and registers the hook on utility commands; called once, by _PG_init.
void define();

}  // namespace testpool::live
