#include "pool.h"

#include <thread>

#include "error.h"
#include "stop.h"

namespace gateway {

namespace {

// A server that is being restarted is waited for.
constexpr milliseconds restart_patience{5'000};
constexpr milliseconds between_attempts{100};
// How often one that waits for a connection looks whether the gateway stops.
constexpr milliseconds look_interval{500};
constexpr std::chrono::seconds idle_for{30};

/// The share of the connections that is set aside for what is brief.
int brief_places(int connections) { return std::max(connections / 8, 2); }

/// It may get better by itself: nobody listens yet, or "the database system is starting up".
bool is_starting(const SqlError& error) {
    std::string message = error.what();
    return message.find("refused") != std::string::npos ||
           message.find("starting up") != std::string::npos ||
           message.find("recovery mode") != std::string::npos ||
           message.find("No such file") != std::string::npos;
}

}  // namespace

Pool::Loan::Loan(Pool& pool, Use use, const Patience& patience) : pool(pool), use(use) {
    pool.take_place(use, patience);
    try {
        connection = pool.idle();
        if (!connection) connection = pool.connect(patience);
    } catch (...) {
        pool.give_place(use, nullptr);
        throw;
    }
}

Pool::Loan::~Loan() { pool.give_place(use, std::move(connection)); }

bool Pool::has_place(Use use) const {
    int brief = brief_places(options_.connections);
    return in_use_ < options_.connections &&
           (use == Use::brief || waiting_ < options_.connections - brief);
}

void Pool::take_place(Use use, const Patience& patience) {
    std::unique_lock lock(mutex_);
    while (!has_place(use)) {
        auto until = std::min(patience.deadline, Clock::now() + look_interval);
        freed_.wait_until(lock, until);
        if (stop::begun()) throw Cancelled("the gateway stops");
        if (!has_place(use) && Clock::now() >= patience.deadline)
            throw Refusal(503,
                          "all connections to PostgreSQL are in use: raise "
                          "TESTPOOL_GATEWAY_CONNECTIONS");
    }
    in_use_++;
    waiting_ += use == Use::waiting;
}

void Pool::give_place(Use use, std::unique_ptr<Connection> connection) {
    bool alive = connection && connection->is_alive();
    {
        std::lock_guard lock(mutex_);
        if (alive)
            idle_.push_back({std::move(connection), Clock::now()});
        else if (connection)
            open_--;
        in_use_--;
        waiting_ -= use == Use::waiting;
    }
    freed_.notify_all();
}

/// The one that was used last: the others grow old, and are closed.
std::unique_ptr<Connection> Pool::idle() {
    std::lock_guard lock(mutex_);
    while (!idle_.empty()) {
        std::unique_ptr<Connection> last = std::move(idle_.back().connection);
        idle_.pop_back();
        if (last->is_alive()) return last;
        open_--;
    }
    return nullptr;
}

std::unique_ptr<Connection> Pool::connect(const Patience& patience) {
    Clock::time_point until = std::min(patience.deadline, Clock::now() + restart_patience);
    for (;;) {
        try {
            auto connection = std::make_unique<Connection>(options_, patience);
            open_++;
            return connection;
        } catch (const SqlError& error) {
            if (!is_starting(error) || Clock::now() >= until || stop::begun()) throw;
        }
        std::this_thread::sleep_for(between_attempts);
    }
}

void Pool::close_idle() {
    std::lock_guard lock(mutex_);
    Clock::time_point limit = Clock::now() - idle_for;
    std::erase_if(idle_, [&](Idle& each) {
        if (each.since >= limit) return false;
        open_--;
        return true;
    });
}

}  // namespace gateway
