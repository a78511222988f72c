#include "history.h"

#include <algorithm>
#include <cmath>

#include "format.h"

namespace gateway::page {

namespace {

long all_of(const Steps& steps) {
    long all = 0;
    for (const auto& [up_to, count] : steps) all += count;
    return all;
}

}  // namespace

Waits waits_of(const Steps& steps) {
    Waits waits;
    waits.count = all_of(steps);
    long seen = 0;
    auto reaches = [&](double share, long before) {
        double wanted = share * static_cast<double>(waits.count);
        return static_cast<double>(before) < wanted && static_cast<double>(seen) >= wanted;
    };
    for (const auto& [up_to, count] : steps) {
        long before = seen;
        seen += count;
        if (reaches(0.50, before)) waits.p50 = up_to;
        if (reaches(0.95, before)) waits.p95 = up_to;
        if (reaches(0.99, before)) waits.p99 = up_to;
        if (count > 0) waits.longest = up_to;
    }
    return waits;
}

/// What is new since the last sample. Counts that have become less were set back to zero.
void History::add_waits(Sample& sample, const json& waits) {
    std::map<std::string, Steps> counted;
    for (const json& row : waits)
        counted[text_of(row, "hash")][number_of(row, "up_to_ms")] +=
            static_cast<long>(number_of(row, "acquires"));
    for (const auto& [hash, steps] : counted) {
        Steps& before = counted_[hash];
        if (all_of(steps) < all_of(before)) before.clear();
        for (const auto& [up_to, count] : steps) {
            long fresh = count - before[up_to];
            if (fresh > 0 && begun_) sample.templates[hash].waited[up_to] += fresh;
        }
    }
    counted_ = std::move(counted);
    begun_ = true;
}

void History::add(double at, const json& waits, const json& pools) {
    Sample sample{at, {}};
    add_waits(sample, waits);
    for (const json& row : pools) {
        const auto* state = std::ranges::find(states, text_of(row, "state"));
        if (state != states.end())
            sample.templates[text_of(row, "hash")].databases[state - states.begin()] +=
                static_cast<int>(number_of(row, "count"));
    }
    samples_.push_back(std::move(sample));
    while (samples_.front().at < at - seconds - bucket_seconds) samples_.pop_front();
}

History::Buckets History::last(double now, const std::optional<std::string>& hash) const {
    Buckets result;
    auto newest = static_cast<long>(std::floor(now / bucket_seconds));
    for (const Sample& sample : samples_) {
        long age = newest - static_cast<long>(std::floor(sample.at / bucket_seconds));
        if (age < 0 || age >= buckets) continue;
        Activity& into = result[buckets - 1 - age];
        into.databases = {};  // the last sample of a bucket tells
        for (const auto& [of, activity] : sample.templates) {
            if (hash && *hash != of) continue;
            for (const auto& [up_to, count] : activity.waited) into.waited[up_to] += count;
            for (size_t i = 0; i < states.size(); i++) into.databases[i] += activity.databases[i];
        }
    }
    return result;
}

}  // namespace gateway::page
