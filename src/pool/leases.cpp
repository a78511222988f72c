// Leases: acquired, released, kept, recreated, abandoned.

#include "catalog.h"
#include "database.h"
#include "errors.h"
#include "events.h"
#include "pool/bounds.h"
#include "settings.h"

namespace testpool::pool {

namespace {

[[noreturn]] void no_choice(const State& state, TemplateState among) {
    StringInfoData list;
    initStringInfo(&list);
    for (Template& t : templates(state)) {
        if (t.is_root() || t.state != among) continue;
        appendStringInfo(&list, "%s\"%s\"", list.len > 0 ? ", " : "", errors::shown(t.hash));
        if (t.name != nullptr) appendStringInfo(&list, " (%s)", t.name);
    }
    ereport(ERROR, (errcode(ERRCODE_AMBIGUOUS_PARAMETER),
                    errmsg("there are several templates to acquire from"),
                    errdetail("The templates are: %s.", list.data),
                    errhint("Pass a hash to testpool.acquire, or set testpool.template.")));
    pg_unreachable();
}

int count(const State& state, TemplateState wanted, Template** last) {
    int number = 0;
    for (Template& t : templates(state)) {
        if (t.is_root() || t.state != wanted) continue;
        *last = &t;
        number++;
    }
    return number;
}

/// The row that stands for testpool.root_template; made when it is first needed.
Template& root(State& state) {
    for (Template& t : templates(state))
        if (t.is_root()) return t;
    auto* t = static_cast<Template*>(MemoryContextAllocZero(state.memory, sizeof(Template)));
    t->id = static_cast<int32>(catalog::next_template_id());
    t->state = TemplateState::finalized;
    t->owner = BOOTSTRAP_SUPERUSERID;
    catalog::insert(*t);
    add(state, *t);
    return *t;
}

Template& chosen(State& state) {
    Template* t = nullptr;
    for (TemplateState wanted : {TemplateState::finalized, TemplateState::building}) {
        int number = count(state, wanted, &t);
        if (number > 1) no_choice(state, wanted);
        if (number == 1) return *t;
    }
    return root(state);
}

Template& wanted(State& state, const Request& request) {
    if (!request.has_hash) return chosen(state);
    if (Template* t = find_living(state, request.hash)) return *t;
    no_living(state, request.hash);
}

/// The one to be handed out next, nullptr if there is none: the clone that has been ready longest.
Database* next_ready(State& state, Template& t) {
    look_at_passed_over(state, t);
    for (Database& d : Each<Database>(t.ready.list)) {
        if (pass_over(state, d)) continue;
        if (database::is_closed(d.oid)) return &d;
        recycle(state, d);  // somebody dropped it, or let clients in
    }
    return nullptr;
}

int count(const Template& t, DatabaseState wanted) {
    int number = 0;
    for (Database& d : Each<Database>(t.clones.list)) number += d.state == wanted;
    return number;
}

void append_oldest_leases(StringInfo text, const Template& t) {
    constexpr int shown = 3;
    TimestampTz after = 0;
    for (int i = 0; i < shown; i++) {
        Database* oldest = nullptr;
        for (Database& d : Each<Database>(t.clones.list))
            if (d.leased_at > after && (oldest == nullptr || d.leased_at < oldest->leased_at))
                oldest = &d;
        if (oldest == nullptr) break;
        after = oldest->leased_at;
        const char* role = GetUserNameFromId(oldest->role, true);
        appendStringInfo(text, "%s\"%s\" by role \"%s\" (process %d, application \"%s\") since %s",
                         i == 0 ? " The oldest leases: " : ", ", NameStr(oldest->name),
                         role != nullptr ? role : "?", oldest->holder.session.pid,
                         NameStr(oldest->holder.application),
                         timestamptz_to_str(oldest->leased_at));
    }
    if (after != 0) appendStringInfoChar(text, '.');
}

const char* last_error(const Template& t) {
    const char* error = t.failures > 0 && t.error.sqlstate != 0 ? t.error.message : nullptr;
    for (Database& d : Each<Database>(t.clones.list))
        if (d.error != nullptr) error = d.error;
    return error;
}

/// Clones fail because the server lacks something: disk space, memory, files.
bool lacks_resources(const Template& t) {
    return t.failures > 0 &&
           ERRCODE_TO_CATEGORY(t.error.sqlstate) == ERRCODE_INSUFFICIENT_RESOURCES;
}

[[noreturn]] void timed_out(const State& state, const Template& t, const Request& request) {
    StringInfoData detail;
    initStringInfo(&detail);
    long waited = TimestampDifferenceMilliseconds(request.since, GetCurrentTimestamp());
    if (request.verb != Verb::prewarm) shmem::count_timeout(t.id, waited * 1000);
    if (t.state == TemplateState::finalized && is_disk_short(&t)) disk_is_short(&t);
    if (t.state == TemplateState::building)
        appendStringInfo(&detail,
                         "Waited %ld ms for the template, which process %d (application \"%s\") "
                         "has been building since %s.",
                         waited, t.builder.session.pid, NameStr(t.builder.application),
                         timestamptz_to_str(t.claimed_at));
    else
        appendStringInfo(&detail,
                         "Waited %ld ms for a clone: %d cloning, %d leased, %d kept, %d recycling, "
                         "%d failed.",
                         waited, count(t, DatabaseState::cloning), count(t, DatabaseState::leased),
                         count(t, DatabaseState::kept), count(t, DatabaseState::recycling),
                         count(t, DatabaseState::failed));
    if (const char* why = obstacle(state, t))
        appendStringInfo(&detail, " No more are made: %s.", why);
    if (const char* error = last_error(t))
        appendStringInfo(&detail, " The last failure: %s.", error);
    append_oldest_leases(&detail, t);
    bool lacking = lacks_resources(t);
    ereport(ERROR,
            (errcode(lacking ? t.error.sqlstate : ERRCODE_LOCK_NOT_AVAILABLE),
             errmsg("no clone of template \"%s\" became ready in time",
                    t.is_root() ? settings::root_template : errors::shown(t.hash)),
             errdetail_internal("%s", detail.data),
             lacking
                 ? errhint("Free what the server lacks, or raise its limit. Clones are then made "
                           "by themselves.")
                 : errhint("Release databases sooner, raise testpool.pool_max, or wait longer "
                           "with testpool.acquire_timeout.%s",
                           request.verb == Verb::connect
                               ? " For a connection, authentication_timeout counts as well."
                               : "")));
    pg_unreachable();
}

/// Clients that connect to the same name wait for one clone together.
bool already_awaited(State& state, const Request& request) {
    if (request.verb != Verb::connect) return false;
    ListCell* cell = nullptr;
    foreach (cell, state.awaited)
        if (strcmp(static_cast<const char*>(lfirst(cell)), NameStr(request.database)) == 0)
            return true;
    state.awaited = lappend(state.awaited, pstrdup(NameStr(request.database)));
    return false;
}

/// A clone is, or will be, ready or returned.
bool something_comes(const Template& t) {
    if (t.state == TemplateState::building) return true;
    for (Database& d : Each<Database>(t.clones.list))
        if (d.state != DatabaseState::failed && !is_leaving(d)) return true;
    return false;
}

/// Once for each request, however often the launcher looks at it.
void count_wait(const Template& t, const Request& request) {
    if (request.accepted) return;
    shmem::accept(request.ticket);
    shmem::count(t.id, Count::waits);
    if (t.state == TemplateState::finalized) shmem::count(t.id, Count::misses);
}

void note_waiting(State& state, Template& t, const Request& request) {
    count_wait(t, request);
    if (!something_comes(t) && stays_short(state, &t)) disk_is_short(&t);
    wait_for(state, t, request);
    if (already_awaited(state, request)) return;
    disturb(state, t);
    if (t.waiting == 0) t.oldest_ticket = request.ticket;
    t.waiting++;
}

Reply leased(const Database& d) {
    Reply reply{};
    reply.database = d.name;
    reply.granted = key_of(d);
    reply.subject = key_of(d);
    return reply;
}

/// Nothing bears that name; the last database that did may be kept under another.
[[noreturn]] void nothing_of_name(const State& state, const char* name) {
    for (Database& d : databases(state))
        if (d.state == DatabaseState::kept && strcmp(NameStr(d.known_as), name) == 0)
            errors::kept_aside(name, NameStr(d.name));
    errors::unknown_database(name);
}

constexpr const char* recreate_reason = "testpool.recycle is recreate";

[[noreturn]] void altered(const Database& d) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                    errmsg("database \"%s\" is being altered", NameStr(d.name)),
                    errdetail("A transaction that has not ended has changed its row."),
                    errhint("See pg_stat_activity and pg_prepared_xacts.")));
    pg_unreachable();
}

