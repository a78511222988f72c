// Sealing again. PostgreSQL lets nothing grow older than autovacuum_freeze_max_age: then autovacuum
// enters every database, whatever its settings say, and changes pages and horizons of templates. A
// template is vacuumed and sealed anew before that, at a quiet moment; and at once if it was
// vacuumed all the same, because until then no clone of it can be rewound.
//
// It is still the template that was built if nobody was in it but who vacuums. It refuses
// connections, and to let somebody in is to write its row in pg_database: where that is the version
// that sealing wrote, nobody was. Otherwise it stays as it is: each clone is a copy of it, and none
// is rewound.

#include "pool/reseal.h"

#include "catalog.h"
#include "database.h"
#include "errors.h"
#include "events.h"
#include "log.h"
#include "settings.h"

namespace testpool::pool {

namespace {

// Nobody tells that transaction ids are spent.
constexpr int64 look_us = 10 * USECS_PER_SEC;
constexpr int64 close_look_us = USECS_PER_SEC;
constexpr int64 quiet_us = USECS_PER_SEC;
constexpr int64 long_ago_us = 10 * SECS_PER_MINUTE * USECS_PER_SEC;

// Of the age at which autovacuum comes.
constexpr double old = 0.8;
constexpr double very_old = 0.9;  // it is not put off any longer
constexpr double young = 0.5;     // what it would have to be afterwards

/// The age of what is oldest in the template, as a share of that.
double age_of(const Seal& seal) {
    auto xids = static_cast<int32>(ReadNextTransactionId() - seal.frozen_xid);
    auto mxids = static_cast<int32>(ReadNextMultiXactId() - seal.min_mxid);
    return std::max(static_cast<double>(xids) / autovacuum_freeze_max_age,
                    static_cast<double>(mxids) / autovacuum_multixact_freeze_max_age);
}

/// An old snapshot keeps VACUUM from making anything younger.
bool can_be_younger() {
    auto xids = static_cast<int32>(ReadNextTransactionId() - database::oldest_needed());
    return static_cast<double>(xids) / autovacuum_freeze_max_age < young;
}

bool is_quiet(const State& state, Template& t) {
    TimestampTz quiet_at = state.used_at + quiet_us;
    bool quiet = quiet_at <= GetCurrentTimestamp();
    if (!quiet) look_again(t, quiet_at);
    return quiet && t.waiting == 0;
}

/// All templates in one look.
TimestampTz next_look(int64 every_us) { return (GetCurrentTimestamp() / every_us + 1) * every_us; }

bool is_too_old(const State& state, Template& t) {
    double age = age_of(t.seal);
    look_again(t, next_look(age < young ? look_us : close_look_us));
    return age >= old && can_be_younger() && (age >= very_old || is_quiet(state, t));
}

bool is_put_off(Template& t) {
    if (t.reseal_at <= GetCurrentTimestamp()) return false;
    look_again(t, t.reseal_at);
    return true;
}

/// What drifts, or fails, again and again is tried ever later.
void put_off(Template& t) {
    TimestampTz now = GetCurrentTimestamp();
    if (now - t.reseal_at > long_ago_us) t.reseals = 0;
    t.reseal_at = retry_time(t.reseals++);
}

/// What was made before stays in use, and is good as it is; but it is not put back page by page to
/// what the template is now.
void outdate_clones(State& state, Template& t) {
    for (Database& d : Each<Database>(t.clones.list)) {
        if (!d.rewindable) continue;
        d.rewindable = false;
        set_text(state, d.unrewindable, "its template was sealed again since it became clean");
        if (d.state == DatabaseState::recycling) note_clone_instead(state, d);
        update(state, d);  // after a restart, too
    }
}

}  // namespace

void note_drift(State& state, Template& t, const char* why) {
    if (t.drift != nullptr || t.state != TemplateState::finalized) return;
    bool altered = !database::is_as_sealed(t.oid, t.seal);
    set_text(state, t.drift,
             altered
                 ? psprintf("%s; its database was altered since, so it is not sealed again", why)
                 : why);
    update(state, t);
    log_line(altered ? WARNING : LOG, "template \"%s\" is not what was finalized: %s",
             errors::shown(t.hash), t.drift);
}

bool reseal_is_due(const State& state, Template& t) {
    bool may_be = t.state == TemplateState::finalized && !t.is_root() && settings::may_rewind();
    return may_be && !is_put_off(t) && (t.drift != nullptr || is_too_old(state, t)) &&
           database::is_as_sealed(t.oid, t.seal);
}

void resealed(State& state, Template& t, const Outcome& outcome) {
    put_off(t);
    if (t.state != TemplateState::finalized) return;  // discarded meanwhile
    if (outcome.sqlstate != 0) {
        shmem::count_failure(t.id, outcome.message);
        log_line(WARNING, "template \"%s\" could not be sealed again: %s", errors::shown(t.hash),
                 outcome.message);
        return discard_if_gone(state, t);
    }
    events::note("resealed", t, t.drift != nullptr ? t.drift : "it was getting old");
    t.seal = outcome.seal;
    t.bytes = outcome.bytes;
    t.resealed_at = GetCurrentTimestamp();
    set_text(state, t.drift, nullptr);
    outdate_clones(state, t);
    choose_copying(state, t);
    update(state, t);
}

}  // namespace testpool::pool
