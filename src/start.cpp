// Starts: how a process of ours comes up.

#include "start.h"

#include "pg/interrupts.h"
#include "settings.h"
#include "shmem/shmem.h"
#include "trouble.h"

namespace testpool::start {

namespace {

/// The postmaster lets a second pass by itself: the first waits are not worth it.
int64 pause_after(int failures) {
    constexpr int skipped = 6;
    return Trouble::pause_after(failures + skipped);
}

void wait(int64 pause_us) {
    TimestampTz until = GetCurrentTimestamp() + pause_us;
    ResetLatch(MyLatch);
    if (serve_interrupts()) return;
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
              TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until),
              compat::wait_event("TestpoolStart"));
    ResetLatch(MyLatch);
    serve_interrupts();
}

}  // namespace

void connect(int process) {
    int failures = shmem::begin_start(process);
    if (failures > 0) wait(pause_after(failures));
    BackgroundWorkerInitializeConnection(settings::database, nullptr, 0);
    shmem::end_start(process);
}

}  // namespace testpool::start