[[noreturn]] void prepared(const Database& d) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("database \"%s\" has prepared transactions", NameStr(d.name)),
                    errhint("Commit or roll back what pg_prepared_xacts lists.")));
    pg_unreachable();
}

/// The leased or kept database that a request is about.
Database& held(const State& state, const Request& request) {
    Database* d = OidIsValid(request.oid) ? find_database_of(state, request.oid)
                                          : find_database(state, NameStr(request.database));
    if (d == nullptr && OidIsValid(request.oid)) errors::not_leased(NameStr(request.database));
    if (d == nullptr) nothing_of_name(state, NameStr(request.database));
    if (!OidIsValid(d->role)) errors::not_leased(NameStr(d->name));
    if (!may_act(request, d->role)) errors::not_yours("database", NameStr(d->name), d->role);
    return *d;
}

}  // namespace

void wait_for(State& state, const Template& t, const Request& request) {
    if (request.deadline <= GetCurrentTimestamp()) timed_out(state, t, request);
    look_again(state, request.deadline);
}

namespace {

void set_holder(Database& d, const Request& request) {
    d.holder.session = request.session;
    strlcpy(NameStr(d.holder.application), request.application, NAMEDATALEN);
    strlcpy(NameStr(d.holder.client), request.client, NAMEDATALEN);
}

}  // namespace

