// The transitions and look-ups that templates, leases and jobs share.

#include "pool/lifecycle.h"

#include "catalog.h"
#include "database.h"
#include "errors.h"
#include "events.h"
#include "log.h"
#include "settings.h"

namespace testpool::pool {

TimestampTz retry_time(int failures) {
    int64 seconds = std::min(60, 1 << std::min(failures, 6));
    return GetCurrentTimestamp() + seconds * USECS_PER_SEC;
}

const char* stored(const State& state, const char* text) {
    return text == nullptr ? nullptr : MemoryContextStrdup(state.memory, text);
}

void set_text(const State& state, const char*& field, const char* text) {
    const char* copy = stored(state, text);
    if (field != nullptr) pfree(const_cast<char*>(field));
    field = copy;
}

Template* find_discarded(const State& state, const char* hash) {
    Template* last = nullptr;
    for (Template& t : templates(state))
        if (!t.is_root() && t.state == TemplateState::discarded && strcmp(t.hash, hash) == 0)
            last = &t;
    return last;
}

void no_living(const State& state, const char* hash) {
    if (const Template* old = find_discarded(state, hash))
        errors::raise(errors::discarded_reply(old->hash, old->reason));
    errors::unknown_template(hash);
}

bool may_act(const Request& request, Oid owner) {
    return request.superuser || has_privs_of_role(request.role, owner);
}

int room(const State& state) {
    return settings::max_databases - state.databases.length - state.template_databases;
}

void look_again(State& state, TimestampTz at) {
    if (state.look_again == 0 || at < state.look_again) state.look_again = at;
}

void look_again(Template& t, TimestampTz at) {
    if (t.look_at == 0 || at < t.look_at) t.look_at = at;
}

void update(State& state, Template& t) {
    catalog::update(t);
    file(state, t);
}

void update(State& state, Database& d) {
    catalog::update(d);
    file(state, d);
}

void fail_waiting(const Template& t, const Reply& error) {
    Request request;
    for (uint64 ticket = 0; shmem::next_request(ticket, &request); ticket = request.ticket) {
        bool waits = request.verb == Verb::init_template || request.verb == Verb::acquire ||
                     request.verb == Verb::prewarm || request.verb == Verb::finalize;
        if (!waits || !request.has_hash || strcmp(request.hash, t.hash) != 0) continue;
        shmem::reply(request.ticket, error);
    }
}

namespace {

/// Nobody holds it and no worker is about to finish it.
bool is_idle(const Database& d) {
    bool unbegun = d.state == DatabaseState::cloning && !is_at_work(d) && !OidIsValid(d.role);
    return d.state == DatabaseState::ready || unbegun;
}

}  // namespace

void discard(State& state, Template& t, const char* reason, bool tell_waiting) {
    t.state = TemplateState::discarded;
    t.sealing = false;
    set_text(state, t.reason, reason);
    t.discarded_at = GetCurrentTimestamp();
    update(state, t);
    for (Database& d : Each<Database>(t.clones.list))
        if (is_idle(d)) recycle(state, d);
    shmem::remove_lease(key_of(t));
    events::note("discarded", t, reason);
    if (tell_waiting) fail_waiting(t, errors::discarded_reply(t.hash, t.reason));
}

void discard_if_gone(State& state, Template& t) {
    if (t.is_root() || t.state != TemplateState::finalized) return;
    if (!database::exists(t.oid))
        discard(state, t, "its database was dropped by someone else", true);
    else if (database::is_spoiled(t.oid, t.seal))
        discard(state, t, "its unlogged relations were changed, or emptied by a crash", true);
}

void discard_gone(State& state) {
    for (Template& t : templates(state)) discard_if_gone(state, t);
}

void take_name_away(Database& d) {
    int64 number = 0;
    NameData name = free_clone_name(*d.of, number);
    database::rename(d.oid, d.name, name);
    d.name = name;
    d.named = false;
}

void note_clone_instead(State& state, Database& d) {
    bool wanted = d.of->state == TemplateState::finalized && !d.of->is_root();
    if (!wanted || !settings::may_rewind()) return;
    set_text(state, d.clone_reason,
             d.unrewindable != nullptr
                 ? d.unrewindable
                 : "the server was not shut down in order since it became clean");
    shmem::count_refusal(d.of->id, d.clone_reason);
    if (!OidIsValid(d.role)) set_text(state, d.of->clone_reason, d.clone_reason);
}

void recycle(State& state, Database& d) {
    bool used = OidIsValid(d.role);
    if (used) events::note("released", d);
    LeaseKey ended = key_of(d);
    d.state = DatabaseState::recycling;
    d.live = false;
    d.role = InvalidOid;
    d.holder = {};
    d.leased_at = 0;
    d.known_as = {};
    set_text(state, d.reason, nullptr);
    if (used && !d.rewindable) note_clone_instead(state, d);
    if (used && !can_rewind(d)) d.binding = database::binds_others(d.oid, d.of->oid);
    if (d.named) take_name_away(d);
    update(state, d);
    // It is removed once the new name is committed: until then shared memory must tell those who
    // come by the old one that this lease has ended.
    shmem::close_lease(ended);
}

bool pass_over(State& state, Database& d) {
    if (!database::is_being_altered(d.oid)) return false;
    if (d.passed_over_until == 0)
        log_line(LOG, "database \"%s\" is passed over while somebody's transaction alters it",
                 NameStr(d.name));
    d.passed_over_until = GetCurrentTimestamp() + alteration_us;
    d.passed_over = true;
    look_again(state, d.passed_over_until);
    file(state, d);
    return true;
}

void look_at_passed_over(State& state, Template& t) {
    for (Database& d : Each<Database>(t.unsettled.list)) {
        if (!d.passed_over) continue;
        if (d.passed_over_until > GetCurrentTimestamp()) {
            look_again(state, d.passed_over_until);
            continue;
        }
        d.passed_over = false;
        file(state, d);
    }
}

void give_up(State& state, Database& d) {
    if (d.named && pass_over(state, d))
        shmem::close_lease(key_of(d));
    else
        recycle(state, d);
}

void lease(State& state, Database& d, const NameData* name) {
    d.name = database::open(d.oid, d.role, name);
    d.state = DatabaseState::leased;
    d.live = false;
    update(state, d);
    if (!post_lease(d, GetCurrentTimestamp())) errors::no_place(NameStr(d.name));
}

bool post_lease(const Database& d, TimestampTz seen) {
    Lease lease{};
    lease.key = key_of(d);
    lease.oid = d.oid;
    lease.database = d.name;
    lease.role = d.role;
    lease.session = d.holder.session;
    lease.kind = d.state == DatabaseState::kept ? LeaseKind::kept : LeaseKind::lease;
    lease.orphaned = !shmem::session_alive(lease.session);
    lease.last_seen = seen;
    return shmem::put_lease(lease);
}

bool post_claim(const Template& t) {
    Lease claim{};
    claim.key = key_of(t);
    claim.oid = t.oid;
    claim.database = t.database;
    claim.role = t.owner;
    claim.session = t.builder.session;
    claim.kind = LeaseKind::claim;
    claim.orphaned = !shmem::session_alive(claim.session);
    return shmem::put_lease(claim);
}

bool hold(State& state, LeaseKey key, const Request& request) {
    if (!shmem::hold(key, request)) return false;
    if (request.visit_grace >= 0)  // nothing else tells when nobody comes
        look_again(state, TimestampTzPlusMilliseconds(
                              GetCurrentTimestamp(),
                              std::max(request.visit_grace, request.arrival_grace)));
    return true;
}

std::optional<Reply> serve(State& state, const Request& request) {
    switch (request.verb) {
        case Verb::init_template:
            return init_template(state, request);
        case Verb::finalize:
            return finalize(state, request);
        case Verb::discard:
            return discard(state, request);
        case Verb::acquire:
            return acquire(state, request);
        case Verb::release:
            return release(state, request);
        case Verb::recreate:
            return recreate(state, request);
        case Verb::rewind:
            return rewind(state, request);
        case Verb::keep:
            return keep(state, request);
        case Verb::diff:
            return diff(state, request);
        case Verb::prewarm:
            return prewarm(state, request);
        case Verb::reset:
            return reset(state, request);
        case Verb::connect:
            return connect(state, request);
        case Verb::alias:
            return alias(state, request);
        case Verb::knows:
            return knows(state, request);
        case Verb::renew:
            return renew(state, request);
    }
    pg_unreachable();
}

void carry_over(const State& before, State& state) {
    state.used_at = before.used_at;
    state.held_up_until = before.held_up_until;
    for (Template& t : templates(state)) {
        const Template* old = find_template(before, t.id);
        if (old == nullptr) continue;
        t.error = old->error;
        t.reseal_at = old->reseal_at;
        t.reseals = old->reseals;
    }
    for (Database& d : databases(state)) {
        const Database* old = find_database(before, d.id);
        if (old == nullptr || old->oid != d.oid) continue;
        d.rewindable = old->rewindable;
        set_text(state, d.unrewindable, old->unrewindable);
        d.failures = old->failures;
        d.barrier = old->barrier;
        d.live = old->live;
        d.grace = old->grace;
        d.watched_by = old->watched_by;
    }
    file_all(state);
}

void forget_tallies_of_gone(const State& state) {
    Tally tally;
    for (int i = 0; shmem::tally_at(i, &tally); i++)
        if (tally.of != 0 && find_template(state, tally.of) == nullptr)
            shmem::forget_tally(tally.of);
}

void forget_waiting(State& state) {
    state.awaited = NIL;
    state.drops_awaited = false;
    for (Template& t : Each<Template>(state.restless.list)) {
        t.waiting = 0;
        t.prewarm = 0;
    }
}

}  // namespace testpool::pool
