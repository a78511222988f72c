// A client's session. What it is handed is its own at once, so that a test can connect before the
// acquiring transaction commits; therefore a roll-back has to give it back, and a release
// must wait for the commit. Both are remembered here as effects of the (sub)transaction.

#include "session.h"

#include "errors.h"
#include "points.h"
#include "settings.h"

namespace testpool::session {

namespace {

// How often a waiting session makes sure that somebody will answer. It is woken by the answer.
constexpr long launcher_check_ms = 5'000;

struct Effect {
    enum Kind { granted, released } kind;
    LeaseKey lease;
    SubTransactionId subtransaction;
};

List* effects = NIL;  // of Effect, in the transaction's memory
bool asking = false;
bool catalog_is_new = false;

template <class Each>
void each_effect(Each each) {
    ListCell* cell = nullptr;
    foreach (cell, effects) each(*static_cast<Effect*>(lfirst(cell)));
}

void remember(Effect::Kind kind, LeaseKey lease) {
    MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);
    auto* effect = static_cast<Effect*>(palloc(sizeof(Effect)));
    *effect = {kind, lease, GetCurrentSubTransactionId()};
    effects = lappend(effects, effect);
    MemoryContextSwitchTo(caller);
}

template <class Test>
void forget_if(Test test) {
    ListCell* cell = nullptr;
    foreach (cell, effects)
        if (test(*static_cast<Effect*>(lfirst(cell))))
            effects = foreach_delete_current(effects, cell);
}

/// A call that ended in an error may have been answered in the same moment.
void leave_slot() {
    if (!asking) return;
    asking = false;
    LeaseKey given = shmem::leave();
    if (given != 0) shmem::end_lease(given, LeaseEnd::rolled_back);
}

void at_transaction_end(XactEvent event, void* /*argument*/) {
    switch (event) {
        case XACT_EVENT_PRE_PREPARE:
            if (effects == NIL) return;
            ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                            errmsg("cannot prepare a transaction that has acquired or released "
                                   "a database"),
                            errhint("Call testpool's functions outside the transaction.")));
            return;
        case XACT_EVENT_COMMIT:
            each_effect([](Effect& e) {
                if (e.kind == Effect::released) shmem::end_lease(e.lease, LeaseEnd::released);
            });
            if (catalog_is_new) shmem::announce_catalog();
            catalog_is_new = false;
            effects = NIL;
            return;
        case XACT_EVENT_ABORT:
            catalog_is_new = false;
            leave_slot();
            each_effect([](Effect& e) {
                if (e.kind == Effect::granted) shmem::end_lease(e.lease, LeaseEnd::rolled_back);
            });
            effects = NIL;
            return;
        default:
            return;
    }
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId own, SubTransactionId parent,
                           void* /*argument*/) {
    if (event == SUBXACT_EVENT_COMMIT_SUB) {
        each_effect([&](Effect& e) {
            if (e.subtransaction == own) e.subtransaction = parent;
        });
    } else if (event == SUBXACT_EVENT_ABORT_SUB) {
        leave_slot();
        each_effect([&](Effect& e) {
            if (e.subtransaction == own && e.kind == Effect::granted)
                shmem::end_lease(e.lease, LeaseEnd::rolled_back);
        });
        forget_if([&](Effect& e) { return e.subtransaction == own; });
    }
}

void require_answer_soon(const Request& request, int slack_ms) {
    if (!shmem::launcher_alive())
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("the testpool launcher is not running"),
                        errdetail("It serves the requests of all sessions, from database \"%s\".",
                                  settings::database),
                        errhint("The server's log tells why. Raising max_worker_processes may "
                                "help.")));
    if (request.deadline != 0 &&
        TimestampDifferenceExceeds(request.deadline, GetCurrentTimestamp(), slack_ms))
        ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
                        errmsg("the testpool launcher did not answer in time"),
                        errhint("Look for what blocks it in pg_stat_activity and pg_locks.")));
}