Database* take(State& state, Template& t, const Request& request) {
    state.used_at = GetCurrentTimestamp();
    if (is_at_its_limit(state, request)) {
        count_wait(t, request);
        return nullptr;
    }
    Database* d = t.state == TemplateState::finalized ? next_ready(state, t) : nullptr;
    if (d == nullptr) {
        note_waiting(state, t, request);
        return nullptr;
    }
    shmem::count_acquire(t.id, GetCurrentTimestamp() - request.since, t.leased + 1);
    d->role = request.role;
    d->leased_at = shmem::unique_moment();
    set_holder(*d, request);
    return d;
}

std::optional<Reply> acquire(State& state, const Request& request) {
    Database* d = take(state, wanted(state, request), request);
    if (d == nullptr) return std::nullopt;
    lease(state, *d);
    if (!hold(state, key_of(*d), request)) errors::no_place(NameStr(d->name));
    events::note("leased", *d);
    return leased(*d);
}

std::optional<Reply> release(State& state, const Request& request) {
    Database& d = held(state, request);
    Lease lease;
    if (!shmem::find_lease(NameStr(d.name), &lease)) errors::no_place(NameStr(d.name));
    if (lease.end != LeaseEnd::none) errors::not_leased(NameStr(d.name));  // it is on its way
    return Reply{};
}

namespace {

/// A failure is answered by job_done().
std::optional<Reply> once_clean(const State& state, const Request& request) {
    const Database* d = find_leased(state, request.lease);
    if (d == nullptr) errors::not_leased(NameStr(request.database));  // it was released
    if (d->state == DatabaseState::leased) return Reply{};
    return std::nullopt;
}

}  // namespace

