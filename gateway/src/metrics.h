// GET /metrics: what testpool and the gateway have counted, in the text form of OpenMetrics.
#pragma once

#include <map>
#include <mutex>

#include "pool.h"
#include "router.h"

namespace gateway {

class Metrics {
  public:
    explicit Metrics(Pool& pool) : pool_(pool) {}

    void define(Router& router);

  private:
    struct Requests {
        long count = 0;
        double seconds = 0;
    };
    using Key = std::tuple<std::string, std::string, int>;  // route, method, status

    void count(const Answered& answered);
    std::string render();

    Pool& pool_;
    std::mutex mutex_;
    std::map<Key, Requests> requests_;
};

}  // namespace gateway
