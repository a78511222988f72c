#include "templates.h"

#include <array>
#include <charconv>

#include "error.h"

namespace gateway {

namespace {

// What a call takes that has nothing to wait for; generous, for a busy server.
constexpr milliseconds call_timeout{30'000};
// To seal a template takes as long as to vacuum it, and testpool has no time-out for that.
constexpr milliseconds seal_timeout{60 * 60 * 1000};
// The server answers at its own deadline; we give up a little later.
constexpr milliseconds slack{10'000};

// A hash may have any length; testpool's have at most 1,024 bytes.
#define HASH_OF(parameter)                                          \
    "CASE WHEN octet_length(" parameter ") <= 1024 THEN " parameter \
    " ELSE 'sha256:' || encode(sha256(convert_to(" parameter ", 'UTF8')), 'hex') END"

constexpr const char* known_sql = "SELECT state FROM testpool.templates WHERE hash = " HASH_OF(
    "$1::text") " AND state <> 'discarded'";

// Its builder is nobody's session: it has so long to connect, and to come back.
constexpr const char* claim_sql =
    "WITH graces AS MATERIALIZED (SELECT set_config('testpool.visit_grace', $2, true),"
    " set_config('testpool.arrival_grace', $2, true))"
    " SELECT testpool.init_template(" HASH_OF("$1::text") ") FROM graces";

constexpr const char* finalize_sql = "SELECT testpool.finalize(" HASH_OF("$1::text") ")";

constexpr const char* discard_sql =
    "SELECT testpool.discard(hash, 'it was discarded through the gateway')"
    " FROM testpool.templates WHERE hash = " HASH_OF("$1::text") " AND state <> 'discarded'";

constexpr const char* acquire_sql =
    "SELECT testpool.acquire(" HASH_OF("$1::text") ", make_interval(secs => $2::float8 / 1000))";

constexpr const char* renew_sql =
    "SELECT CASE WHEN d.sessions = 0 THEN testpool.renew(d.database)::text ELSE 'busy' END"
    " FROM testpool.databases d"
    " WHERE d.database = $1 AND d.hash = " HASH_OF("$2::text") " AND d.state = 'leased'";

// The lease of that number; the template's state; whether the number was ever given out.
constexpr const char* find_sql =
    "SELECT (SELECT d.database FROM testpool.databases d WHERE d.hash = " HASH_OF("$1::text")
    "   AND d.state = 'leased' AND d.database ~ ('_' || $2 || '$')),"
    " (SELECT t.state FROM testpool.templates t WHERE t.hash = " HASH_OF("$1::text")
    "   AND t.state <> 'discarded'),"
    " EXISTS (SELECT FROM testpool.databases d"
    "   WHERE substring(d.database from '_([0-9]{1,18})$')::bigint >= $2::bigint)";

#undef HASH_OF

/// Names end with a number that is never used again.
long number_of(const std::string& database) {
    long number = 0;
    size_t sign = database.rfind('_');
    if (sign != std::string::npos)
        std::from_chars(database.data() + sign + 1, database.data() + database.size(), number);
    return number;
}

/// What a client is told of an error of the server's.
[[noreturn]] void refuse(const SqlError& error) {
    const std::string& state = error.sqlstate;
    std::string kind = state.substr(0, 2);
    if (state == "42704") throw Refusal(404, "template not found");
    if (state == "55000" && std::string(error.what()).find("was discarded") != std::string::npos)
        throw Refusal(410, error.what());
    // It was not to be had in time; there is no room; the server is not there.
    bool later = state.empty() || state == "55P03" || kind == "53" || kind == "57" || kind == "08";
    if (later) throw Refusal(503, error.what());
    if (kind == "22") throw Refusal(400, error.what());
    throw error;
}

/// Runs what asks PostgreSQL, and has its errors told as HTTP does.
template <class Work>
auto refusing(Work work) {
    try {
        return work();
    } catch (const SqlError& error) {
        refuse(error);
    }
}

}  // namespace

Patience Templates::brief() const { return {Clock::now() + call_timeout, nullptr}; }

Access Templates::access(const Connection& connection, const std::string& database) const {
    const Options& options = pool_.options();
    return {options.public_host.empty() ? connection.host() : options.public_host,
            options.public_port.empty() ? connection.port() : options.public_port,
            connection.user(), connection.password(), database};
}

TestDatabase Templates::test_database(const Connection& connection,
                                      const std::string& database) const {
    return {number_of(database), access(connection, database)};
}

Access Templates::initialize(const std::string& hash, const std::function<int()>& client) {
    const Options& options = pool_.options();
    // To the same session a claim would be granted again, so the second one has to look first.
    std::lock_guard claim(claims_[std::hash<std::string>{}(hash) % claims_.size()]);
    return refusing([&] {
        Patience patience{Clock::now() + options.finalize_timeout + call_timeout, client};
        return pool_.with(Use::brief, patience, [&](Connection& connection) {
            if (connection.query(known_sql, {hash}, patience).count() > 0)
                throw Refusal(423, "template is already initialized");
            std::string grace = std::to_string(options.finalize_timeout.count());
            auto built = connection.query(claim_sql, {hash, grace}, patience).at(0, 0);
            if (!built) throw Refusal(423, "template is already initialized");
            returned_.forget(hash);
            return access(connection, *built);
        });
    });
}

void Templates::finalize(const std::string& hash, const std::function<int()>& client) {
    try {
        pool_.query(finalize_sql, {hash}, {Clock::now() + seal_timeout, client});
    } catch (const SqlError& error) {
        if (error.sqlstate == "55000") throw Refusal(404, "template not found");
        refuse(error);
    }
}

void Templates::discard(const std::string& hash) {
    returned_.forget(hash);
    int found = refusing([&] { return pool_.query(discard_sql, {hash}, brief()).count(); });
    if (found == 0) throw Refusal(404, "template not found");
}

void Templates::discard_all(const std::function<int()>& client) {
    returned_.forget_all();
    refusing([&] {
        pool_.query("SELECT testpool.reset()", {}, {Clock::now() + seal_timeout, client});
    });
}

bool Templates::is_building(const std::string& hash) {
    return pool_.query(known_sql, {hash}, brief()).text(0, 0) == "building";
}

std::optional<TestDatabase> Templates::take_returned(const std::string& hash,
                                                     const std::function<int()>& client) {
    std::vector<std::string> busy;
    std::optional<TestDatabase> taken;
    while (auto database = returned_.take_or_wait(hash)) {
        Patience patience{Clock::now() + call_timeout, client};
        taken = pool_.with(Use::brief, patience, [&](Connection& connection) {
            std::optional<TestDatabase> mine;
            try {
                Rows rows = connection.query(renew_sql, {*database, hash}, patience);
                if (rows.text(0, 0) == "busy")
                    busy.push_back(*database);
                else if (rows.count() > 0)
                    mine = test_database(connection, *database);
            } catch (const SqlError& error) {
                if (error.sqlstate != "55000" && error.sqlstate != "42704") throw;
            }
            return mine;
        });
        if (taken) break;
    }
    for (const std::string& each : busy) returned_.put(hash, each);
    return taken;
}

/// Has give_back() know that somebody waits for this hash.
struct Templates::Waiting {
    Waiting(Returned& returned, const std::string& hash) : returned(returned), hash(hash) {}
    ~Waiting() { returned.done_waiting(hash); }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    Returned& returned;
    const std::string& hash;
};

TestDatabase Templates::get(const std::string& hash, const std::function<int()>& client) {
    return refusing([&] {
        if (auto taken = take_returned(hash, client)) return *taken;
        Waiting waiting(returned_, hash);
        return acquire(hash, client);
    });
}

/// Waits for the build as long as builds may take, and then for a clone as long as that may.
TestDatabase Templates::acquire(const std::string& hash, const std::function<int()>& client) {
    Clock::time_point built_by = Clock::now() + pool_.options().finalize_timeout;
    for (;;) {
        try {
            return try_acquire(hash, client);
        } catch (const SqlError& error) {
            bool in_time = error.sqlstate == "55P03" && Clock::now() < built_by;
            if (!in_time || !is_building(hash)) throw;
        }
    }
}

TestDatabase Templates::try_acquire(const std::string& hash, const std::function<int()>& client) {
    milliseconds timeout = pool_.options().get_timeout;
    Patience patience{Clock::now() + timeout + slack, client};
    try {
        return pool_.with(Use::waiting, patience, [&](Connection& connection) {
            std::string wait = std::to_string(timeout.count());
            return test_database(connection,
                                 connection.query(acquire_sql, {hash, wait}, patience).text(0, 0));
        });
    } catch (const Cancelled& cancelled) {
        if (!cancelled.done.empty()) release(cancelled.done);
        throw;
    }
}

/// The leased database of that number; empty if it was given back before.
std::string Templates::find(const std::string& hash, long id) {
    if (id < 0) throw Refusal(404, "test database not found");
    Rows rows = pool_.query(find_sql, {hash, std::to_string(id)}, brief());
    if (auto database = rows.at(0, 0)) return *database;
    if (!rows.at(0, 1)) throw Refusal(404, "template not found");
    if (rows.text(0, 2) != "t") throw Refusal(404, "test database not found");
    return "";
}

void Templates::release(const std::string& database) {
    try {
        pool_.query("SELECT testpool.release($1)", {database}, brief());
    } catch (const SqlError& error) {
        // It has ended by itself meanwhile.
        if (error.sqlstate != "55000" && error.sqlstate != "42704") throw;
    }
}

void Templates::give_back(const std::string& hash, long id) {
    refusing([&] {
        std::string database = find(hash, id);
        if (!database.empty() && !returned_.put(hash, database)) release(database);
    });
}

void Templates::recreate(const std::string& hash, long id) {
    refusing([&] {
        std::string database = find(hash, id);
        if (!database.empty()) release(database);
    });
}

}  // namespace gateway
