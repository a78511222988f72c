// Commands that refuse to run in a transaction block: CREATE and DROP DATABASE, VACUUM.
#pragma once

#include "pg/transaction.h"

namespace testpool {

/// Runs one utility command as if a client had sent it alone. Call it inside transaction(), last.
inline void utility(const char* command, ProcessUtilityContext context = PROCESS_UTILITY_TOPLEVEL) {
    List* parsed = pg_parse_query(command);
    auto* statement = makeNode(PlannedStmt);
    statement->commandType = CMD_UTILITY;
    statement->utilityStmt = linitial_node(RawStmt, parsed)->stmt;
    statement->canSetTag = true;
    ProcessUtility(statement, command, false, context, nullptr, nullptr, None_Receiver, nullptr);
}

/// Runs one that may be run in a transaction block, and on which no event trigger fires: it counts
/// as a part of a command.
inline void utility_without_triggers(const char* command) {
    utility(command, PROCESS_UTILITY_SUBCOMMAND);
    CommandCounterIncrement();
}

}  // namespace testpool
