// What the main loop of a background process owes the rest of the server.
#pragma once

#include "pg/server.h"

namespace testpool {

/// Serves whatever asks this process to end, to reload, or to take note: DROP DATABASE of anyone
/// waits for that. Call it before and after each sleep.
inline void serve_interrupts() {
    if (ProcDiePending) proc_exit(1);
    CHECK_FOR_INTERRUPTS();
    if (!ConfigReloadPending) return;
    ConfigReloadPending = false;
    ProcessConfigFile(PGC_SIGHUP);
}

}  // namespace testpool
