// Starts: a process that cannot even connect is started again by the postmaster within a second. It
// waits here first, longer each time; whoever would be glad of it wakes it.

#include "shmem/memory.h"

namespace testpool::shmem {

namespace {

void stops_waiting(int /*code*/, Datum argument) {
    locked(LW_EXCLUSIVE, [&] { starts()[DatumGetInt32(argument)].latch = nullptr; });
}

bool somebody_asks() {
    return memory->catalog_announced ||
           std::ranges::any_of(request_slots(), [](const RequestSlot& slot) {
               return slot.phase == RequestPhase::posted;
           });
}

}  // namespace

int begin_start(int process) {
    before_shmem_exit(stops_waiting, Int32GetDatum(process));
    return locked(LW_EXCLUSIVE, [&] {
        Start& own = starts()[process];
        own.latch = MyLatch;
        int failures = own.failures++;
        return somebody_asks() ? 0 : failures;
    });
}

void end_start(int process) {
    locked(LW_EXCLUSIVE, [&] { starts()[process] = {}; });
}

void launcher_started() {
    for (Start& start : starts()) start.failures = 0;
    wake_starting();
}

void wake_starting() {
    for (Start& start : starts())
        if (start.latch != nullptr) SetLatch(start.latch);
}

}  // namespace testpool::shmem
