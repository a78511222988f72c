// Looks at the server for the page: every second while somebody has it open, and every few seconds
// for the last ten minutes, which are to be there when somebody opens it.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

#include "../pool.h"
#include "history.h"

namespace gateway::page {

/// What there was at one time. It is shared, and never changed.
struct Snapshot {
    nlohmann::json all = nlohmann::json::object();  // see snapshot_sql
    nlohmann::json advice = nlohmann::json::array();
    std::shared_ptr<const History> history = std::make_shared<History>();
    double at = 0;      // seconds since 1970, as the server has it
    std::string error;  // why this is older than it should be; empty: it is not
    unsigned long number = 0;
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

class Watch {
  public:
    explicit Watch(Pool& pool) : pool_(pool) {}

    /// Runs until the gateway stops.
    void run();
    /// One that is not older than this call, if the server can be asked.
    SnapshotPtr now();
    /// The first one after that number; null if none comes for a while, or the gateway stops.
    SnapshotPtr after(unsigned long number);

  private:
    void sample();
    SnapshotPtr take();
    void publish(const std::shared_ptr<Snapshot>& next);

    Pool& pool_;
    std::mutex mutex_;
    std::condition_variable changed_;
    SnapshotPtr last_ = std::make_shared<Snapshot>();
    std::shared_ptr<const History> history_ = std::make_shared<History>();
    nlohmann::json advice_ = nlohmann::json::array();
    int watchers_ = 0;  // who wait for the next one
};

}  // namespace gateway::page
