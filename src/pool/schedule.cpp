// The schedule: what there is for workers to do, and which of it is next. Only templates that are
// restless are looked at: of the others nothing has changed since there was nothing to do.

#include "pool/schedule.h"

#include "pool/bounds.h"
#include "pool/jobs.h"
#include "pool/reseal.h"
#include "pool/stock.h"
#include "settings.h"

namespace testpool::pool {

namespace {

/// A row that needs a worker, and the job that it needs.
struct Work {
    plan::Chore chore;
    Task task;
    Template* of_template;  // one of the two
    Database* of_database;
};

/// What is planned with: the pools that are looked at, and whose each is; and the work that is
/// open.
struct Plan {
    std::span<plan::Pool> pools;
    std::span<Template*> owners;
    std::span<Work> work;
};

template <class Item>
std::span<Item> room_for(int items) {
    auto* memory = static_cast<Item*>(palloc(sizeof(Item) * std::max(1, items)));
    return {memory, static_cast<size_t>(items)};
}

bool some_worker_has(bool of_template, int64 row) {
    for (int worker = 0; worker < shmem::workers(); worker++) {
        Job job = shmem::job_at(worker);
        if (job.task != Task::none && job.of_template == of_template && job.row == row) return true;
    }
    return false;
}

bool is_being_cloned(const Template& t) {
    for (Database& d : Each<Database>(t.unsettled.list))
        if (d.state == DatabaseState::cloning) return true;
    return false;
}

/// A worker is at a copy, or compares one with it.
bool is_being_copied(const Template& t) {
    for (int worker = 0; worker < shmem::workers(); worker++)
        if (shmem::job_at(worker).source == t.oid) return true;
    return false;
}

bool is_resealing(const State& state, int32 base) {
    const Template* t = find_template(state, base);
    return t != nullptr && t->resealing;
}

Task task_of(const State& state, Template& t) {
    if (t.state == TemplateState::building && !t.exists)
        return is_resealing(state, t.base) || !is_due(t, t.retry_at) ? Task::none : Task::create;
    if (t.state == TemplateState::building && t.sealing) return Task::seal;
    if (t.state == TemplateState::discarded && OidIsValid(t.oid) && is_due(t, t.retry_at) &&
        !is_being_cloned(t))
        return Task::drop;
    return t.resealing && !is_being_copied(t) ? Task::reseal : Task::none;
}

Task task_of(const Database& d) {
    if (d.of->resealing && (d.state == DatabaseState::cloning || can_rewind(d))) return Task::none;
    if (d.state == DatabaseState::cloning) return Task::create;
    if (d.state == DatabaseState::recycling && !can_rewind(d)) return Task::drop;
    if (d.state == DatabaseState::recycling)
        return is_due(*d.of, d.retry_at) ? Task::rewind : Task::none;
    if (d.state == DatabaseState::failed && is_due(*d.of, d.retry_at)) return Task::drop;
    return Task::none;
}

/// Whoever waits for a clone waits for the seal, too.
plan::Urgency urgency_of(const Template& t, Task task) {
    if (task == Task::drop) return plan::Urgency::cleanup;
    return task == Task::reseal && t.waiting == 0 ? plan::Urgency::upkeep : plan::Urgency::awaited;
}

plan::Urgency urgency_of(const Database& d, Task task) {
    if (OidIsValid(d.role)) return plan::Urgency::awaited;
    if (task == Task::rewind) return plan::Urgency::rewind;
    return task == Task::create ? plan::Urgency::unfinished : plan::Urgency::cleanup;
}

/// The worker that watches the files of a used clone need not look at all of them.
bool is_better_done_by_another(const Database& d, Task task, int worker) {
    return task == Task::rewind && d.watched_by != worker && shmem::worker_idle(d.watched_by);
}

plan::Chore chore_of(const Template& t, Task task, plan::Urgency urgency) {
    bool slow = is_slow(t, task);
    return {urgency, slow, slow && task == Task::create};
}

/// One worker stays free of it for the pools, if there are any, and several workers.
int most_slow_jobs(bool pools) {
    return pools ? std::max(1, shmem::workers() - 1) : shmem::workers();
}

int slow_jobs() {
    int jobs = 0;
    for (int worker = 0; worker < shmem::workers(); worker++) jobs += shmem::job_at(worker).slow;
    return jobs;
}

int jobs_of(Task task) {
    int jobs = 0;
    for (int worker = 0; worker < shmem::workers(); worker++)
        jobs += shmem::job_at(worker).task == task;
    return jobs;
}

bool has_pools(const State& state) {
    for (Template& t : templates(state))
        if (t.state == TemplateState::finalized) return true;
    return false;
}

/// The pools of the restless templates.
void take_pools(Plan& plan, const State& state) {
    plan.pools = room_for<plan::Pool>(state.restless.length);
    plan.owners = room_for<Template*>(state.restless.length);
    size_t count = 0;
    for (Template& t : Each<Template>(state.restless.list)) {
        if (t.state != TemplateState::finalized) continue;
        plan.owners[count] = &t;
        plan.pools[count++] = pool_of(state, t);
    }
    plan.pools = plan.pools.first(count);
    plan.owners = plan.owners.first(count);
}

void add_work(std::span<Work> work, size_t& count, const State& state, Template& t) {
    Task task = task_of(state, t);
    if (task == Task::none || is_at_work(t)) return;
    work[count++] = {chore_of(t, task, urgency_of(t, task)), task, &t, nullptr};
}

void add_work(std::span<Work> work, size_t& count, Database& d, int worker, int pool) {
    Task task = task_of(d);
    if (task == Task::none || is_at_work(d) || is_better_done_by_another(d, task, worker)) return;
    plan::Chore chore = chore_of(*d.of, task, urgency_of(d, task));
    chore.pool = pool;
    work[count++] = {chore, task, nullptr, &d};
}

/// All that waits for a worker: what is urgent may be the last of many.
void take_work(Plan& plan, const State& state, int worker) {
    int most = 0;
    for (Template& t : Each<Template>(state.restless.list)) most += 1 + t.unsettled.length;
    plan.work = room_for<Work>(most);
    size_t count = 0;
    size_t pool = 0;
    for (Template& t : Each<Template>(state.restless.list)) {
        add_work(plan.work, count, state, t);
        bool has_pool = pool < plan.owners.size() && plan.owners[pool] == &t;
        for (Database& d : Each<Database>(t.unsettled.list))
            add_work(plan.work, count, d, worker, has_pool ? static_cast<int>(pool) : -1);
        pool += has_pool;
    }
    plan.work = plan.work.first(count);
}

plan::Step next_step(State& state, const Plan& plan, bool slow) {
    std::span<plan::Chore> chores = room_for<plan::Chore>(static_cast<int>(plan.work.size()));
    std::ranges::transform(plan.work, chores.begin(), &Work::chore);
    plan::Debt debt = debt_of(state);
    return plan::next(chores, plan.pools,
                      {.pool_max = settings::pool_max,
                       .room = room(state),
                       .bytes = bytes_left(state),
                       .slow = slow,
                       .drops_due = plan::drops_due(debt),
                       .drop_first = plan::overdrawn(debt) && state.copied_last,
                       .dropping = jobs_of(Task::drop),
                       .starved = state.starved.length > 0});
}

/// Large copies and drops take turns; see plan.cpp.
void note_begun(State& state, const Job& job) {
    if (job.slow && job.task == Task::create) state.copied_last = true;
    if (job.task == Task::drop) state.copied_last = false;
}

Job begin(State& state, const plan::Step& step, const Plan& plan) {
    if (step.kind == plan::Step::clone)
        return job_for(state, begin_clone(state, *plan.owners[step.index]), Task::create);
    const Work& chosen = plan.work[step.index];
    if (chosen.of_database != nullptr) return job_for(state, *chosen.of_database, chosen.task);
    return job_for(state, *chosen.of_template, chosen.task);
}

/// A worker has found nothing to do: what is settled is left alone until something of it changes.
void settle(State& state, const Plan& plan, bool slow) {
    size_t pool = 0;
    for (Template& t : Each<Template>(state.restless.list)) {
        bool has_pool = pool < plan.owners.size() && plan.owners[pool] == &t;
        bool filled = !has_pool || is_filled(plan.pools[pool]);
        pool += has_pool;
        bool looked_at =
            slow || t.state != TemplateState::finalized;  // whether it is to be resealed
        bool starved = !filled && room(state) <= 0;
        if (looked_at && is_settled(t) && (filled || starved)) settle(state, t, starved);
    }
}

}  // namespace

bool is_at_work(const Template& t) { return some_worker_has(true, t.id); }

bool is_at_work(const Database& d) { return some_worker_has(false, d.id); }

bool is_settled(const Template& t) {
    bool built = t.state == TemplateState::finalized ||
                 (t.state == TemplateState::building && t.exists && !t.sealing) ||
                 (t.state == TemplateState::discarded && !OidIsValid(t.oid));
    return built && !t.resealing && t.unsettled.length == 0 && t.waiting == 0 && t.prewarm == 0;
}

bool is_filled(const plan::Pool& pool) {
    return pool.paused || pool.target <= pool.ready + pool.cloning;
}

std::optional<Job> next_job(State& state, int worker) {
    bool slow = slow_jobs() < most_slow_jobs(has_pools(state));
    for (Template& t : Each<Template>(state.restless.list))
        t.resealing = t.state == TemplateState::finalized &&
                      (is_at_work(t) || (slow && reseal_is_due(state, t)));
    Plan plan;
    take_pools(plan, state);
    take_work(plan, state, worker);
    plan::Step step = next_step(state, plan, slow);
    for (Template& t : Each<Template>(state.restless.list))
        if (t.look_at != 0) look_again(state, t.look_at);
    if (step.kind == plan::Step::rest) {
        settle(state, plan, slow);
        return std::nullopt;
    }
    Job job = begin(state, step, plan);
    note_begun(state, job);
    return job;
}

}  // namespace testpool::pool
