// Trouble: something that a process of ours does by itself fails, and will again. It is tried again
// later each time, up to a minute, and told once.
#pragma once

#include "shmem/shmem.h"

namespace testpool {

class Trouble {
  public:
    explicit constexpr Trouble(const char* what) : what_(what) {}

    /// Notes one more failure. Logs it, unless the one before was the same.
    void note(const ErrorData& failure);
    /// It went well, or is to be tried at once for another reason: logs how often it failed.
    void over();

    /// Tries again at once, whatever it waits for; the next failure waits longer all the same.
    void hurry() { until_ = 0; }
    /// True until it is to be tried again.
    bool pauses() const { return until_ > GetCurrentTimestamp(); }
    TimestampTz until() const { return until_; }
    /// The last failure, or nullptr.
    const Reply* failure() const { return failures_ == 0 ? nullptr : &failure_; }

    /// How long to wait after so many failures in a row, in microseconds.
    static int64 pause_after(int failures);

  private:
    void tell_repetitions();

    const char* what_;
    TimestampTz until_ = 0;
    int failures_ = 0;     // in a row
    int repetitions_ = 0;  // of the same one that was logged
    Reply failure_{};
};

}  // namespace testpool
