// One connection to PostgreSQL. Every wait has a deadline, and ends when the client goes away or
// the gateway stops; what was asked is then cancelled.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "options.h"

namespace gateway {

using Clock = std::chrono::steady_clock;

/// How long to wait, and for whom.
struct Patience {
    Clock::time_point deadline;
    // Finds the client's socket; called once, when a wait is not over at once. -1: there is none.
    std::function<int()> client;
};

/// What a query returned: rows of texts, or of nothing where there was NULL.
class Rows {
  public:
    using Cell = std::optional<std::string>;
    explicit Rows(PGresult* result) : result_(result, PQclear) {}
    int count() const { return PQntuples(result_.get()); }
    Cell at(int row, int column) const;
    std::string text(int row, int column) const { return at(row, column).value_or(""); }

  private:
    std::unique_ptr<PGresult, void (*)(PGresult*)> result_;
};

class Connection {
  public:
    /// Connects. Throws SqlError, or Cancelled.
    Connection(const Options& options, const Patience& patience);

    /// Runs one statement with parameters $1, $2 …, which is planned once for each connection.
    /// Throws SqlError, Cancelled, or Refusal (503) at the deadline.
    Rows query(const char* sql, const std::vector<std::string>& parameters,
               const Patience& patience);
    /// False if it is lost; it is not asked, only looked at.
    bool is_alive();
    /// Of the server, as it was reached.
    std::string host() const { return PQhost(connection_.get()); }
    std::string port() const { return PQport(connection_.get()); }
    std::string user() const { return PQuser(connection_.get()); }
    std::string password() const { return PQpass(connection_.get()); }

  private:
    void connect(const Patience& patience);
    const std::string& prepared(const char* sql, const Patience& patience);
    Rows answer(const Patience& patience);
    void send(const Patience& patience);
    void wait_until_answered(const Patience& patience);
    std::string cancel();
    [[noreturn]] void fail(const std::string& what);
    Rows collect();

    std::unique_ptr<PGconn, void (*)(PGconn*)> connection_{nullptr, PQfinish};
    std::map<std::string, std::string, std::less<>> prepared_;  // statements, and their names
    int statements_ = 0;  // names that were used, also those of which nobody knows how it ended
};

}  // namespace gateway