std::optional<Reply> recreate(State& state, const Request& request) {
    if (request.accepted) return once_clean(state, request);
    Database& d = held(state, request);
    if (d.state != DatabaseState::leased) errors::not_leased(NameStr(d.name));
    if (d.of->state == TemplateState::discarded)
        errors::raise(errors::discarded_reply(d.of->hash, d.of->reason));
    if (!can_rewind(d)) note_clone_instead(state, d);
    d.state = DatabaseState::recycling;
    update(state, d);
    shmem::accept(request.ticket, key_of(d));
    return std::nullopt;
}

std::optional<Reply> renew(State& state, const Request& request) {
    Database& d = held(state, request);
    if (d.state != DatabaseState::leased || !hold(state, key_of(d), request))
        errors::not_leased(NameStr(d.name));
    set_holder(d, request);
    update(state, d);
    return Reply{};
}

/// One after the other: who asks while another rewind is under way may have written since that
/// began, for all that is known here.
std::optional<Reply> rewind(State& state, const Request& request) {
    if (request.accepted) return once_clean(state, request);
    Database& d = held(state, request);
    if (d.state == DatabaseState::recycling || d.state == DatabaseState::cloning)
        return std::nullopt;
    if (d.state != DatabaseState::leased) errors::not_leased(NameStr(d.name));
    if (d.of->state == TemplateState::discarded)
        errors::raise(errors::discarded_reply(d.of->hash, d.of->reason));
    if (database::has_prepared_transactions(d.oid)) prepared(d);
    if (database::is_being_altered(d.oid)) {
        if (TimestampDifferenceExceeds(request.since, GetCurrentTimestamp(), request.count))
            altered(d);
        look_again(state, GetCurrentTimestamp() + alteration_us);
        return std::nullopt;
    }
    if (!settings::may_rewind()) set_text(state, d.clone_reason, recreate_reason);
    if (!can_rewind(d)) note_clone_instead(state, d);
    d.state = DatabaseState::recycling;
    d.live = true;
    d.grace = request.count;
    update(state, d);
    shmem::accept(request.ticket, key_of(d));
    return std::nullopt;
}

std::optional<Reply> keep(State& state, const Request& request) {
    Database& d = held(state, request);
    if (d.state != DatabaseState::leased && d.state != DatabaseState::kept)
        errors::not_leased(NameStr(d.name));
    if (d.named) database::refuse_altered(d.oid, NameStr(d.name));
    ForceSyncCommit();  // nothing else that is on disk tells of it
    // Who connects to the name from now on is the next test.
    if (d.named) {
        d.known_as = d.name;
        take_name_away(d);
    }
    d.state = DatabaseState::kept;
    set_text(state, d.reason, request.has_text ? request.text : nullptr);
    update(state, d);
    if (!post_lease(d)) errors::no_place(NameStr(d.name));
    events::note("kept", d);
    Reply reply = leased(d);
    reply.granted = 0;
    return reply;
}

std::optional<Reply> diff(State& state, const Request& request) {
    Database& d = held(state, request);
    if (d.state != DatabaseState::leased && d.state != DatabaseState::kept)
        errors::not_leased(NameStr(d.name));
    Reply reply{};
    reply.oid = d.oid;
    reply.source = d.of->is_root() ? get_database_oid(settings::root_template, true) : d.of->oid;
    if (OidIsValid(reply.source) && database::exists(reply.source)) return reply;
    if (d.of->state == TemplateState::discarded)
        errors::raise(errors::discarded_reply(d.of->hash, d.of->reason));
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("the template of database \"%s\" does not exist any more", NameStr(d.name)),
             errdetail("It was dropped by someone else."),
             errhint("Leave testpool's databases to testpool.")));
}

std::optional<Reply> prewarm(State& state, const Request& request) {
    Template& t = wanted(state, request);
    int ready = count(t, DatabaseState::ready);
    shmem::note_demand(t.id, request.count);
    if (t.state == TemplateState::finalized && ready >= request.count) return Reply{.count = ready};
    if (!something_comes(t) && stays_short(state, &t)) disk_is_short(&t);
    wait_for(state, t, request);
    disturb(state, t);
    t.prewarm = std::max(t.prewarm, request.count);
    return std::nullopt;
}

