// A session's side of a gate. What StartTransaction() has done when it comes to AtStart_Cache() is
// to publish the transaction's virtual id and to lock it; whoever shuts a gate sends the message
// first and looks for such ids then. So each transaction is either seen, or sees the message.

#include "live/gate.h"

#include "live/memory.h"

namespace testpool::gate {

namespace {

constexpr Oid nobodys_relation = 1;  // no relation has this OID: the message invalidates nothing

bool keeps_to_gates = false;
bool at_gate = false;
bool may_wait_within = false;  // a statement
// A message was taken note of where nothing could be done about it.
bool look_again = false;
uint64 seen = 0;  // the last opening that this session has followed; 0: none

struct View {
    Position position = Position::open;
    uint64 opened = 0;
    uint64 catalogs = 0;
};

bool is_shut(Position position) {
    return position == Position::shutting || position == Position::shut;
}

/// Looks, and in the same moment tells whether this process waits.
View look(bool may_wait) {
    return locked(LW_EXCLUSIVE, [&] {
        const Gate* gate = find(MyDatabaseId);
        View view = gate == nullptr ? View{} : View{gate->position, gate->opened, gate->catalogs};
        own_slot().waiting = may_wait && is_shut(view.position);
        return view;
    });
}

void wait_a_little() {
    WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, 0, compat::wait_event("TestpoolGate"));
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
}

/// What this session has counted and not told is of rows that are no more: autovacuum would come
/// for them.
void uncount() {
    std::array<Oid, std::tuple_size_v<decltype(Gate::relations)>> relations;
    int count = locked(LW_SHARED, [&] {
        const Gate* gate = find(MyDatabaseId);
        if (gate == nullptr) return 0;
        relations = gate->relations;
        return gate->uncounted;
    });
    for (Oid relation : std::span(relations).first(count))
        compat::forget_pending_counts(MyDatabaseId, relation);
}

/// A database was put back since this session last began a transaction. The messages of that are in
/// the queue; sequences and the caches of catalogs get none.
void follow(const View& view) {
    ResetSequenceCaches();
    uncount();
    if (seen < view.catalogs) InvalidateSystemCaches();
    AcceptInvalidationMessages();
    seen = view.opened;
}

/// Whoever is in the middle of a statement, such as VACUUM or a procedure, that has ended one
/// transaction and begins the next, does not wait here: it may hold locks, and a procedure would go
/// on in another database than it began in. It counts as being in a transaction, if it comes in
/// time.
void pass() {
    bool may_wait = ActivePortal == nullptr || may_wait_within;
    look_again = true;  // an error while it waits ends the transaction, not the wait
    at_gate = true;
    for (;;) {
        View view = look(may_wait);
        if (view.position == Position::broken) end_here(nullptr);
        if (view.position == Position::shut && !may_wait) end_here(text_of(End::statement));
        if (view.position == Position::shutting && !may_wait) break;
        if (is_shut(view.position)) {
            wait_a_little();
            continue;
        }
        if (view.opened == seen) {
            look_again = false;
            break;
        }
        follow(view);
    }
    at_gate = false;
}

/// True while StartTransaction() is at work: the transaction is not yet one.
bool is_starting() { return !IsTransactionOrTransactionBlock() && !proc_exit_inprogress; }

void on_message(Datum /*argument*/, Oid relation) {
    if (!keeps_to_gates || at_gate) return;
    if (relation != nobodys_relation && OidIsValid(relation)) return;
    if (is_starting())
        pass();
    else
        look_again = true;
}

void send_message(Oid database, Oid relation = nobodys_relation) {
    SharedInvalidationMessage message{};
    message.rc.id = SHAREDINVALRELCACHE_ID;
    message.rc.dbId = database;
    message.rc.relId = relation;
    SendSharedInvalidMessages(&message, 1);
}

/// The message was consumed, or the wait broken off, and the next transaction must look all the
/// same.
void at_transaction_end(XactEvent event, void* /*argument*/) {
    if (!look_again ||
        (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE))
        return;
    at_gate = false;
    may_wait_within = false;
    look_again = false;
    View view = look(false);
    if (view.position != Position::open || view.opened != seen) send_message(MyDatabaseId);
}

void leave(int /*code*/, Datum /*argument*/) {
    locked(LW_EXCLUSIVE, [] { own_slot() = {}; });
}

}  // namespace

void define() {
    define_memory();
    define_ends();
    CacheRegisterRelcacheCallback(on_message, 0);
    RegisterXactCallback(at_transaction_end, nullptr);
}

void enter() {
    if (am_walsender) return;  // replication keeps files and snapshots between transactions
    on_shmem_exit(leave, 0);
    locked(LW_EXCLUSIVE, [] { own_slot() = {.client = true}; });
    keeps_to_gates = true;
}

void begin_transaction() {
    may_wait_within = true;
    look_again = true;  // an error has it reset
    StartTransactionCommand();
    may_wait_within = false;
}

void call(Oid database) { send_message(database); }

void tell(Oid database, std::span<const Oid> relations) {
    for (Oid relation : relations) send_message(database, relation);
}

}  // namespace testpool::gate
