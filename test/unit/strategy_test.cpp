// The choice of a strategy, rule by rule. The sizes are those of the templates of the benches.

#include "strategy.h"

#include <gtest/gtest.h>

namespace testpool {

namespace {

constexpr std::int64_t megabyte = 1024 * 1024;

CopySource source(std::int64_t megabytes, int files) {
    return {.bytes = megabytes * megabyte, .files = files, .synced = false};
}

Strategy fastest_synced(std::int64_t megabytes, int files) {
    CopySource flushed = source(megabytes, files);
    flushed.synced = true;
    return fastest(flushed);
}

TEST(Strategy, what_is_small_is_not_worth_two_checkpoints) {
    EXPECT_EQ(fastest(source(11, 646)), Strategy::wal_log);
}

TEST(Strategy, files_are_copied_faster_than_pages_are_logged) {
    EXPECT_EQ(fastest(source(52, 1193)), Strategy::file_copy);
    EXPECT_EQ(fastest(source(1553, 1699)), Strategy::file_copy);
}

TEST(Strategy, many_small_files_are_not_flushed_one_by_one) {
    EXPECT_EQ(fastest_synced(52, 1193), Strategy::wal_log);
    EXPECT_EQ(fastest_synced(95, 7298), Strategy::wal_log);
}

TEST(Strategy, large_files_are_worth_a_flush) {
    EXPECT_EQ(fastest_synced(1553, 1699), Strategy::file_copy);
}

}  // namespace

}  // namespace testpool
