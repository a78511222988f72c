// Templates: claimed, built, sealed, discarded.

#include "catalog.h"
#include "database.h"
#include "errors.h"
#include "events.h"
#include "pool/bounds.h"
#include "settings.h"

namespace testpool::pool {

namespace {

const Template* base_of(const State& state, const Request& request) {
    if (!request.has_base) return nullptr;
    const Template* base = find_living(state, request.base);
    if (base == nullptr) no_living(state, request.base);
    if (base->state != TemplateState::finalized)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("template \"%s\" is not finalized", errors::shown(base->hash)),
                        errhint("Finalize it before you build on it.")));
    return base;
}

bool has_databases(const Template& t) { return t.clones.length > 0 || OidIsValid(t.oid); }

void forget(State& state, Template& t) {
    catalog::remove(t);
    shmem::forget_tally(t.id);
    remove(state, t);
    for (const char** text : {&t.hash, &t.name, &t.clone_strategy, &t.strategy_reason, &t.reason,
                              &t.clone_reason, &t.warning, &t.drift})
        set_text(state, *text, nullptr);
    pfree(&t);
}

/// Discarded templates are remembered for their reason, until the same hash is built again or the
/// list is long. One that still has databases stays.
void forget_old(State& state, const char* rebuilt) {
    int remembered = 0;
    for (Template& t : templates(state)) remembered += t.state == TemplateState::discarded;
    for (Template& t : templates(state)) {
        if (t.state != TemplateState::discarded || has_databases(t)) continue;
        if (strcmp(t.hash, rebuilt) != 0 && remembered <= remembered_templates) continue;
        forget(state, t);
        remembered--;
    }
}

NameData free_template_name(int32& id) {
    NameData name;
    do {
        id = static_cast<int32>(catalog::next_template_id());
    } while (!database::choose_name(psprintf("template_%d", id), &name));
    return name;
}

/// A build begins, unless something has to be dropped first.
void claim(State& state, const Request& request) {
    const Template* base = base_of(state, request);
    if (request.has_text) require_right_to_name(state, request);
    if (!has_room_for_build(state, request, base)) return;
    forget_old(state, request.hash);
    auto* t = static_cast<Template*>(MemoryContextAllocZero(state.memory, sizeof(Template)));
    t->database = free_template_name(t->id);
    t->hash = stored(state, request.hash);
    t->name = request.has_text ? stored(state, request.text) : nullptr;
    t->state = TemplateState::building;
    t->oid = database::choose_oid();
    t->owner = request.role;
    t->base = base != nullptr ? base->id : 0;
    t->bytes = base != nullptr ? base->bytes : 0;  // until it is measured
    t->builder.session = request.session;
    strlcpy(NameStr(t->builder.application), request.application, NAMEDATALEN);
    strlcpy(NameStr(t->builder.client), request.client, NAMEDATALEN);
    t->claimed_at = shmem::unique_moment();
    catalog::insert(*t);
    add(state, *t);
    if (!post_claim(*t)) errors::no_place(NameStr(t->database));
    events::note("claimed", *t);
}

Reply built(State& state, const Template& t, const Request& request) {
    if (!hold(state, key_of(t), request)) errors::no_place(NameStr(t.database));
    Reply reply{};
    reply.database = t.database;
    reply.granted = key_of(t);
    return reply;
}

[[noreturn]] void still_building(const Template& t) {
    const char* owner = GetUserNameFromId(t.owner, true);
    ereport(
        ERROR,
        (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
         errmsg("template \"%s\" is still being built by another session", errors::shown(t.hash)),
         errdetail("Process %d (role \"%s\", application \"%s\") has been building it in "
                   "database \"%s\" since %s.",
                   t.builder.session.pid, owner != nullptr ? owner : "?",
                   NameStr(t.builder.application), NameStr(t.database),
                   timestamptz_to_str(t.claimed_at)),
         errhint("Wait longer with testpool.template_timeout, or give the build up with "
                 "testpool.discard.")));
    pg_unreachable();
}

[[noreturn]] void not_claimed(const State& state, const char* hash) {
    if (const Template* old = find_discarded(state, hash))
        errors::raise(errors::discarded_reply(old->hash, old->reason));
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("template \"%s\" was not claimed", errors::shown(hash)),
                    errhint("Call testpool.init_template first.")));
    pg_unreachable();
}

