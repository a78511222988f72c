// Bounds: how much there may be of everything, and what has to go when there would be more. What
// was used least recently goes first: an idle clone, then a whole template. What is in use never
// goes.

#include "pool/bounds.h"

#include "database.h"
#include "disk.h"
#include "errors.h"
#include "settings.h"

namespace testpool::pool {

namespace {

constexpr int64 megabyte = 1024 * 1024;

int64 bytes_used(const State& state) {
    int64 bytes = 0;
    for (Template& t : templates(state))
        bytes += t.bytes * (t.clones.length + static_cast<int>(t.has_database));
    return bytes;
}

int64 wanted_bytes(const Template* t) {
    return settings::min_free_space * megabyte + (t != nullptr ? t->bytes : 0);
}

Oid tablespace_of(const Template* t) {
    return t == nullptr || t->is_root() ? InvalidOid : database::tablespace_of(t->oid);
}

TimestampTz used_at(const Template& t) {
    return std::max(t.finalized_at, shmem::usage_of(t.id).used_at);
}

bool is_base_of_build(const State& state, const Template& t) {
    for (Template& other : templates(state))
        if (other.base == t.id && other.state == TemplateState::building && !other.exists)
            return true;
    return false;
}

bool is_in_use(const State& state, const Template& t) {
    return t.held > 0 || t.waiting > 0 || t.prewarm > 0 || is_base_of_build(state, t);
}

bool is_idle(const State& state, const Template& t) {
    return !t.is_root() && t.state == TemplateState::finalized && !is_in_use(state, t);
}

/// The clone that is missed least: ready, and of the template that was used least recently.
Database* idle_clone(const State& state, const Template* but) {
    Template* found = nullptr;
    for (Template& t : templates(state)) {
        if (&t == but || t.ready.length == 0 || t.waiting > 0) continue;
        if (found == nullptr || used_at(t) < used_at(*found)) found = &t;
    }
    return found != nullptr ? &*Each<Database>(found->ready.list).begin() : nullptr;
}

Template* idle_template(const State& state, const Template* but) {
    Template* found = nullptr;
    for (Template& t : templates(state)) {
        if (&t == but || !is_idle(state, t)) continue;
        if (found == nullptr || used_at(t) < used_at(*found)) found = &t;
    }
    return found;
}

bool something_leaves(const State& state) {
    for (Template& t : templates(state)) {
        if (t.state == TemplateState::discarded && OidIsValid(t.oid)) return true;
        for (Database& d : Each<Database>(t.unsettled.list))
            if (is_leaving(d)) return true;
    }
    return false;
}

/// Has something dropped in favour of a template; false if all the rest is in use.
bool make_room(State& state, const Template* for_whom) {
    state.drops_awaited = true;
    if (something_leaves(state)) return true;
    if (Database* d = idle_clone(state, for_whom)) {
        d->rewindable = false;  // so it is dropped
        recycle(state, *d);
        return true;
    }
    Template* t = idle_template(state, for_whom);
    if (t == nullptr) return false;
    discard(state, *t, "others needed its room, and it was the least recently used", true);
    return true;
}

[[noreturn]] void no_room(const State& state) {
    if (room(state) > 0)
        ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                        errmsg("testpool's databases take %lld MB already",
                               static_cast<long long>(bytes_used(state) / megabyte)),
                        errdetail("testpool.max_size is %d MB, and all of them are in use.",
                                  settings::max_size),
                        errhint("Release databases, or raise testpool.max_size.")));
    ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                    errmsg("testpool has %d databases already", settings::max_databases),
                    errhint("Discard templates, release databases, or raise "
                            "testpool.max_databases.")));
    pg_unreachable();
}

bool waits_for_clone(const Template& t) {
    int coming = t.ready.length;
    for (Database& d : Each<Database>(t.unsettled.list)) coming += will_be_ready(d);
    return t.waiting > coming;
}