void take_back(State& state, const Reply& reply) {
    if (reply.granted == 0) return;
    Database* d = find_leased(state, reply.granted);
    if (d != nullptr && d->state == DatabaseState::leased) recycle(state, *d);
    if (Template* t = find_claimed(state, reply.granted))
        discard(state, *t, "the session that claimed it did not wait", false);
}

void post_leases(State& state) {
    Lease lease{};
    for (int i = shmem::lease_room() - 1; i >= 0; i--) {
        if (!shmem::lease_at(i, &lease)) continue;
        if (find_leased(state, lease.key) == nullptr && find_claimed(state, lease.key) == nullptr)
            shmem::remove_lease(lease.key);
    }
    state.unposted = 0;
    for (Database& d : databases(state))
        if (OidIsValid(d.role)) state.unposted += !post_lease(d);
    for (Template& t : templates(state))
        if (t.state == TemplateState::building) state.unposted += !post_claim(t);
}

void mend(State& state) {
    if (shmem::stamps_are_doubtful())
        for (Database& d : databases(state)) {
            if (!d.rewindable) continue;
            d.rewindable = false;
            update(state, d);
        }
    for (Database& d : databases(state)) {
        bool held = d.state == DatabaseState::leased || d.state == DatabaseState::kept;
        bool free = d.state == DatabaseState::ready;
        if (OidIsValid(d.role) ? free || key_of(d) == 0 : held) recycle(state, d);
    }
}

namespace {

int grace_of(const Lease& lease) { return lease.detached ? lease.grace : settings::lease_grace; }

}  // namespace

bool may_be_over(State& state, const Lease& lease) {
    if (lease.end != LeaseEnd::none || lease.kind == LeaseKind::kept) return true;
    TimestampTz over = TimestampTzPlusMilliseconds(lease.last_seen, grace_of(lease));
    over = std::max({over, lease.awaited_until, lease.arrival});
    if (over <= GetCurrentTimestamp()) return true;
    look_again(state, over);
    return false;
}

namespace {

/// Its session is gone: it is over once nobody has been in the database for the grace.
bool is_abandoned(State& state, const Lease& lease) {
    if (!lease.orphaned || !may_be_over(state, lease)) return false;
    if (database::sessions_in(lease.oid) == 0) return true;
    // Whoever is inside now has a whole grace after leaving.
    constexpr int shortest_look_ms = 100;
    look_again(state, TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
                                                  std::max(grace_of(lease), shortest_look_ms)));
    return false;
}

bool end_claim_if_over(State& state, const Lease& lease) {
    Template* t = find_claimed(state, lease.key);
    if (t == nullptr) {
        shmem::remove_lease(lease.key);
        return true;
    }
    if (t->sealing) return false;
    if (lease.end == LeaseEnd::rolled_back)
        discard(state, *t, "the transaction that claimed it was rolled back", false);
    else if (is_abandoned(state, lease))
        discard(state, *t, "its builder is gone", false);
    return t->state == TemplateState::discarded;
}

}  // namespace

bool end_if_over(State& state, const Lease& lease) {
    if (lease.kind == LeaseKind::claim) return end_claim_if_over(state, lease);
    Database* d = find_leased(state, lease.key);
    if (d == nullptr) {  // it was recycled, and that is committed now
        shmem::remove_lease(lease.key);
        return true;
    }
    if (is_at_work(*d)) return false;  // a worker recreates it: when that is done
    bool over = lease.end != LeaseEnd::none;
    bool abandoned = !over && d->state != DatabaseState::kept && is_abandoned(state, lease);
    if ((over || abandoned) && d->named && pass_over(state, *d)) return false;
    if (abandoned && !shmem::abandon(lease)) {  // somebody has just come
        look_again(state, GetCurrentTimestamp());
        return false;
    }
    if (abandoned && !lease.detached) {
        shmem::count(d->of->id, Count::abandoned);
        events::note("abandoned", *d);
    }
    if (over || abandoned) recycle(state, *d);
    return over || abandoned;
}

}  // namespace testpool::pool
