// Builds with named points check after each look what is kept of the rows, and that what is left
// alone has nothing to be done: a walk over all of them has to find the same.

#ifdef TESTPOOL_POINTS

#include "pool/schedule.h"
#include "pool/stock.h"

namespace testpool::pool {

namespace {

void require(bool holds, const char* what, const char* of) {
    if (!holds)
        ereport(PANIC, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("testpool's memory is wrong: %s of \"%s\"", what, of)));
}

void verify(const State& state, const Database& d) {
    const char* name = NameStr(d.name);
    require(find_database(state, d.id) == &d, "found by id", name);
    require(find_database_of(state, d.oid) == &d, "found by OID", name);
    require(find_database(state, name) == &d, "found by name", name);
    require(!OidIsValid(d.role) || find_leased(state, key_of(d)) == &d, "found by lease", name);
}

void verify_counts(const State& state, const Template& t) {
    int clones = 0;
    int leased = 0;
    int held = 0;
    int rewindable = 0;
    int ready = 0;
    int unsettled = 0;
    for (Database& d : databases(state)) {
        if (d.of != &t) continue;
        bool waits = d.state == DatabaseState::ready && !d.passed_over;
        bool used = d.state == DatabaseState::leased || d.state == DatabaseState::kept;
        clones++;
        leased += d.state == DatabaseState::leased;
        held += OidIsValid(d.role);
        rewindable += can_rewind(d);
        ready += waits;
        unsettled += !waits && !used;
    }
    const char* name = NameStr(t.database);
    require(t.clones.length == clones, "number of clones", name);
    require(t.leased == leased, "number of leases", name);
    require(t.held == held, "number of those held", name);
    require(t.rewindable == rewindable, "number of those that can be rewound", name);
    require(t.ready.length == ready, "number of those ready", name);
    require(t.unsettled.length == unsettled, "number of those unsettled", name);
}

void verify_left_alone(const State& state, Template& t) {
    if (t.is_restless || t.is_starved) return;
    TimestampTz look_at = t.look_at;
    const char* name = NameStr(t.database);
    require(is_settled(t), "settled state", name);
    if (t.state == TemplateState::finalized && !t.paused)
        require(is_filled(pool_of(state, t)), "filled pool", name);
    require(t.timer.at == look_at, "timer", name);
    t.look_at = look_at;
}

}  // namespace

void verify(State& state) {
    int databases_of_templates = 0;
    for (Template& t : templates(state)) {
        databases_of_templates += OidIsValid(t.oid);
        require(find_template(state, t.id) == &t, "found by id", NameStr(t.database));
        if (!t.is_root() && t.state != TemplateState::discarded)
            require(find_living(state, t.hash) == &t, "found by hash", NameStr(t.database));
        verify_counts(state, t);
        verify_left_alone(state, t);
    }
    require(state.template_databases == databases_of_templates, "number of databases", "templates");
    for (Database& d : databases(state)) verify(state, d);
}

}  // namespace testpool::pool

#endif
