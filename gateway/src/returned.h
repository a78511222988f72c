// Databases that were given back as they are, for whoever asks next. They are still leased: one
// that nobody asks for in time is made clean by testpool, and so is all that a gateway forgets that
// ends.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace gateway {

class Returned {
  public:
    /// The one that was given back first; if there is none the caller counts as one that waits for
    /// this hash, until done_waiting().
    std::optional<std::string> take_or_wait(const std::string& hash);
    void done_waiting(const std::string& hash);
    /// False if somebody waits, who is served sooner if the database is released.
    bool put(const std::string& hash, const std::string& database);
    void forget(const std::string& hash);
    void forget_all();

  private:
    struct OfHash {
        std::deque<std::string> databases;
        int waiting = 0;
    };
    std::mutex mutex_;
    std::map<std::string, OfHash> hashes_;
};

}  // namespace gateway
