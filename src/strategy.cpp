#include "strategy.h"

namespace testpool {

namespace {

// What FILE_COPY costs beside the copying, as bytes that WAL_LOG would have copied meanwhile.
constexpr std::int64_t two_checkpoints = 32 * 1024 * 1024;
constexpr std::int64_t flush_of_a_file = 128 * 1024;

}  // namespace

Strategy fastest(const CopySource& source) {
    std::int64_t price = two_checkpoints + (source.synced ? source.files * flush_of_a_file : 0);
    return source.bytes > price ? Strategy::file_copy : Strategy::wal_log;
}

}  // namespace testpool
