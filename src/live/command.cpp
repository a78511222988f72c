// SET testpool.rewind = now is a command in the form of a setting, so that it can be given where
// the extension does not exist. Like VACUUM it ends the transaction that it was started in, works
// outside of any, and starts another one for PostgreSQL to end.

#include "live/command.h"

#include "errors.h"
#include "live/gate.h"
#include "pg/transaction.h"
#include "session.h"
#include "settings.h"

namespace testpool::live {

namespace {

constexpr const char* setting = "testpool.rewind";
constexpr const char* value_now = "now";
constexpr const char* command = "SET testpool.rewind";

ProcessUtility_hook_type earlier_utility;
char* value;

bool is_empty(char** text, void** /*extra*/, GucSource /*source*/) {
    if (**text == '\0') return true;
    GUC_check_errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE);
    GUC_check_errmsg("testpool.rewind is a command, not a setting");
    GUC_check_errdetail("It rewinds the database that the session is connected to.");
    GUC_check_errhint("Send SET testpool.rewind = now by itself, outside a transaction block.");
    return false;
}

/// SET testpool.rewind = now, and nothing else that has to do with that name.
bool is_command(const Node* statement) {
    if (!IsA(statement, VariableSetStmt)) return false;
    auto* set = reinterpret_cast<const VariableSetStmt*>(statement);
    if (set->kind != VAR_SET_VALUE || set->is_local || pg_strcasecmp(set->name, setting) != 0 ||
        list_length(set->args) != 1 || !IsA(linitial(set->args), A_Const))
        return false;
    auto* constant = linitial_node(A_Const, set->args);
    return !constant->isnull && IsA(&constant->val, String) &&
           pg_strcasecmp(strVal(&constant->val), value_now) == 0;
}

bool is_discard_all(const Node* statement) {
    return IsA(statement, DiscardStmt) &&
           reinterpret_cast<const DiscardStmt*>(statement)->target == DISCARD_ALL;
}

Request request() {
    Request request = session::request(Verb::rewind);
    request.oid = MyDatabaseId;
    strlcpy(NameStr(request.database), get_database_name(MyDatabaseId), NAMEDATALEN);
    request.count = settings::rewind_timeout;
    return request;
}

/// Waits outside of any transaction: that is what it waits for.
void rewind() {
    MemoryContext caller = CurrentMemoryContext;
    auto* asked = static_cast<Request*>(palloc(sizeof(Request)));
    *asked = request();
    if (ActiveSnapshotSet()) PopActiveSnapshot();
    CommitTransactionCommand();
    MemoryContextSwitchTo(caller);
    ErrorData* failure = attempt([&] { session::ask(*asked); });
    if (failure != nullptr) session::give_up_asking();
    gate::begin_transaction();
    if (failure != nullptr) ReThrowError(failure);
    MemoryContextSwitchTo(caller);
    pfree(asked);
}

bool is_leased_here() {
    Lease lease;
    return shmem::find_lease_on(MyDatabaseId, &lease) && lease.kind == LeaseKind::lease &&
           lease.end == LeaseEnd::none;
}

void utility(PlannedStmt* planned, const char* text, bool read_only_tree,
             ProcessUtilityContext context, ParamListInfo parameters, QueryEnvironment* environment,
             DestReceiver* receiver, QueryCompletion* completion) {
    Node* statement = planned->utilityStmt;
    bool top = context == PROCESS_UTILITY_TOPLEVEL;
    if (is_command(statement)) {
        PreventCommandDuringRecovery(command);
        PreventInTransactionBlock(top, command);
        PreventCommandIfReadOnly(command);
        rewind();
        if (completion != nullptr) SetQueryCompletion(completion, CMDTAG_SET, 0);
        return;
    }
    bool wanted = settings::rewind_on_discard && is_discard_all(statement);  // it resets settings
    auto next = earlier_utility != nullptr ? earlier_utility : standard_ProcessUtility;
    next(planned, text, read_only_tree, context, parameters, environment, receiver, completion);
    if (wanted && is_leased_here() && !RecoveryInProgress() && !XactReadOnly) rewind();
}

}  // namespace

void define() {
    DefineCustomStringVariable(
        setting, "SET testpool.rewind = now makes the leased database equal to its template again.",
        "It is a command: it works by itself, outside a transaction block.", &value, "",
        PGC_USERSET, GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE, is_empty, nullptr, nullptr);
    MarkGUCPrefixReserved("testpool");
    earlier_utility = ProcessUtility_hook;
    ProcessUtility_hook = utility;
}

}  // namespace testpool::live
