#include "stop.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace gateway::stop {

namespace {

int event = -1;
std::atomic<bool> ending{false};

}  // namespace

void prepare() { event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

void begin() {
    ending = true;
    std::uint64_t one = 1;
    [[maybe_unused]] ssize_t written = write(event, &one, sizeof(one));
}

bool begun() { return ending; }

bool wait(std::chrono::milliseconds time) {
    pollfd watched{event, POLLIN, 0};
    poll(&watched, 1, static_cast<int>(time.count()));
    return ending;
}

int descriptor() { return event; }

}  // namespace gateway::stop
