// What IntegreSQL's API can do, in testpool's functions. All state is in PostgreSQL.
#pragma once

#include "pool.h"
#include "returned.h"

namespace gateway {

/// How to connect to a database.
struct Access {
    std::string host;
    std::string port;
    std::string user;
    std::string password;
    std::string database;
};

struct TestDatabase {
    long id;
    Access access;
};

class Templates {
  public:
    explicit Templates(Pool& pool) : pool_(pool) {}

    /// Claims the build. Refuses with 423 if the template is known.
    Access initialize(const std::string& hash, const std::function<int()>& client);
    /// Refuses with 404 if nobody claimed it.
    void finalize(const std::string& hash, const std::function<int()>& client);
    void discard(const std::string& hash);
    void discard_all(const std::function<int()>& client);
    /// A database of that template; waits for the build and for a clone. Refuses with 404, 410,
    /// 503.
    TestDatabase get(const std::string& hash, const std::function<int()>& client);
    /// Takes a database back as it is, for whoever asks next.
    void give_back(const std::string& hash, long id);
    /// Takes it back to be made clean.
    void recreate(const std::string& hash, long id);

  private:
    struct Waiting;
    Access access(const Connection& connection, const std::string& database) const;
    Patience brief() const;
    TestDatabase test_database(const Connection& connection, const std::string& database) const;
    std::optional<TestDatabase> take_returned(const std::string& hash,
                                              const std::function<int()>& client);
    TestDatabase acquire(const std::string& hash, const std::function<int()>& client);
    TestDatabase try_acquire(const std::string& hash, const std::function<int()>& client);
    bool is_building(const std::string& hash);
    std::string find(const std::string& hash, long id);
    void release(const std::string& database);

    Pool& pool_;
    Returned returned_;
    std::array<std::mutex, 64> claims_;  // by hash: one claim at a time
};

}  // namespace gateway
