// Desks: the steward lays a job on a free worker's desk; the worker does it and leaves the outcome.

#include "board/memory.h"

namespace testpool::board {

namespace {

Desk& at(int desk) { return all_desks()[desk]; }

void worker_leaves(int /*code*/, Datum argument) {
    locked(LW_EXCLUSIVE, [&] {
        at(DatumGetInt32(argument)).latch = nullptr;
        at(DatumGetInt32(argument)).pid = 0;
    });
}

Desk* own_desk = nullptr;  // of this process, if it is a worker

}  // namespace

int desks() { return memory->desks; }

bool desk_idle(int desk) {
    return locked(LW_SHARED,
                  [&] { return at(desk).phase == JobPhase::idle && at(desk).latch != nullptr; });
}

void assign(int desk, const Job& job) {
    locked(LW_EXCLUSIVE, [&] {
        at(desk).job = job;
        at(desk).phase = JobPhase::assigned;
        if (at(desk).latch != nullptr) SetLatch(at(desk).latch);
    });
}

bool take_done(int desk, Job* job, Outcome* outcome) {
    return locked(LW_EXCLUSIVE, [&] {
        if (at(desk).phase != JobPhase::done) return false;
        *job = at(desk).job;
        *outcome = at(desk).outcome;
        at(desk).phase = JobPhase::idle;
        return true;
    });
}

Job job_at(int desk) {
    return locked(LW_SHARED,
                  [&] { return at(desk).phase == JobPhase::idle ? Job{} : at(desk).job; });
}

void worker_enters(int desk) {
    on_shmem_exit(worker_leaves, Int32GetDatum(desk));
    locked(LW_EXCLUSIVE, [&] {
        Desk& own = at(desk);
        own.latch = MyLatch;
        own.pid = MyProcPid;
        own_desk = &own;
        if (own.phase == JobPhase::running) {  // of a worker that died in the middle of it
            own.outcome = {.sqlstate = ERRCODE_ADMIN_SHUTDOWN};
            copy_text(own.outcome.message, sizeof(own.outcome.message),
                      "the worker was terminated");
            own.phase = JobPhase::done;
        }
        wake_steward();  // there is a free desk
    });
}

bool take_job(int desk, Job* job) {
    return locked(LW_EXCLUSIVE, [&] {
        if (at(desk).phase != JobPhase::assigned) return false;
        at(desk).phase = JobPhase::running;
        at(desk).since = GetCurrentTimestamp();
        report(Phase::starting);
        report_bytes(0);
        *job = at(desk).job;
        return true;
    });
}

void finish_job(int desk, const Outcome& outcome) {
    locked(LW_EXCLUSIVE, [&] {
        at(desk).outcome = outcome;
        at(desk).phase = JobPhase::done;
        wake_steward();
    });
}

void report(Phase phase) {
    if (own_desk != nullptr) pg_atomic_write_u32(&own_desk->doing, static_cast<uint32>(phase));
}

void report_bytes(int64 bytes) {
    if (own_desk != nullptr) pg_atomic_write_u64(&own_desk->written, static_cast<uint64>(bytes));
}

Progress progress_at(int desk) {
    return locked(LW_SHARED, [&] {
        Desk& d = at(desk);
        bool working = d.phase == JobPhase::running;
        return Progress{d.pid, working ? d.job : Job{},
                        static_cast<Phase>(pg_atomic_read_u32(&d.doing)),
                        static_cast<int64>(pg_atomic_read_u64(&d.written)), d.since};
    });
}

void set_visit(int desk, Visit visit) {
    locked(LW_EXCLUSIVE, [&] {
        at(desk).visit = visit;
        at(desk).visit_outcome = {.sqlstate = ERRCODE_ADMIN_SHUTDOWN};
        copy_text(at(desk).visit_outcome.message, sizeof(Outcome::message),
                  "the visiting process died");
    });
}

Visit visit_of(int desk) {
    return locked(LW_SHARED, [&] { return at(desk).visit; });
}

void finish_visit(int desk, const Outcome& outcome) {
    locked(LW_EXCLUSIVE, [&] { at(desk).visit_outcome = outcome; });
}

Outcome visit_outcome(int desk) {
    return locked(LW_SHARED, [&] { return at(desk).visit_outcome; });
}

}  // namespace testpool::board
