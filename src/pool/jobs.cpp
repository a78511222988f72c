// Jobs: what a worker is told. It knows nothing of templates and leases, so a job says it all.

#include "pool/jobs.h"

#include "catalog.h"
#include "database.h"
#include "settings.h"

namespace testpool::pool {

namespace {

/// What a database is copied from.
void set_source(const State& state, Job& job, int32 id) {
    Template* source = find_template(state, id);
    if (source != nullptr && !source->is_root()) {
        job.source = source->oid;
        job.source_name = source->database;
        job.seal = source->seal;
        job.tablespace = database::tablespace_of(source->oid);
        // To choose costs looks at the disk; a rewind copies nothing.
        if (job.task == Task::create) job.copying = choose_copying(state, *source);
    } else {
        job.copying = copying_of_root();
        strlcpy(NameStr(job.source_name), settings::root_template, NAMEDATALEN);
    }
}

}  // namespace

bool is_slow(const Template& t, Task task) {
    constexpr int64 many_bytes = 256 * 1024 * 1024;
    constexpr double long_seconds = 1;
    if (task == Task::create)
        return t.bytes > many_bytes || t.usage.seconds_to_clone > long_seconds;
    return task == Task::drop || task == Task::seal || task == Task::reseal;
}

Job job_for(const State& state, const Template& t, Task task) {
    Job job{};
    job.task = task;
    job.of_template = true;
    job.row = t.id;
    job.slow = is_slow(t, task);
    job.oid = t.oid;
    job.name = t.database;
    job.owner = t.owner;
    job.connectable = true;
    job.confirmed = t.exists;
    job.vacuum = settings::vacuum_templates;
    job.seal = t.seal;
    if (task == Task::create) set_source(state, job, t.base);
    return job;
}

Job job_for(const State& state, const Database& d, Task task) {
    Job job{};
    job.task = task;
    job.row = d.id;
    job.slow = is_slow(*d.of, task);
    job.oid = d.oid;
    job.name = d.name;
    job.confirmed = d.ready_at != 0;
    job.live = d.live;
    job.grace = d.grace;
    if (d.live && d.clone_reason != nullptr)
        snprintf(job.why, sizeof(job.why), "The database is cloned again: %s.", d.clone_reason);
    if (task == Task::drop) return job;
    set_source(state, job, d.of->id);
    job.prepare = !d.of->is_root() && settings::may_rewind();
    if (job.task == Task::rewind && d.live) job.owner = d.role;
    job.barrier = d.barrier;
    // A name is never handed out twice: whoever still reconnects to it must not meet the next
    // holder.
    int64 number = 0;
    bool renamed = task == Task::rewind && !OidIsValid(d.role);
    job.new_name = renamed ? free_clone_name(*d.of, number) : d.name;
    return job;
}

Database& begin_clone(State& state, Template& t) {
    auto* d = static_cast<Database*>(MemoryContextAllocZero(state.memory, sizeof(Database)));
    d->of = &t;
    d->name = free_clone_name(t, d->id);
    d->oid = database::choose_oid();
    d->state = DatabaseState::cloning;
    d->generation = 1;
    d->created_at = GetCurrentTimestamp();
    d->looked_at = ReadNextTransactionId();
    std::swap(d->clone_reason, t.clone_reason);
    catalog::insert(*d);
    add(state, *d);
    return *d;
}

NameData free_clone_name(const Template& t, int64& number) {
    NameData name;
    do {
        number = catalog::next_database_id();
    } while (!database::choose_name(psprintf("%d_" INT64_FORMAT, t.id, number), &name));
    return name;
}

}  // namespace testpool::pool
