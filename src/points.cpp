#include "points.h"

#ifdef TESTPOOL_POINTS

#include <signal.h>
#include <unistd.h>

namespace testpool::points {

namespace {

constexpr const char* order_file = "testpool_point";
constexpr const char* reached_file = "testpool_point.reached";
constexpr long look_again_ms = 5;

struct Order {
    char point[64];
    char action[16];
};

bool read_order(Order& order) {
    FILE* file = AllocateFile(order_file, PG_BINARY_R);
    if (file == nullptr) return false;
    int words = fscanf(file, "%63s %15s", order.point, order.action);
    FreeFile(file);
    return words == 2;
}

void wait_until_released() {
    while (access(reached_file, F_OK) == 0) {
        WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, look_again_ms,
                  compat::wait_event("TestpoolPoint"));
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
    }
}

}  // namespace

void pass(const char* name) {
    Order order{};
    if (!read_order(order) || strcmp(order.point, name) != 0) return;
    if (rename(order_file, reached_file) != 0) return;  // another process took it
    elog(LOG, "testpool: point %s: %s", name, order.action);
    if (strcmp(order.action, "kill") == 0) kill(MyProcPid, SIGKILL);
    if (strcmp(order.action, "error") == 0) elog(ERROR, "point %s", name);
    wait_until_released();
}

}  // namespace testpool::points

#endif
