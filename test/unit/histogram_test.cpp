// The histogram of waits: which step a duration belongs to, and what it says of many.

#include "histogram.h"

#include <gtest/gtest.h>

namespace testpool::histogram {

namespace {

TEST(Histogram, every_duration_lies_in_its_step) {
    for (std::int64_t us :
         {0LL, 1LL, 3LL, 4LL, 5LL, 7LL, 8LL, 9LL, 1'000LL, 123'456LL, 60'000'000LL}) {
        EXPECT_LE(first_of(step_of(us)), us);
        EXPECT_GT(first_of(step_of(us) + 1), us);
    }
}

TEST(Histogram, steps_have_no_gap_and_no_overlap) {
    for (int step = 0; step < steps; step++) EXPECT_EQ(step_of(first_of(step)), step);
    for (int step = 1; step < steps; step++) EXPECT_EQ(step_of(first_of(step) - 1), step - 1);
}

TEST(Histogram, a_step_is_at_most_a_quarter_wide) {
    for (int step = 4; step < steps - 1; step++)
        EXPECT_LE((first_of(step + 1) - first_of(step)) * 4, first_of(step));
}

TEST(Histogram, what_is_too_long_or_negative_has_a_step_too) {
    EXPECT_EQ(step_of(INT64_MAX), steps - 1);
    EXPECT_EQ(step_of(-1), 0);
}

TEST(Histogram, percentiles_of_nothing_are_zero) {
    EXPECT_EQ(percentile(Histogram{}, 0.5), 0);
    EXPECT_EQ(percentile(Histogram{}, 0.99), 0);
}

TEST(Histogram, percentiles_follow_the_share) {
    Histogram histogram{};
    for (int i = 0; i < 90; i++) count(histogram, 100);
    for (int i = 0; i < 9; i++) count(histogram, 10'000);
    count(histogram, 1'000'000);
    EXPECT_NEAR(percentile(histogram, 0.5), 100, 25);
    EXPECT_NEAR(percentile(histogram, 0.90), 100, 25);
    EXPECT_NEAR(percentile(histogram, 0.95), 10'000, 2'500);
    EXPECT_NEAR(percentile(histogram, 0.99), 10'000, 2'500);
    EXPECT_NEAR(percentile(histogram, 1.0), 1'000'000, 250'000);
}

TEST(Histogram, one_duration_is_every_percentile) {
    Histogram histogram{};
    count(histogram, 0);
    EXPECT_EQ(percentile(histogram, 0.5), 0);
    histogram = {};
    count(histogram, 7);
    EXPECT_EQ(percentile(histogram, 0.01), 7);
    EXPECT_EQ(percentile(histogram, 0.99), 7);
}

}  // namespace

}  // namespace testpool::histogram
