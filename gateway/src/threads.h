// Threads for cpp-httplib, one for each client that is connected: most requests wait, and none may
// keep another from being read. They are started when they are needed, up to a limit.
#pragma once

#include <httplib.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace gateway {

class Threads : public httplib::TaskQueue {
  public:
    explicit Threads(size_t most) : most_(most) {}

    void enqueue(std::function<void()> task) override;
    void shutdown() override;

  private:
    void start_one();
    void work();

    size_t most_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> tasks_;
    std::vector<std::thread> threads_;
    size_t idle_ = 0;
    bool ending_ = false;
};

}  // namespace gateway
