// The last ten minutes: what was handed out and how long it was waited for, and how full the pools
// were. It is taken from testpool's counts every few seconds, and begins with the gateway.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace gateway::page {

/// The states of a clone, in the order in which they are drawn.
constexpr std::array<const char*, 6> states = {"kept",    "leased", "recycling",
                                               "cloning", "ready",  "failed"};

/// How many waited up to so many milliseconds.
using Steps = std::map<double, long>;

struct Waits {
    long count = 0;
    double p50 = 0;
    double p95 = 0;
    double p99 = 0;
    double longest = 0;
};
Waits waits_of(const Steps& steps);

struct Activity {
    Steps waited;                                // since the sample before
    std::array<int, states.size()> databases{};  // at this time
};

class History {
  public:
    static constexpr int seconds = 600;
    static constexpr int bucket_seconds = 10;
    static constexpr int buckets = seconds / bucket_seconds;
    using Buckets = std::array<Activity, buckets>;

    /// `waits`: rows of hash, up_to_ms and acquires; `pools`: rows of hash, state and count.
    void add(double at, const nlohmann::json& waits, const nlohmann::json& pools);
    /// The oldest first; of one hash, or of all.
    Buckets last(double now, const std::optional<std::string>& hash) const;

  private:
    struct Sample {
        double at;
        std::map<std::string, Activity> templates;
    };
    void add_waits(Sample& sample, const nlohmann::json& waits);

    std::deque<Sample> samples_;
    std::map<std::string, Steps> counted_;  // by hash: what testpool had counted last
    bool begun_ = false;
};

}  // namespace gateway::page
