// testpool for C++: every test gets a real PostgreSQL database that is as your migrations made it,
// from the pool of a server that has the extension testpool. One header over libpq, for C++17.
//
// Include it after GoogleTest's or Catch2's headers: it has a fixture for whichever is there.
//
//     struct Refund : testpool::Test {
//         Refund() : Test(testpool::sql("migrations")) {}
//     };
//     TEST_F(Refund, pays) { PQexec(connection(), "…"); }

#pragma once

#include <libpq-fe.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace testpool {

struct Error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

namespace detail {

inline std::string variable(const char* name, const std::string& otherwise = "") {
    const char* value = std::getenv(name);
    return value && *value ? value : otherwise;
}

// ---- connection URIs: where the home database is, and the same server with another database
// ---------------

inline std::string encoded(const std::string& text) {
    std::string out;
    char hex[4];
    for (unsigned char c : text) {
        if (std::isalnum(c) ||
            std::string("-._~").find(static_cast<char>(c)) != std::string::npos) {
            out += static_cast<char>(c);
        } else {
            std::snprintf(hex, sizeof hex, "%%%02X", c);
            out += hex;
        }
    }
    return out;
}

struct Url {
    std::string authority, database, query;  // the query with its question mark

    static Url of(const std::string& url) {
        auto scheme = url.find("://");
        if (scheme == std::string::npos ||
            (url.substr(0, scheme) != "postgresql" && url.substr(0, scheme) != "postgres")) {
            throw Error("testpool: TESTPOOL_URL is no postgresql:// URI");
        }
        auto rest = url.substr(scheme + 3);
        auto query = std::min(rest.find('?'), rest.size());
        auto slash = std::min(rest.find('/'), query);
        return {rest.substr(0, slash),
                slash < query ? rest.substr(slash + 1, query - slash - 1) : "", rest.substr(query)};
    }

    std::string text() const { return "postgresql://" + authority + "/" + database + query; }
    std::string with(const std::string& name) const {
        return Url{authority, encoded(name), query}.text();
    }

