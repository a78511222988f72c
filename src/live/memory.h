// What processes share about gates. Only the files of this folder see it. One lock guards it, which
// is held for a few words and never across anything that can wait or raise.
#pragma once

#include "live/gate.h"

namespace testpool::gate {

enum class Position : uint8 {
    open,
    shutting,  // transactions that start wait; those that are under way may go on
    shut,      // nobody is in a transaction, or may begin one
    broken,    // sessions can only end
};

/// Of one database that was put back under its sessions.
struct Gate {
    Oid database;  // invalid: a free place
    Position position;
    uint64 opened;    // the time of its last opening, in openings of all gates
    uint64 catalogs;  // that of the last one that changed the catalogs
    int uncounted;    // how many of the last relations that were put back are listed
    std::array<Oid, 64> relations;
    char why[256];  // sessions are ended
};

/// Of each server process.
struct BackendSlot {
    bool client;   // it keeps to gates
    bool waiting;  // in a gate
    End end;       // why it was told to end
};

struct Memory {
    uint64 openings;
    int gates;  // the first so many places are, or were, taken
    int gate_room;
    int slots;
};

extern Memory* memory;

std::span<Gate> gates();
std::span<BackendSlot> slots();
inline BackendSlot& own_slot() { return slots()[compat::process_number()]; }

/// The database's gate, or nullptr; the lock must be held.
Gate* find(Oid database);

void define_memory();

extern LWLock* lock;

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

/// The reason of an end is added to what PostgreSQL tells the client and the log.
void define_ends();
/// Ends this process, which waits in a gate.
[[noreturn]] void end_here(const char* why);

}  // namespace testpool::gate
