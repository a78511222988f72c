// What differs between PostgreSQL 15 and 19. The only file with version conditions.
#pragma once

namespace testpool::compat {

/// Names what a process of ours waits for in pg_stat_activity; before 17 an extension has one name only.
inline uint32 wait_event([[maybe_unused]] const char* name) {
#if PG_VERSION_NUM >= 170000
    return WaitEventExtensionNew(name);
#else
    return PG_WAIT_EXTENSION;
#endif
}

/// The number of this process among all server processes, below MaxBackends for those that run SQL.
inline int process_number() {
    return static_cast<int>(MyProc - ProcGlobal->allProcs);
}

/// True for what an interrupted DROP DATABASE leaves. Minor releases before 15.4 did not mark it.
inline bool is_invalid([[maybe_unused]] Form_pg_database form) {
#ifdef DATCONNLIMIT_INVALID_DB
    return form->datconnlimit == DATCONNLIMIT_INVALID_DB;
#else
    return false;
#endif
}

}  // namespace testpool::compat