    std::string without_password() const {
        auto at = authority.rfind('@'), colon = authority.find(':');
        if (at == std::string::npos || colon > at) return text();
        return Url{authority.substr(0, colon) + authority.substr(at), database, query}.text();
    }
};

// Several hosts have a port each, or one for all, as in libpq.
inline std::string with_ports(const std::string& hosts, const std::string& ports) {
    std::istringstream each_host(hosts), each_port(ports);
    std::string host, port, out;
    while (std::getline(each_host, host, ',')) {
        std::getline(each_port, port, ',');
        out += (out.empty() ? "" : ",") +
               (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
    }
    return out;
}

// TESTPOOL_URL, else libpq's variables.
inline Url home_url() {
    if (auto given = variable("TESTPOOL_URL"); !given.empty()) {
        auto url = Url::of(given);
        if (url.database.empty()) url.database = "postgres";
        return url;
    }
    auto login = encoded(variable("PGUSER", variable("USER", "postgres")));
    if (auto password = variable("PGPASSWORD"); !password.empty()) login += ":" + encoded(password);
    auto hosts = variable("PGHOST", "localhost"), ports = variable("PGPORT", "5432");
    auto database = encoded(variable("PGDATABASE", "postgres"));
    if (hosts[0] == '/')
        return {login + "@", database, "?host=" + encoded(hosts) + "&port=" + ports};
    return {login + "@" + with_ports(hosts, ports), database, ""};
}

// ---- sessions
// ---------------------------------------------------------------------------------------------

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;

inline std::string trimmed(std::string text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
    return text;
}

inline Connection connect(const std::string& url) {
    Connection connection(PQconnectdb(url.c_str()), PQfinish);
    if (PQstatus(connection.get()) != CONNECTION_OK)
        throw Error(trimmed(PQerrorMessage(connection.get())));
    PQsetNoticeProcessor(
        connection.get(), [](void*, const char*) {}, nullptr);
    return connection;
}

using Row = std::vector<std::optional<std::string>>;

inline Row row_of(PGconn* connection, PGresult* answer) {
    std::unique_ptr<PGresult, decltype(&PQclear)> result(answer, PQclear);
    auto status = PQresultStatus(answer);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        throw Error(trimmed(PQerrorMessage(connection)));
    Row row;
    for (int i = 0; PQntuples(answer) > 0 && i < PQnfields(answer); i++) {
        bool null = PQgetisnull(answer, 0, i);
        row.push_back(null ? std::nullopt : std::optional<std::string>(PQgetvalue(answer, 0, i)));
    }
    return row;
}

// The first row of the answer.
inline Row ask(PGconn* connection, const char* sql, const std::vector<std::string>& values = {}) {
    std::vector<const char*> pointers;
    for (const auto& value : values) pointers.push_back(value.c_str());
    return row_of(connection, PQexecParams(connection, sql, static_cast<int>(values.size()),
                                           nullptr, pointers.data(), nullptr, nullptr, 0));
}

inline Connection connect_home() {
    auto url = home_url();
    Connection home(nullptr, PQfinish);
    try {
        home = connect(url.text());
    } catch (const Error& error) {
        throw Error(
            "testpool: no PostgreSQL server at " + url.without_password() + ": " + error.what() +
            "\nSet TESTPOOL_URL, or PGHOST, PGPORT and PGUSER, to a server that has testpool.");
    }
    if (!ask(home.get(),
             "SELECT to_regprocedure('testpool.keep_failed(text, text, text, integer)')")[0]) {
        throw Error(
            "testpool is not in the database " + url.without_password() +
            ": load it with shared_preload_libraries = 'testpool', then CREATE EXTENSION testpool there.");
    }
    return home;
}

inline std::string random_token() {
    char text[9];
    std::snprintf(text, sizeof text, "%08x", std::random_device()());
    return text;
}

}  // namespace detail

// ---- templates
// --------------------------------------------------------------------------------------------

// What builds a template: a tool, the files that it reads, and what fills the empty database at a
// URL.
struct Template {
    std::string tool;
    std::map<std::string, std::filesystem::path> files;  // by their paths below their folder
    std::function<void(const std::string& url)> migrate;
};

namespace detail {

inline std::string contents_of(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw Error("testpool: cannot read " + path.string());
    return {std::istreambuf_iterator<char>(in), {}};
}

inline std::map<std::string, std::filesystem::path> files_of(
    const std::vector<std::filesystem::path>& places) {
    std::map<std::string, std::filesystem::path> files;
    for (const auto& place : places) {
        if (!std::filesystem::exists(place))
            throw Error("testpool: there is no " + std::filesystem::absolute(place).string());
        if (!std::filesystem::is_directory(place)) {
            files[place.filename().string()] = place;
            continue;
        }
        for (const auto& entry : std::filesystem::recursive_directory_iterator(place)) {
            if (entry.is_regular_file())
                files[entry.path().lexically_relative(place).generic_string()] = entry.path();
        }
    }
    return files;
}

inline void run_scripts(const std::map<std::string, std::filesystem::path>& files,
                        const std::string& url) {
    auto connection = connect(url);
    for (const auto& [name, path] : files) {
        try {
            row_of(connection.get(), PQexec(connection.get(), contents_of(path).c_str()));
        } catch (const Error& error) {
            throw Error(name + ": " + error.what());
        }
    }
}

}  // namespace detail

// A folder whose .sql files run by name, each in a transaction; or a file.
inline Template sql(const std::filesystem::path& place) {
    auto files = detail::files_of({place});
    for (auto each = files.begin(); each != files.end();)
        each = each->second.extension() == ".sql" ? std::next(each) : files.erase(each);
    if (files.empty()) throw Error("testpool: there is no .sql file in " + place.string());
    return {"sql", files, [files](const std::string& url) { detail::run_scripts(files, url); }};
}

// Any tool; the template is built again when one of the files changes.
inline Template by(const std::string& tool, const std::vector<std::filesystem::path>& places,
                   std::function<void(const std::string& url)> migrate) {
    return {"function " + tool, detail::files_of(places), std::move(migrate)};
}

// A command that finds DATABASE_URL set.
inline Template command(const std::string& text, const std::vector<std::filesystem::path>& places) {
    return {
        text, detail::files_of(places), [text](const std::string& url) {
            ::setenv("TESTPOOL_TEMPLATE_URL", url.c_str(), 1);
            int status = std::system(
                ("DATABASE_URL=\"$TESTPOOL_TEMPLATE_URL\"; export DATABASE_URL\n" + text).c_str());
            if (status != 0) throw Error(text + ": failed; what it says stands above");
        }};
}

namespace detail {

struct Built {
    std::string hash, name;
};

inline std::string label() {
    auto project =
        variable("TESTPOOL_PROJECT", std::filesystem::current_path().filename().string());
    std::string label;
    for (unsigned char c : project.substr(0, 20))
        label += std::isalnum(c) ? static_cast<char>(std::tolower(c)) : '_';
    return label.empty() ? "tests" : label;
}

// Over the project, the tool, names, sizes and contents, and not over the place where they lie. The
// server has SHA-256.
inline std::string hash_of(PGconn* home, const std::string& label, const Template& wanted) {
    std::string all = label + '\0' + wanted.tool;
    for (const auto& [name, path] : wanted.files) {
        auto contents = contents_of(path);
        all += '\0' + name + '\0' + std::to_string(contents.size()) + '\0' + contents;
    }
    const char* values[] = {all.data()};
    const int lengths[] = {static_cast<int>(all.size())}, formats[] = {1};
    const Oid bytea[] = {17};
    return *row_of(home, PQexecParams(home, "SELECT encode(sha256($1), 'hex')", 1, bytea, values,
                                      lengths, formats, 0))[0];
}

// Sees that the template is there: of all processes that come, one builds.
inline Built build(PGconn* home, const Template& wanted) {
    static std::map<std::string, std::string> failed;  // hash → why
    Built built;
    auto project = label();
    built.hash = hash_of(home, project, wanted);
    built.name = project + "-" + built.hash.substr(0, 12);
    if (auto known = failed.find(built.hash); known != failed.end()) throw Error(known->second);
    ask(home, "SELECT set_config('testpool.template_timeout', '10min', false)");
    auto database =
        ask(home, "SELECT testpool.init_template($1, name => $2)", {built.hash, built.name})[0];
    if (!database) return built;
    try {
        wanted.migrate(home_url().with(*database));
    } catch (const std::exception& error) {
        ask(home, "SELECT testpool.discard($1, $2)",
            {built.hash, std::string(error.what()).substr(0, 900)});
        failed[built.hash] =
            "testpool: the template " + built.name + " could not be built: " + error.what();
        throw Error(failed[built.hash]);
    }
    ask(home, "SELECT testpool.finalize($1)", {built.hash});
    return built;
}

// What all processes of one run have in common: their parent, if that is CTest, else each is a run.
inline const std::string& run() {
    static const std::string id = [] {
        auto given = variable("TESTPOOL_RUN");
        if (!given.empty()) return given;
        auto parent = "/proc/" + std::to_string(getppid());
        std::string name, stat, field;
        std::getline(std::ifstream(parent + "/comm"), name);
        std::getline(std::ifstream(parent + "/stat"), stat);
        if (name != "ctest" || stat.rfind(')') == std::string::npos) return "cpp-" + random_token();
        std::istringstream fields(stat.substr(stat.rfind(')') + 1));
        for (int i = 0; i < 20; i++) fields >> field;  // when it was started
        return "cpp-" + std::to_string(getppid()) + "-" + field;
    }();
    return id;
}

}  // namespace detail

// ---- databases
// --------------------------------------------------------------------------------------------

// A leased database. Its URL stays what it is, also if a failed test's contents are kept aside.
class Database {
  public:
    const std::string& name() const { return name_; }
    const std::string& url() const { return url_; }

