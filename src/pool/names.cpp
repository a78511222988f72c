// Names: which template a name means, and which database a client gets that connects to one.

#include "catalog.h"
#include "database.h"
#include "errors.h"
#include "events.h"
#include "pool/lifecycle.h"

namespace testpool::pool {

namespace {

bool bears(const Template& t, const char* name) {
    return !t.is_root() && t.state != TemplateState::discarded && t.name != nullptr &&
           strcmp(t.name, name) == 0;
}

bool is_later(const Template& t, const Template& other) {
    return std::tuple(t.finalized_at, t.claimed_at, t.id) >
           std::tuple(other.finalized_at, other.claimed_at, other.id);
}

/// The template that was finalized last under that name; if there is none, one that is being built.
Template* find_named(const State& state, const char* name) {
    Template* last = nullptr;
    for (Template& t : templates(state))
        if (bears(t, name) && (last == nullptr || is_later(t, *last))) last = &t;
    return last;
}

/// PostgreSQL takes any bytes for the name of a database; ours stands in tables, too.
void require_readable(const char* name) {
    if (pg_verifymbstr(name, static_cast<int>(strlen(name)), true) &&
        strpbrk(name, "\r\n") == nullptr)
        return;
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_NAME), errmsg("the name of the database is not valid text"),
             errdetail("testpool reads it as %s, on one line.", GetDatabaseEncodingName()),
             errhint("Use plain letters, digits and signs after the template's name.")));
}

[[noreturn]] void no_such_name(const Request& request) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_DATABASE),
                    errmsg("database \"%s\" does not exist", NameStr(request.database)),
                    errdetail("No template bears the name \"%s\" from which it could be cloned.",
                              request.text),
                    errhint("Name one with testpool.init_template or testpool.alias. The view "
                            "testpool.templates lists them.")));
    pg_unreachable();
}

/// Whether there is such a template is not for everybody to know.
[[noreturn]] void no_right(const Request& request) {
    const char* role = GetUserNameFromId(request.role, true);
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("permission denied to lease database \"%s\"", NameStr(request.database)),
                    errdetail("Role \"%s\" may not call testpool.acquire().",
                              role != nullptr ? role : "?"),
                    errhint("Grant it USAGE on schema testpool and EXECUTE on function "
                            "testpool.acquire(text, interval).")));
    pg_unreachable();
}

/// True if clients may go in. Else it is being recreated, or its release is on the way.
bool is_enterable(const Database& d) {
    Lease lease;
    bool held = d.state == DatabaseState::leased || d.state == DatabaseState::kept;
    return held && shmem::find_lease(NameStr(d.name), &lease) && lease.end == LeaseEnd::none;
}

}  // namespace

void require_right_to_name(const State& state, const Request& request) {
    for (Template& each : templates(state))
        if (bears(each, request.text) && !may_act(request, each.owner))
            errors::not_yours("template", errors::shown(each.hash), each.owner);
}

std::optional<Reply> connect(State& state, const Request& request) {
    const char* name = NameStr(request.database);
    if (Database* d = find_database(state, name); d != nullptr && d->named) {
        if (is_enterable(*d)) return Reply{};
        wait_for(state, *d->of, request);
        return std::nullopt;
    }
    if (OidIsValid(get_database_oid(name, true))) return Reply{};  // somebody else's
    if (!catalog::may_acquire(request.role)) no_right(request);
    Template* t = find_named(state, request.text);
    if (t == nullptr) no_such_name(request);
    if (database::is_being_altered(name)) {  // another database may be about to bear it
        look_again(state, GetCurrentTimestamp() + alteration_us);
        wait_for(state, *t, request);
        return std::nullopt;
    }
    require_readable(name);
    Database* d = take(state, *t, request);
    if (d == nullptr) return std::nullopt;
    d->named = true;
    lease(state, *d, &request.database);
    events::note("leased", *d);
    return Reply{};
}

std::optional<Reply> knows(const State& state, const Request& request) {
    Reply reply{};
    reply.null = true;
    for (Database& d : databases(state)) reply.null &= d.oid != request.oid;
    for (Template& t : templates(state)) reply.null &= t.oid != request.oid;
    return reply;
}

std::optional<Reply> alias(State& state, const Request& request) {
    Template* t = find_living(state, request.hash);
    if (t == nullptr) no_living(state, request.hash);
    if (!may_act(request, t->owner))
        errors::not_yours("template", errors::shown(t->hash), t->owner);
    require_right_to_name(state, request);
    ForceSyncCommit();
    for (Template& each : templates(state)) {
        if (&each == t || !bears(each, request.text)) continue;
        set_text(state, each.name, nullptr);
        update(state, each);
    }
    set_text(state, t->name, request.text);
    update(state, *t);
    return Reply{};
}

}  // namespace testpool::pool