/// Until it is time to look whether an answer will come.
long time_to_sleep(const Request& request, int slack_ms) {
    if (request.deadline == 0) return launcher_check_ms;
    TimestampTz latest = TimestampTzPlusMilliseconds(request.deadline, slack_ms + 1);
    return std::clamp(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), latest), 1L,
                      launcher_check_ms);
}

Reply wait_for_reply(const Request& request, int slack_ms) {
    uint32 event = compat::wait_event("TestpoolReply");
    Reply reply;
    while (!shmem::answered(&reply)) {
        CHECK_FOR_INTERRUPTS();  // one may have come whose wake-up was consumed elsewhere
        WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                  time_to_sleep(request, slack_ms), event);
        ResetLatch(MyLatch);
        require_answer_soon(request, slack_ms);
    }
    return reply;
}

bool release_pending(LeaseKey lease) {
    bool found = false;
    each_effect([&](Effect& e) { found |= e.kind == Effect::released && e.lease == lease; });
    return found;
}

bool is_held(const char* database, Lease* lease) {
    return shmem::find_lease(database, lease) && lease->kind != LeaseKind::claim &&
           lease->end == LeaseEnd::none && !release_pending(lease->key);
}

}  // namespace

void define() {
    RegisterXactCallback(at_transaction_end, nullptr);
    RegisterSubXactCallback(at_subtransaction_end, nullptr);
}

void require_usable(const char* function) {
    PreventCommandDuringRecovery(function);
    PreventCommandIfReadOnly(function);
    const char* here = get_database_name(MyDatabaseId);
    if (here != nullptr && strcmp(here, settings::database) == 0) return;
    bool is_there = OidIsValid(get_database_oid(settings::database, true));
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("%s cannot be called in database \"%s\"", function, here),
             errdetail(is_there ? "The home database of testpool is \"%s\"."
                                : "The home database of testpool, \"%s\", does not exist.",
                       settings::database),
             is_there
                 ? errhint("Connect to database \"%s\" and call it there.", settings::database)
                 : errhint("If it was renamed, set testpool.database in postgresql.conf to its "
                           "name and restart the server.")));
}

Request request(Verb verb) {
    Request request{};
    request.verb = verb;
    request.role = GetUserId();
    request.superuser = superuser();
    request.since = GetCurrentTimestamp();
    request.visit_grace = settings::visit_grace;
    request.arrival_grace = settings::arrival_grace;
    strlcpy(request.application, application_name, sizeof(request.application));
    if (MyProcPort != nullptr && MyProcPort->remote_host != nullptr)
        strlcpy(request.client, MyProcPort->remote_host, sizeof(request.client));
    return request;
}

Reply ask(const Request& request, int slack_ms) {
    shmem::watch_session();
    asking = true;
    shmem::post(request);
    Reply reply = wait_for_reply(request, slack_ms);
    TESTPOOL_POINT("session-answered");
    if (reply.granted != 0) remember(Effect::granted, reply.granted);
    shmem::leave();
    asking = false;
    if (reply.sqlstate != 0) errors::raise(reply);
    return reply;
}

void give_up_asking() { leave_slot(); }

void release(const char* database) {
    Lease lease;
    if (!is_held(database, &lease)) {
        Request why = request(Verb::release);
        strlcpy(NameStr(why.database), database, NAMEDATALEN);
        ask(why);  // raises, unless the launcher has only just put the lease in shared memory
        if (!is_held(database, &lease)) errors::not_leased(database);
    }
    if (!superuser() && !has_privs_of_role(GetUserId(), lease.role))
        errors::not_yours("database", database, lease.role);
    remember(Effect::released, lease.key);
}

void release_all() {
    int room = shmem::lease_room();
    auto* leases = static_cast<Lease*>(palloc(sizeof(Lease) * room));
    int count = shmem::own_leases(leases, room);
    for (int i = 0; i < count; i++)
        if (!release_pending(leases[i].key)) remember(Effect::released, leases[i].key);
    pfree(leases);
}

void forget_grant(LeaseKey lease) {
    forget_if([&](Effect& e) { return e.kind == Effect::granted && e.lease == lease; });
}

void announce_catalog_at_commit() { catalog_is_new = true; }

}  // namespace testpool::session
