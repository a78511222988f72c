// Sizes and creates what processes share about gates, when the server starts.

#include "live/memory.h"

#include "settings.h"

namespace testpool::gate {

Memory* memory;
LWLock* lock;

namespace {

constexpr const char* name = "testpool gates";

shmem_request_hook_type earlier_request;
shmem_startup_hook_type earlier_startup;

Size gates_at() { return MAXALIGN(sizeof(Memory)); }
Size slots_at() { return gates_at() + MAXALIGN(mul_size(sizeof(Gate), settings::max_databases)); }
Size size() { return slots_at() + MAXALIGN(mul_size(sizeof(BackendSlot), MaxBackends)); }

template <class Part>
std::span<Part> part(Size at, int count) {
    return {reinterpret_cast<Part*>(reinterpret_cast<char*>(memory) + at),
            static_cast<size_t>(count)};
}

void request() {
    if (earlier_request != nullptr) earlier_request();
    RequestAddinShmemSpace(size());
    RequestNamedLWLockTranche(name, 1);
}

void startup() {
    if (earlier_startup != nullptr) earlier_startup();
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    bool found = false;
    memory = static_cast<Memory*>(ShmemInitStruct(name, size(), &found));
    if (!found) {
        memset(static_cast<void*>(memory), 0, size());
        memory->gate_room = settings::max_databases;
        memory->slots = MaxBackends;
    }
    lock = &GetNamedLWLockTranche(name)->lock;
    LWLockRelease(AddinShmemInitLock);
}

}  // namespace

std::span<Gate> gates() { return part<Gate>(gates_at(), memory->gate_room); }
std::span<BackendSlot> slots() { return part<BackendSlot>(slots_at(), memory->slots); }

Gate* find(Oid database) {
    for (Gate& gate : gates().first(memory->gates))
        if (gate.database == database) return &gate;
    return nullptr;
}

void define_memory() {
    earlier_request = shmem_request_hook;
    shmem_request_hook = request;
    earlier_startup = shmem_startup_hook;
    shmem_startup_hook = startup;
}

}  // namespace testpool::gate
