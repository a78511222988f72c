// Worker slots: the launcher puts a job into the slot of a free worker; the worker does it and
// leaves the outcome there.

#include "shmem/memory.h"

namespace testpool::shmem {

namespace {

WorkerSlot& at(int worker) { return worker_slots()[worker]; }

void worker_leaves(int /*code*/, Datum argument) {
    locked(LW_EXCLUSIVE, [&] {
        at(DatumGetInt32(argument)).latch = nullptr;
        at(DatumGetInt32(argument)).pid = 0;
    });
}

WorkerSlot* own_worker = nullptr;  // of this process, if it is a worker

}  // namespace

int workers() { return memory->workers; }

bool worker_idle(int worker) {
    return locked(LW_SHARED, [&] {
        return at(worker).phase == JobPhase::idle && at(worker).latch != nullptr;
    });
}

void assign(int worker, const Job& job) {
    locked(LW_EXCLUSIVE, [&] {
        at(worker).job = job;
        at(worker).phase = JobPhase::assigned;
        if (at(worker).latch != nullptr) SetLatch(at(worker).latch);
    });
}

bool take_done(int worker, Job* job, Outcome* outcome) {
    return locked(LW_EXCLUSIVE, [&] {
        if (at(worker).phase != JobPhase::done) return false;
        *job = at(worker).job;
        *outcome = at(worker).outcome;
        at(worker).phase = JobPhase::idle;
        return true;
    });
}

Job job_at(int worker) {
    return locked(LW_SHARED,
                  [&] { return at(worker).phase == JobPhase::idle ? Job{} : at(worker).job; });
}

void worker_enters(int worker) {
    on_shmem_exit(worker_leaves, Int32GetDatum(worker));
    locked(LW_EXCLUSIVE, [&] {
        WorkerSlot& own = at(worker);
        own.latch = MyLatch;
        own.pid = MyProcPid;
        own_worker = &own;
        if (own.phase == JobPhase::running) {  // of a worker that died in the middle of it
            own.outcome = {.sqlstate = ERRCODE_ADMIN_SHUTDOWN};
            copy_text(own.outcome.message, sizeof(own.outcome.message),
                      "the worker was terminated");
            own.phase = JobPhase::done;
        }
        wake_launcher();  // there is a free worker
    });
}

bool take_job(int worker, Job* job) {
    return locked(LW_EXCLUSIVE, [&] {
        if (at(worker).phase != JobPhase::assigned) return false;
        at(worker).phase = JobPhase::running;
        at(worker).since = GetCurrentTimestamp();
        report(Phase::starting);
        report_bytes(0);
        *job = at(worker).job;
        return true;
    });
}

void finish_job(int worker, const Outcome& outcome) {
    locked(LW_EXCLUSIVE, [&] {
        at(worker).outcome = outcome;
        at(worker).phase = JobPhase::done;
        wake_launcher();
    });
}

void report(Phase phase) {
    if (own_worker != nullptr) pg_atomic_write_u32(&own_worker->doing, static_cast<uint32>(phase));
}

void report_bytes(int64 bytes) {
    if (own_worker != nullptr)
        pg_atomic_write_u64(&own_worker->written, static_cast<uint64>(bytes));
}

Progress progress_at(int worker) {
    return locked(LW_SHARED, [&] {
        WorkerSlot& d = at(worker);
        bool working = d.phase == JobPhase::running;
        return Progress{d.pid, working ? d.job : Job{},
                        static_cast<Phase>(pg_atomic_read_u32(&d.doing)),
                        static_cast<int64>(pg_atomic_read_u64(&d.written)), d.since};
    });
}

void set_vacuum_task(int worker, VacuumTask task) {
    locked(LW_EXCLUSIVE, [&] {
        at(worker).vacuum_task = task;
        at(worker).vacuum_outcome = {.sqlstate = ERRCODE_ADMIN_SHUTDOWN};
        copy_text(at(worker).vacuum_outcome.message, sizeof(Outcome::message),
                  "the vacuum worker died");
    });
}

VacuumTask vacuum_task_of(int worker) {
    return locked(LW_SHARED, [&] { return at(worker).vacuum_task; });
}

void finish_vacuum_task(int worker, const Outcome& outcome) {
    locked(LW_EXCLUSIVE, [&] { at(worker).vacuum_outcome = outcome; });
}

Outcome vacuum_outcome(int worker) {
    return locked(LW_SHARED, [&] { return at(worker).vacuum_outcome; });
}

}  // namespace testpool::shmem
