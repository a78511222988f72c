// What the main loop of a background process owes the rest of the server.
#pragma once

#include "pg/server.h"

namespace testpool {

/// Serves whatever asks this process to end, to reload, or to take note: DROP DATABASE of anyone
/// waits for that. Call it before and after each sleep. True if the settings were read again.
inline bool serve_interrupts() {
    if (ProcDiePending) proc_exit(1);
    CHECK_FOR_INTERRUPTS();
    if (!ConfigReloadPending) return false;
    ConfigReloadPending = false;
    ProcessConfigFile(PGC_SIGHUP);
    return true;
}

}  // namespace testpool