/// Somebody waits for a clone that cannot be made unless something else goes.
bool lacks_room(const State& state, const Template& t) {
    return t.waiting > 0 && t.state == TemplateState::finalized && waits_for_clone(t) &&
           !is_at_pool_max(state, t) && obstacle(state, t) != nullptr;
}

}  // namespace

bool has_expired(const State& state, Template& t) {
    if (settings::template_ttl == 0 || !is_idle(state, t)) return false;
    TimestampTz until = used_at(t) + settings::template_ttl * USECS_PER_SEC;
    if (until <= GetCurrentTimestamp()) return true;
    look_again(t, until);
    return false;
}

int64 bytes_left(const State& state) {
    if (settings::max_size == 0) return PG_INT64_MAX;
    return settings::max_size * megabyte - bytes_used(state);
}

bool is_disk_short(const Template* t) {
    return settings::min_free_space > 0 && disk::free_bytes(tablespace_of(t)) < wanted_bytes(t);
}

void disk_is_short(const Template* t) {
    ereport(ERROR,
            (errcode(ERRCODE_DISK_FULL), errmsg("the disk has no room for another database"),
             errdetail("%lld MB are free; the database takes %lld MB, and testpool.min_free_space "
                       "is %d MB.",
                       static_cast<long long>(disk::free_bytes(tablespace_of(t)) / megabyte),
                       static_cast<long long>(t != nullptr ? t->bytes / megabyte : 0),
                       settings::min_free_space),
             errhint("Free disk space, discard templates, or lower testpool.min_free_space.")));
    pg_unreachable();
}

bool stays_short(State& state, const Template* t) {
    if (!is_disk_short(t)) return false;
    if (!something_leaves(state)) return true;
    state.drops_awaited = true;
    return false;
}

const char* obstacle(const State& state, const Template& t) {
    if (is_at_pool_max(state, t)) return "testpool.pool_max is reached";
    if (room(state) <= 0) return "testpool.max_databases is reached";
    if (bytes_left(state) < t.bytes) return "testpool.max_size is reached";
    return nullptr;
}

bool has_room_for_build(State& state, const Request& request, const Template* base) {
    bool is_late = request.deadline <= GetCurrentTimestamp();
    if (is_disk_short(base)) {
        if (is_late || stays_short(state, base)) disk_is_short(base);
        look_again(state, request.deadline);
        return false;
    }
    if (room(state) > 0 && bytes_left(state) > (base != nullptr ? base->bytes : 0)) return true;
    if (is_late || !make_room(state, base)) no_room(state);
    look_again(state, request.deadline);
    return false;
}

bool is_at_its_limit(State& state, const Request& request) {
    if (settings::max_leases_per_role == 0) return false;
    int leases = 0;
    for (Database& d : databases(state)) leases += d.role == request.role;
    if (leases < settings::max_leases_per_role) return false;
    if (request.deadline > GetCurrentTimestamp()) {
        look_again(state, request.deadline);
        return true;
    }
    const char* role = GetUserNameFromId(request.role, true);
    ereport(ERROR,
            (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
             errmsg("role \"%s\" has %d leases already", role != nullptr ? role : "?", leases),
             errdetail("testpool.max_leases_per_role is %d.", settings::max_leases_per_role),
             errhint("Release databases, or raise testpool.max_leases_per_role.")));
    pg_unreachable();
}

bool is_out_of_bounds(State& state) {
    for (Template& t : Each<Template>(state.restless.list))
        if (has_expired(state, t) || lacks_room(state, t)) return true;
    return false;
}

void keep_within_bounds(State& state) {
    for (Template& t : Each<Template>(state.restless.list)) {
        if (has_expired(state, t))
            discard(state, t, "it was not used for testpool.template_ttl", true);
        if (lacks_room(state, t)) make_room(state, &t);
    }
}

void note_first_use(const State& state) {
    for (Template& t : templates(state))
        if (t.state == TemplateState::finalized && shmem::usage_of(t.id).used_at == 0)
            shmem::note_used(t.id);
}

}  // namespace testpool::pool
