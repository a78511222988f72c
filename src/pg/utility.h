// Commands that refuse to run in a transaction block: CREATE and DROP DATABASE, VACUUM. Other
// libraries hook into ProcessUtility() and keep an account of what runs: pgaudit's ends with the
// memory of the portal. So each command goes the way of a client's.
#pragma once

#include "pg/transaction.h"

namespace testpool {

/// Parses and plans one command, which passes the hooks that look at that.
inline List* planned(const char* command) {
    RawStmt* parsed = linitial_node(RawStmt, pg_parse_query(command));
    List* analyzed = pg_analyze_and_rewrite_fixedparams(parsed, command, nullptr, 0, nullptr);
    return pg_plan_queries(analyzed, command, CURSOR_OPT_PARALLEL_OK, nullptr);
}

/// Runs one utility command as if a client had sent it alone, as exec_simple_query() in postgres.c.
/// Call it inside transaction(), last. `amend(statement)` may say more than text can.
template <class Amend>
void utility(const char* command, Amend amend) {
    debug_query_string = command;
    List* plan = planned(command);
    Node* statement = linitial_node(PlannedStmt, plan)->utilityStmt;
    amend(statement);
    CommandTag tag = CreateCommandTag(statement);
    Portal portal = CreatePortal("", true, true);
    portal->visible = false;
    PortalDefineQuery(portal, nullptr, command, tag, plan, nullptr);
    PortalStart(portal, nullptr, 0, InvalidSnapshot);
    PopActiveSnapshot();  // the portal has its own, which VACUUM gives up
    compat::run_portal(portal);
    PortalDrop(portal, false);
    debug_query_string = nullptr;
}

inline void utility(const char* command) {
    utility(command, [](Node* /*statement*/) {});
}

/// Runs one that may be run in a transaction block, and on which no event trigger fires: it counts
/// as a part of a command, as in execute_sql_string() in extension.c.
inline void utility_without_triggers(const char* command) {
    MemoryContext caller = CurrentMemoryContext;
    MemoryContext own = AllocSetContextCreate(caller, "testpool command", ALLOCSET_DEFAULT_SIZES);
    MemoryContextSwitchTo(own);
    debug_query_string = command;
    ProcessUtility(linitial_node(PlannedStmt, planned(command)), command, false,
                   PROCESS_UTILITY_SUBCOMMAND, nullptr, nullptr, None_Receiver, nullptr);
    debug_query_string = nullptr;
    CommandCounterIncrement();
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(own);
}

}  // namespace testpool