    // Makes it as the template again in the middle of a test. Connections to it stay.
    void rewind() { detail::ask(home_.get(), "SELECT testpool.rewind($1)", {name_}); }

    // The one that this process rewinds after each test.
    static Database own(const Template& wanted) {
        static const std::string token = detail::random_token();
        auto home = detail::connect_home();
        auto built = detail::build(home.get(), wanted);
        Database database(std::move(home), built.name + "~cpp-" + token, true);
        database.enter();
        return database;
    }

    // A clone.
    static Database acquire(const Template& wanted) {
        auto home = detail::connect_home();
        auto built = detail::build(home.get(), wanted);
        auto name = *detail::ask(home.get(), "SELECT testpool.acquire($1)", {built.hash})[0];
        return {std::move(home), name, false};
    }

    // Keeps it for a person; returns the lines of a report, or nothing if enough are kept of this
    // run.
    std::string keep(const std::string& test) {
        auto row = detail::ask(
            home_.get(),
            "SELECT url, changes FROM testpool.keep_failed($1, $2, $3, $4::text::integer)",
            {name_, test, detail::run(), detail::variable("TESTPOOL_KEEP", "3")});
        if (!row[0]) return "";
        kept_ = *row[0];
        std::string changes;
        for (char c : *row[1]) changes += c == '\n' ? std::string("\n  ") : std::string(1, c);
        return "testpool: kept: " + kept_ + "\nthe test's changes:\n  " + changes + "\n";
    }