Template& claimed(const State& state, const Request& request) {
    Template* t = find_living(state, request.hash);
    if (t == nullptr) not_claimed(state, request.hash);
    if (!may_act(request, t->owner))
        errors::not_yours("template", errors::shown(request.hash), t->owner);
    return *t;
}

void discard_everything(State& state) {
    for (Template& t : templates(state))
        if (!t.is_root() && t.state != TemplateState::discarded)
            discard(state, t, "testpool.reset() was called", true);
    for (Database& d : databases(state))
        if (d.state == DatabaseState::failed || OidIsValid(d.role)) give_up(state, d);
    for (Template& t : templates(state)) {
        t.retry_at = 0;
        disturb(state, t);
    }
}

/// A build tool may have dropped the database and created it again: what its role has under the
/// name is taken for it.
void adopt_or_refuse(Template& t) {
    if (database::exists(t.oid)) return;
    Oid found = database::of_owner(NameStr(t.database), t.owner);
    if (!OidIsValid(found))
        ereport(
            ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("the database of template \"%s\" is gone", errors::shown(t.hash)),
             errdetail("\"%s\" was dropped, and there is none of that name that belongs to role "
                       "\"%s\".",
                       NameStr(t.database), GetUserNameFromId(t.owner, true)),
             errhint("Create it again under that name, or call testpool.discard and "
                     "testpool.init_template.")));
    t.oid = found;
    if (!post_claim(t)) errors::no_place(NameStr(t.database));
}

Reply sealed(const Template& t) {
    Reply reply{};
    reply.subject = key_of(t);
    if (t.warning != nullptr) strlcpy(reply.message, t.warning, sizeof(reply.message));
    return reply;
}

}  // namespace

std::optional<Reply> init_template(State& state, const Request& request) {
    Template* t = find_living(state, request.hash);
    if (t == nullptr) {
        claim(state, request);
        return std::nullopt;
    }
    if (t->state == TemplateState::finalized) {
        shmem::note_used(t->id);
        return Reply{.null = true};
    }
    if (t->builder.session == request.session && t->owner == request.role && !t->sealing) {
        if (t->exists) return built(state, *t, request);
        return std::nullopt;
    }
    if (request.deadline <= GetCurrentTimestamp()) still_building(*t);
    look_again(state, request.deadline);
    return std::nullopt;
}

std::optional<Reply> finalize(State& state, const Request& request) {
    Template& t = claimed(state, request);
    if (t.state == TemplateState::finalized) return sealed(t);
    if (t.sealing) return std::nullopt;
    if (request.accepted) errors::raise(t.error);
    if (!t.exists)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("the database of template \"%s\" is still being created",
                               errors::shown(t.hash)),
                        errhint("Wait for testpool.init_template to return.")));
    adopt_or_refuse(t);
    t.sealing = true;
    update(state, t);
    shmem::accept(request.ticket);
    return std::nullopt;
}

std::optional<Reply> discard(State& state, const Request& request) {
    Template* t = find_living(state, request.hash);
    if (t == nullptr) t = find_discarded(state, request.hash);
    if (t == nullptr) errors::unknown_template(request.hash);
    if (!may_act(request, t->owner))
        errors::not_yours("template", errors::shown(request.hash), t->owner);
    ForceSyncCommit();  // a crash must not bring back what somebody has given up
    if (t->state != TemplateState::discarded)
        discard(state, *t, request.has_text ? request.text : nullptr, true);
    return Reply{};
}

std::optional<Reply> reset(State& state, const Request& request) {
    state.drops_awaited = true;
    if (!request.accepted) {
        discard_everything(state);
        shmem::accept(request.ticket);
    }
    for (Database& d : databases(state))
        if (request.accepted && d.state == DatabaseState::failed)
            ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                            errmsg("database \"%s\" cannot be dropped yet", NameStr(d.name)),
                            errdetail("%s", d.error != nullptr ? d.error : ""),
                            errhint("It is tried again by itself; so can you.")));
    if (state.databases.length > 0 || state.template_databases > 0) return std::nullopt;
    for (Template& t : templates(state)) forget(state, t);
    return Reply{};
}

}  // namespace testpool::pool
