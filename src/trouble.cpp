// Trouble: something that a process of ours does by itself fails, and will again.

#include "trouble.h"

#include "errors.h"
#include "log.h"

namespace testpool {

int64 Trouble::pause_after(int failures) {
    constexpr int64 first = 10'000;
    constexpr int64 longest = 60 * USECS_PER_SEC;
    constexpr int until_longest = 13;
    return std::min(longest, first << std::min(failures - 1, until_longest));
}

void Trouble::note(const ErrorData& failure) {
    Reply latest = errors::as_reply(failure);
    bool same = failures_ > 0 && latest.sqlstate == failure_.sqlstate &&
                strcmp(latest.message, failure_.message) == 0;
    until_ = GetCurrentTimestamp() + pause_after(++failures_);
    if (same) {
        repetitions_++;
        return;
    }
    tell_repetitions();
    failure_ = latest;
    log_line(WARNING, "%s failed: %s%s%s", what_, latest.message,
             latest.detail[0] != '\0' ? ": " : "", latest.detail);
}

void Trouble::over() {
    tell_repetitions();
    until_ = 0;
    failures_ = 0;
}

void Trouble::tell_repetitions() {
    if (repetitions_ > 0)
        log_line(WARNING, "%s failed: %s, and %d times more", what_, failure_.message,
                 repetitions_);
    repetitions_ = 0;
}

}  // namespace testpool