    // As the template is, for the next test. Sessions stay, but those in what is kept.
    void renew() {
        if (kept_.empty()) return rewind();
        const char* end =
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1";
        detail::ask(home_.get(), end, {detail::Url::of(kept_).database});
        kept_.clear();
        enter();
    }

    void release() {
        if (kept_.empty()) detail::ask(home_.get(), "SELECT testpool.release($1)", {name_});
    }

    bool is_own() const { return own_; }

  private:
    Database(detail::Connection home, const std::string& name, bool own)
        : home_(std::move(home)), name_(name), url_(detail::home_url().with(name)), own_(own) {}

    // Leases the clone of our name for the home session: the lease lasts as long as that.
    void enter() {
        auto visitor = detail::connect(url_);
        detail::ask(home_.get(), "SELECT testpool.renew($1)", {name_});
    }

    detail::Connection home_;
    std::string name_, url_, kept_;
    bool own_;
};

// What a test has. A fixture tells it in the end whether the test has failed.
class Leases {
  public:
    explicit Leases(const Template& wanted) : template_(wanted), own_(process_own(wanted)) {}
    Leases(const Leases&) = delete;

    const std::string& url() const { return own_->url(); }
    const std::string& name() const { return own_->name(); }
    void rewind() { own_->rewind(); }

    // A connection that is closed when the test has ended.
    PGconn* connection() {
        if (!connection_) connection_ = detail::connect(url());
        return connection_.get();
    }

    // One more database, until the test ends.
    Database& acquire() { return acquire(template_); }
    Database& acquire(const Template& wanted) {
        more_.push_back(std::make_unique<Database>(Database::acquire(wanted)));
        return *more_.back();
    }

    // Returns what the report says.
    std::string end(bool failed, const std::string& test) noexcept {
        std::string report;
        try {
            if (failed) report = keep(test);
            connection_.reset();
            for (auto& each : more_) each->release();
            own_->renew();
        } catch (const std::exception& error) {
            report += std::string("testpool: ") + error.what() + "\n";
            forget();  // the next test has another
        }
        return report;
    }

  private:
    struct Owned : std::map<std::string, std::unique_ptr<Database>> {
        ~Owned() {  // with the process
            for (auto& [key, database] : *this) {
                try {
                    database->release();
                } catch (const std::exception&) {
                    // then it ends with its session
                }
            }
        }
    };

