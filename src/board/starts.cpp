// Starts: a process that cannot even connect is started again by the postmaster within a second. It
// waits here first, longer each time; whoever would be glad of it wakes it.

#include "board/memory.h"

namespace testpool::board {

namespace {

void stops_waiting(int /*code*/, Datum argument) {
    locked(LW_EXCLUSIVE, [&] { starts()[DatumGetInt32(argument)].latch = nullptr; });
}

bool somebody_asks() {
    return memory->catalog_announced || std::ranges::any_of(seats(), [](const Seat& seat) {
               return seat.phase == SeatPhase::posted;
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

void steward_started() {
    for (Start& start : starts()) start.failures = 0;
    wake_starting();
}

void wake_starting() {
    for (Start& start : starts())
        if (start.latch != nullptr) SetLatch(start.latch);
}

}  // namespace testpool::board
