// What SQL commands that are not testpool's mean for it.

#include "commands.h"

#include "ownership.h"
#include "shmem/shmem.h"

namespace testpool::commands {

namespace {

ProcessUtility_hook_type earlier_hook;

bool is_discard_all(const Node* command) {
    return IsA(command, DiscardStmt) &&
           reinterpret_cast<const DiscardStmt*>(command)->target == DISCARD_ALL;
}

/// The roles whose belongings it gives away or drops; NIL: it is another command.
List* roles_disowned_by(const Node* command) {
    if (IsA(command, ReassignOwnedStmt))
        return reinterpret_cast<const ReassignOwnedStmt*>(command)->roles;
    if (IsA(command, DropOwnedStmt)) return reinterpret_cast<const DropOwnedStmt*>(command)->roles;
    return NIL;
}

void run(PlannedStmt* plan, const char* text, bool read_only, ProcessUtilityContext context,
         ParamListInfo parameters, QueryEnvironment* environment, DestReceiver* destination,
         QueryCompletion* completion) {
    auto proceed = earlier_hook != nullptr ? earlier_hook : standard_ProcessUtility;
    bool ends_session = is_discard_all(plan->utilityStmt);
    List* roles = roles_disowned_by(plan->utilityStmt);
    List* guarded = roles != NIL ? ownership::guard(roles) : NIL;
    proceed(plan, text, read_only, context, parameters, environment, destination, completion);
    ownership::put_back(guarded);
    // A pool sends it before it gives the connection to somebody else.
    if (ends_session) shmem::begin_session_anew();
}

}  // namespace

void define() {
    earlier_hook = ProcessUtility_hook;
    ProcessUtility_hook = run;
}

}  // namespace testpool::commands
