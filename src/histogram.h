// A histogram of durations with logarithmic steps: four to each doubling, from a microsecond to
// hours. Counting is one addition, and a percentile is at most a quarter too high. Pure:
// test/unit/histogram_test.cpp.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

namespace testpool::histogram {

constexpr int steps = 128;

struct Histogram {
    std::array<std::uint32_t, steps> counts;
};

/// The step that a duration belongs to.
constexpr int step_of(std::int64_t microseconds) {
    auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(microseconds, 0));
    if (value < 4) return static_cast<int>(value);
    int doubling = std::bit_width(value) - 1;
    int quarter = static_cast<int>(value >> (doubling - 2)) & 3;
    return std::min((doubling - 1) * 4 + quarter, steps - 1);
}

/// The shortest duration of a step.
constexpr std::int64_t first_of(int step) {
    if (step < 4) return step;
    return static_cast<std::int64_t>(4 + step % 4) << (step / 4 - 1);
}

constexpr void count(Histogram& histogram, std::int64_t microseconds) {
    histogram.counts[step_of(microseconds)]++;
}

/// The longest duration of the step in which that share of all is reached; 0 if nothing was
/// counted.
inline std::int64_t percentile(const Histogram& histogram, double share) {
    std::uint64_t total = 0;
    for (std::uint32_t number : histogram.counts) total += number;
    auto rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total)));
    std::uint64_t seen = 0;
    for (int step = 0; step < steps && rank > 0; step++)
        if ((seen += histogram.counts[step]) >= rank) return first_of(step + 1) - 1;
    return 0;
}

}  // namespace testpool::histogram
