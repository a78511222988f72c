// Commands that refuse to run in a transaction block: CREATE and DROP DATABASE, VACUUM.
#pragma once

#include "pg/transaction.h"

namespace testpool {

/// Runs one utility command as if a client had sent it alone. Call it inside transaction(), last.
inline void utility(const char* command) {
    List* parsed = pg_parse_query(command);
    auto* statement = makeNode(PlannedStmt);
    statement->commandType = CMD_UTILITY;
    statement->utilityStmt = linitial_node(RawStmt, parsed)->stmt;
    statement->canSetTag = true;
    ProcessUtility(statement, command, false, PROCESS_UTILITY_TOPLEVEL, nullptr, nullptr,
                   None_Receiver, nullptr);
}

}  // namespace testpool
