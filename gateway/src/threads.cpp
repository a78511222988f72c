#include "threads.h"

#include <exception>
#include <iostream>
#include <system_error>

namespace gateway {

void Threads::enqueue(std::function<void()> task) {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    if (tasks_.size() > idle_ && threads_.size() < most_) start_one();
    wake_.notify_one();
}

/// Without another thread the task waits for one of those that there are.
void Threads::start_one() {
    try {
        threads_.emplace_back([this] { work(); });
    } catch (const std::system_error& error) {
        std::cerr << "testpool-gateway: no thread could be started: " << error.what() << std::endl;
    }
}

void Threads::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        idle_++;
        wake_.wait(lock, [this] { return !tasks_.empty() || ending_; });
        idle_--;
        if (tasks_.empty()) return;
        std::function<void()> task = std::move(tasks_.front());
        tasks_.pop_front();
        lock.unlock();
        try {
            task();
        } catch (const std::exception& error) {
            std::cerr << "testpool-gateway: " << error.what() << std::endl;
        }
        task = nullptr;
        lock.lock();
    }
}

void Threads::shutdown() {
    {
        std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

}  // namespace gateway
