// The connections to PostgreSQL: made when they are needed, one for each request that is under way,
// kept for a while. A few are set aside for what does not wait long, so that any number of requests
// that wait for a build cannot keep out the one that ends it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "connection.h"

namespace gateway {

enum class Use { brief, waiting };

class Pool {
  public:
    explicit Pool(const Options& options) : options_(options) {}

    /// Runs `work(connection)`. A connection that was lost while nobody used it is replaced.
    template <class Work>
    auto with(Use use, const Patience& patience, Work work) {
        Loan loan(*this, use, patience);
        return work(*loan.connection);
    }

    /// One statement.
    Rows query(const char* sql, const std::vector<std::string>& parameters,
               const Patience& patience, Use use = Use::brief) {
        return with(use, patience,
                    [&](Connection& each) { return each.query(sql, parameters, patience); });
    }

    const Options& options() const { return options_; }
    int open() const { return open_; }
    int in_use() const { return in_use_; }
    /// Closes what has not been used for a while.
    void close_idle();

  private:
    struct Idle {
        std::unique_ptr<Connection> connection;
        Clock::time_point since;
    };

    /// A connection for as long as this lives.
    struct Loan {
        Loan(Pool& pool, Use use, const Patience& patience);
        ~Loan();
        Loan(const Loan&) = delete;
        Loan& operator=(const Loan&) = delete;
        Pool& pool;
        Use use;
        std::unique_ptr<Connection> connection;
    };

    bool has_place(Use use) const;
    void take_place(Use use, const Patience& patience);
    void give_place(Use use, std::unique_ptr<Connection> connection);
    std::unique_ptr<Connection> idle();
    std::unique_ptr<Connection> connect(const Patience& patience);

    const Options& options_;
    std::mutex mutex_;
    std::condition_variable freed_;
    std::vector<Idle> idle_;
    int waiting_ = 0;  // of those in use, the ones that may wait long
    std::atomic<int> in_use_{0};
    std::atomic<int> open_{0};
};

}  // namespace gateway
