// How what processes share lies in memory. Only the files of this folder see it.
#pragma once

#include "shmem/tally.h"

namespace testpool::shmem {

enum class RequestPhase : uint8 { idle, posted, answered };

struct RequestSlot {
    RequestPhase phase;
    bool watched;  // `session` is alive and tells when it ends
    Session session;
    Latch* latch;
    Request request;
    Reply reply;
};

struct WorkerSlot {
    JobPhase phase;
    Latch* latch;
    int pid;
    Job job;
    TimestampTz since;       // when the worker took it
    pg_atomic_uint32 doing;  // a Phase: written without the lock, like the next
    pg_atomic_uint64 written;
    Outcome outcome;
    VacuumTask vacuum_task;
    Outcome vacuum_outcome;
};

/// How a process of ours, the launcher or the worker of slot n - 1, has come up lately.
struct Start {
    int failures;  // in a row
    Latch* latch;  // while it waits before it tries again
};

/// Followed in memory by the request slots, the leases, the worker slots, the starts and the
/// tallies. All of it is guarded by one lock, which is held for a few copies at most, never across
/// anything that can wait or raise.
struct Memory {
    Latch* launcher;  // nullptr: not running
    TimestampTz launcher_left;
    bool catalog_announced;
    bool tallies_reset;
    bool stamps_are_doubtful;
    uint64 last_ticket;
    TimestampTz last_moment;  // of a lease or claim
    int request_slots;
    int lease_room;
    int leases;  // the first so many are taken
    int workers;
    int tallies;
};

extern Memory* memory;
extern LWLock* lock;

std::span<RequestSlot> request_slots();
std::span<Lease> leases();  // the room for leases, used or not
std::span<WorkerSlot> worker_slots();
std::span<Start> starts();
std::span<Tally> tallies();

/// Notes that the session is gone; the lock must be held.
void orphan_leases(const Session& session);

/// Copies text into a fixed field, cut at a character's end if need be.
void copy_text(char* field, size_t size, const char* text);

template <class Work>
auto locked(LWLockMode mode, Work work) {
    LWLockAcquire(lock, mode);
    if constexpr (std::is_void_v<decltype(work())>) {
        work();
        LWLockRelease(lock);
    } else {
        auto result = work();
        LWLockRelease(lock);
        return result;
    }
}

/// There is a home database: workers that could not connect try at once; the lock must be held.
void launcher_started();
/// Wakes those of our processes that wait before they start again; the lock must be held.
void wake_starting();

/// Wakes the launcher, also if it has yet to start; the lock must be held.
inline void wake_launcher() {
    if (memory->launcher != nullptr)
        SetLatch(memory->launcher);
    else
        wake_starting();
}

}  // namespace testpool::shmem
