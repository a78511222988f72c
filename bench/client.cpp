// The client of the benches: some threads that run test after test, each in the same steps, and
// time every step. It knows nothing of testpool; what a step does is SQL on the command line, so
// that all contestants are driven by the same program.
//
//   client [--clients N] [--tests N] [--seconds N] [--rate N] [STEP SQL]…
//
// It ends after so many tests, or seconds, whichever comes first. With a rate a client begins so
// many tests a second; without, the next one when the last is over.
//
// Steps of a test, each optional, those with … repeatable:
//   --take SQL     in the home database; its first column, if it has a row, names the database
//   --database NAME what to connect to, where take names nothing
//   --first SQL    the first query in the database; its answer ends "asking"
//   --work SQL …   the test
//   --clean SQL …  in the database, after the test
//   --home SQL …   in the home database, while the connection is open; counts as giving
//   --leave SQL …  in the home database, after the connection to the database was closed; not timed
//   --give SQL …   in the home database, after that
//   --stay yes     take and connect come once, before a client's first test, and leave and give
//                  after its last; what stands between is each test's
//   --note SQL     in the home database, not timed; its row is printed with the test
// and --finish SQL, in the home database, once all tests are done; it counts as part of the run.
//
// In all of them :db is the name of the database, :client the number of the client, and :n a number
// with 999 unused ones after it. Connections are made as libpq's environment variables say.
//
// A take or give that begins with "GET http" or "POST http" is a request to a service that answers
// as IntegreSQL does: with the JSON of a connection, and a number that is :id afterwards; :db is
// then the database that the connection names.
//
// Prints a line for each test: client, when it began, and how long take, connect (with first),
// work, clean and give took, in µs; then the note's columns. The last line is "run" and the µs it
// all took.

#include <libpq-fe.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <map>
#include <string>
#include <thread>
#include <vector>

#ifdef WITH_HTTP
#include <curl/curl.h>
#endif

namespace {

using Clock = std::chrono::steady_clock;
using Texts = std::vector<std::string>;

struct Plan {
    int clients = 1;
    long tests = std::numeric_limits<long>::max();  // of all clients together
    double seconds = std::numeric_limits<double>::infinity();
    double rate = std::numeric_limits<double>::infinity();  // of each client
    std::map<std::string, Texts> steps;

    const Texts& operator[](const std::string& step) const {
        static const Texts none;
        auto found = steps.find(step);
        return found == steps.end() ? none : found->second;
    }
};

long microseconds(Clock::duration time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

/// Starts so far from where the previous run of this program started that the two never meet.
std::atomic<long> next_number =
    microseconds(Clock::duration(std::chrono::system_clock::now().time_since_epoch())) / 16;

[[noreturn]] void fail(const std::string& what, PGconn* connection) {
    std::fprintf(stderr, "client: %s: %s", what.c_str(), PQerrorMessage(connection));
    std::_Exit(1);
}

PGconn* connect(const std::string& database) {
    const char* keys[] = {"dbname", nullptr};
    const char* values[] = {database.empty() ? nullptr : database.c_str(), nullptr};
    PGconn* connection = PQconnectdbParams(keys, values, 1);  // may be a whole connection string
    if (PQstatus(connection) != CONNECTION_OK) fail("connecting to " + database, connection);
    return connection;
}

/// Runs one statement; returns the columns of its first row.
Texts query(PGconn* connection, const std::string& sql) {
    PGresult* result = PQexec(connection, sql.c_str());
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) fail(sql, connection);
    Texts row;
    if (PQntuples(result) > 0)
        for (int i = 0; i < PQnfields(result); i++) row.emplace_back(PQgetvalue(result, 0, i));
    PQclear(result);
    return row;
}

#ifdef WITH_HTTP
size_t append(char* data, size_t size, size_t count, void* text) {
    static_cast<std::string*>(text)->append(data, size * count);
    return size * count;
}

/// "METHOD URL"; returns the answer. Each thread keeps its connection.
std::string request(const std::string& what) {
    static thread_local CURL* curl = curl_easy_init();
    size_t space = what.find(' ');
    std::string answer;
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, what.substr(0, space).c_str());
    curl_easy_setopt(curl, CURLOPT_URL, what.substr(space + 1).c_str());
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    if (CURLcode code = curl_easy_perform(curl); code != CURLE_OK) {
        std::fprintf(stderr, "client: %s: %s\n", what.c_str(), curl_easy_strerror(code));
        std::_Exit(1);
    }
    return answer;
}

#else

std::string request(const std::string& what) {
    std::fprintf(stderr, "client: %s: it was built without HTTP\n", what.c_str());
    std::_Exit(1);
}

#endif

/// A member of a JSON object, a text or a number; nothing in it is escaped.
std::string member(const std::string& json, const std::string& name) {
    size_t at = json.find("\"" + name + "\":");
    if (at == std::string::npos) return "";
    at += name.size() + 3;
    bool quoted = json[at] == '"';
    size_t end = quoted ? json.find('"', ++at) : json.find_first_of(",}", at);
    return json.substr(at, end - at);
}

std::string config_of(const std::string& json) {
    return json.substr(std::min(json.size(), json.find("\"config\":") + 9));
}