    static Owned& owned() {
        static Owned all;
        return all;
    }

    static std::string key(const Template& wanted) {
        auto key = wanted.tool;
        for (const auto& [name, path] : wanted.files) key += "\n" + path.string();
        return key;
    }

    static Database* process_own(const Template& wanted) {
        auto found = owned().find(key(wanted));
        if (found == owned().end()) {
            auto database = std::make_unique<Database>(Database::own(wanted));
            found = owned().emplace(key(wanted), std::move(database)).first;
        }
        return found->second.get();
    }

    std::string keep(const std::string& test) {
        auto report = own_->keep(test);
        for (auto& each : more_) report += each->keep(test);
        return report;
    }

    void forget() { owned().erase(key(template_)); }

    Template template_;
    Database* own_;
    detail::Connection connection_{nullptr, PQfinish};
    std::vector<std::unique_ptr<Database>> more_;
};

}  // namespace testpool

// ---- GoogleTest
// -------------------------------------------------------------------------------------------

#ifdef GTEST_TEST_
namespace testpool {

class Test : public ::testing::Test {
  protected:
    explicit Test(const Template& wanted) : leases_(wanted) {}

    ~Test() override {
        const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
        auto report =
            leases_.end(HasFailure(), std::string(info->test_suite_name()) + "." + info->name());
        if (report.empty()) return;
        std::cout << report << std::flush;
        RecordProperty("testpool", report);
    }

    const std::string& url() const { return leases_.url(); }
    const std::string& name() const { return leases_.name(); }
    void rewind() { leases_.rewind(); }
    PGconn* connection() { return leases_.connection(); }
    Database& acquire() { return leases_.acquire(); }
    Database& acquire(const Template& wanted) { return leases_.acquire(wanted); }

  private:
    Leases leases_;
};

}  // namespace testpool
#endif

// ---- Catch2
// -----------------------------------------------------------------------------------------------

#ifdef CATCH_VERSION_MAJOR
namespace testpool {

namespace detail {
inline int failed_assertions = 0;
}

class Fixture {
  protected:
    explicit Fixture(const Template& wanted) : leases_(wanted) {}

    ~Fixture() {
        bool failed =
            detail::failed_assertions > failures_ || std::uncaught_exceptions() > exceptions_;
        std::cout << leases_.end(failed, Catch::getResultCapture().getCurrentTestName())
                  << std::flush;
    }

    const std::string& url() const { return leases_.url(); }
    const std::string& name() const { return leases_.name(); }
    void rewind() { leases_.rewind(); }
    PGconn* connection() { return leases_.connection(); }
    Database& acquire() { return leases_.acquire(); }
    Database& acquire(const Template& wanted) { return leases_.acquire(wanted); }

  private:
    Leases leases_;
    int failures_ = detail::failed_assertions;
    int exceptions_ = std::uncaught_exceptions();
};

}  // namespace testpool

// A CHECK that fails throws nothing, so a listener counts. Catch2 2 lets only the file with its
// main have one.
#if CATCH_VERSION_MAJOR >= 3
namespace testpool::detail {
struct Listener : Catch::EventListenerBase {
    using EventListenerBase::EventListenerBase;
    void assertionEnded(const Catch::AssertionStats& stats) override {
        failed_assertions += !stats.assertionResult.isOk();
    }
};
CATCH_REGISTER_LISTENER(Listener)
}  // namespace testpool::detail
#elif defined(CATCH_CONFIG_MAIN) || defined(CATCH_CONFIG_RUNNER)
namespace testpool::detail {
struct Listener : Catch::TestEventListenerBase {
    using TestEventListenerBase::TestEventListenerBase;
    bool assertionEnded(const Catch::AssertionStats& stats) override {
        failed_assertions += !stats.assertionResult.isOk();
        return false;
    }
};
CATCH_REGISTER_LISTENER(Listener)
}  // namespace testpool::detail
#endif
#endif
