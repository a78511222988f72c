// Sizes and creates shared memory when the server starts.

#include "shmem/memory.h"

#include "settings.h"

namespace testpool::shmem {

Memory* memory;
LWLock* lock;

namespace {

constexpr const char* name = "testpool";

shmem_request_hook_type earlier_request;
shmem_startup_hook_type earlier_startup;

Size request_slots_at() { return MAXALIGN(sizeof(Memory)); }
Size leases_at() {
    return request_slots_at() + MAXALIGN(mul_size(sizeof(RequestSlot), MaxBackends));
}
Size worker_slots_at() {
    return leases_at() + MAXALIGN(mul_size(sizeof(Lease), settings::max_databases));
}
Size starts_at() {
    return worker_slots_at() + MAXALIGN(mul_size(sizeof(WorkerSlot), settings::workers));
}
Size tallies_at() { return starts_at() + MAXALIGN(mul_size(sizeof(Start), settings::workers + 1)); }
// One for each template that has a database, and for those that are remembered.
int tally_room() { return settings::max_databases + remembered_templates; }
Size size() { return tallies_at() + MAXALIGN(mul_size(sizeof(Tally), tally_room())); }

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

/// True unless the server was shut down in order, and everything is in its file: only then do files
/// tell what was written to them. Asked before recovery begins.
bool has_crashed() {
    bool is_intact = false;
    const ControlFileData* control = get_controlfile(DataDir, &is_intact);
    return !is_intact || control->state != DB_SHUTDOWNED;
}

void startup() {
    if (earlier_startup != nullptr) earlier_startup();
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    bool found = false;
    memory = static_cast<Memory*>(ShmemInitStruct(name, size(), &found));
    if (!found) {
        memset(static_cast<void*>(memory), 0, size());
        memory->request_slots = MaxBackends;
        memory->lease_room = settings::max_databases;
        memory->workers = settings::workers;
        memory->launcher_left = GetCurrentTimestamp();  // it is about to come
        memory->tallies = tally_room();
        memory->stamps_are_doubtful = has_crashed();
        for (WorkerSlot& worker : worker_slots()) {
            pg_atomic_init_u32(&worker.doing, 0);
            pg_atomic_init_u64(&worker.written, 0);
        }
    }
    lock = &GetNamedLWLockTranche(name)->lock;
    LWLockRelease(AddinShmemInitLock);
}

}  // namespace

std::span<RequestSlot> request_slots() {
    return part<RequestSlot>(request_slots_at(), memory->request_slots);
}
std::span<Lease> leases() { return part<Lease>(leases_at(), memory->lease_room); }
std::span<WorkerSlot> worker_slots() {
    return part<WorkerSlot>(worker_slots_at(), memory->workers);
}
std::span<Start> starts() { return part<Start>(starts_at(), memory->workers + 1); }
std::span<Tally> tallies() { return part<Tally>(tallies_at(), memory->tallies); }

bool stamps_are_doubtful() {
    return locked(LW_SHARED, [] { return memory->stamps_are_doubtful; });
}

void trust_stamps() {
    locked(LW_EXCLUSIVE, [] { memory->stamps_are_doubtful = false; });
}

void copy_text(char* field, size_t size, const char* text) {
    int length = static_cast<int>(strlen(text));
    length = pg_mbcliplen(text, length, static_cast<int>(size) - 1);
    memcpy(field, text, length);
    field[length] = '\0';
}

void define() {
    earlier_request = shmem_request_hook;
    shmem_request_hook = request;
    earlier_startup = shmem_startup_hook;
    shmem_startup_hook = startup;
}

}  // namespace testpool::shmem