std::string connection_of(const std::string& config) {
    return "host=" + member(config, "host") + " port=" + member(config, "port") +
           " user=" + member(config, "username") + " password='" + member(config, "password") +
           "' dbname=" + member(config, "database");
}

void replace(std::string& text, const std::string& name, const std::string& value) {
    for (size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += value.size())
        text.replace(at, name.size(), value);
}

/// One client: its connection to the home database, and the test it is at.
class Client {
  public:
    Client(const Plan& plan, int number, Clock::time_point start)
        : plan_(plan), number_(number), start_(start), home_(connect("")) {}
    ~Client() {
        if (inside_ != nullptr) {
            disconnect();
            run(home_, "give");
        }
        PQfinish(home_);
    }

    void test() {
        n_ = std::to_string(next_number++ * 1000);
        Clock::time_point began = lap_ = Clock::now();
        bool enters = inside_ == nullptr;
        if (enters) find_database();
        long take = lap();
        if (enters) inside_ = connect(address_.empty() ? database_ : address_);
        run(inside_, "first");
        long connecting = lap();
        run(inside_, "work");
        long work = lap();
        run(inside_, "clean");
        long clean = lap();
        run(home_, "home");
        bool leaves = plan_["stay"].empty();
        long home = lap();
        if (leaves) disconnect();
        lap();
        if (leaves) run(home_, "give");
        long give = home + lap();
        char line[200];
        std::snprintf(line, sizeof line, "%d\t%ld\t%ld\t%ld\t%ld\t%ld\t%ld", number_,
                      microseconds(began - start_), take, connecting, work, clean, give);
        log_ += line;
        for (const std::string& column : run(home_, "note")) log_ += "\t" + column;
        log_ += "\n";
    }

    const std::string& log() const { return log_; }

  private:
    void find_database() {
        database_.clear();
        for (const std::string& name : plan_["database"]) database_ = filled(name);
        address_.clear();
        if (Texts row = run(home_, "take"); !row.empty()) database_ = row[0];
    }

    void disconnect() {
        PQfinish(inside_);
        inside_ = nullptr;
        run(home_, "leave");
    }

    std::string filled(std::string text) const {
        replace(text, ":db", database_);
        replace(text, ":client", std::to_string(number_));
        replace(text, ":id", id_);
        replace(text, ":n", n_);
        return text;
    }

    Texts run(PGconn* connection, const char* step) {
        Texts row;
        for (const std::string& text : plan_[step]) {
            std::string what = filled(text);
            row = what.find(" http") < 5 ? ask_service(what) : query(connection, what);
        }
        return row;
    }

    Texts ask_service(const std::string& what) {
        std::string answer = request(what);
        if (answer.empty()) return {};
        std::string config = config_of(answer);
        id_ = member(answer, "id");
        address_ = connection_of(config);
        return {member(config, "database")};
    }

    long lap() {
        Clock::time_point before = lap_;
        lap_ = Clock::now();
        return microseconds(lap_ - before);
    }

    const Plan& plan_;
    int number_;
    Clock::time_point start_;
    Clock::time_point lap_;
    PGconn* home_;
    PGconn* inside_ = nullptr;  // the connection to the database
    std::string database_;
    std::string address_;  // how to connect to it, if its name is not enough
    std::string id_;
    std::string n_;
    std::string log_;
};

Plan read_plan(int count, char** words) {
    Plan plan;
    for (int i = 1; i + 1 < count; i += 2) {
        std::string name = words[i] + 2;
        if (name == "clients")
            plan.clients = std::atoi(words[i + 1]);
        else if (name == "tests")
            plan.tests = std::atol(words[i + 1]);
        else if (name == "seconds")
            plan.seconds = std::atof(words[i + 1]);
        else if (name == "rate")
            plan.rate = std::atof(words[i + 1]);
        else
            plan.steps[name].emplace_back(words[i + 1]);
    }
    return plan;
}

void run(const Plan& plan) {
    std::atomic<long> begun = 0;
    Clock::time_point start = Clock::now();
    std::vector<Client*> clients;
    for (int i = 0; i < plan.clients; i++) clients.push_back(new Client(plan, i, start));
    std::vector<std::thread> threads;
    Clock::time_point first = Clock::now();
    auto pause = std::chrono::nanoseconds(static_cast<long>(1e9 / plan.rate));
    auto more = [&] {
        return begun++ < plan.tests &&
               std::chrono::duration<double>(Clock::now() - first).count() < plan.seconds;
    };
    for (Client* client : clients)
        threads.emplace_back([&, client] {
            for (long i = 0; more(); i++) {
                std::this_thread::sleep_until(first + i * pause);
                client->test();
            }
        });
    for (std::thread& thread : threads) thread.join();
    PGconn* home = connect("");
    for (const std::string& sql : plan["finish"]) query(home, sql);
    long took = microseconds(Clock::now() - first);
    PQfinish(home);
    for (Client* client : clients) {
        std::fputs(client->log().c_str(), stdout);
        delete client;
    }
    std::printf("run\t%ld\n", took);
}

}  // namespace

int main(int count, char** words) { run(read_plan(count, words)); }
