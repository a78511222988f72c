#include "connection.h"

#include <poll.h>

#include <array>

#include "error.h"
#include "stop.h"

namespace gateway {

namespace {

// A wait that is over sooner need not know where its client is.
constexpr milliseconds soon{20};
// A server that does not even answer a cancel request is given up.
constexpr milliseconds cancel_timeout{5'000};

enum class Event { ready, deadline, client_gone, stopped };

int milliseconds_until(Clock::time_point time) {
    auto left = std::chrono::ceil<milliseconds>(time - Clock::now()).count();
    return static_cast<int>(std::clamp<long>(left, 0, 60'000));
}

/// Waits for the socket, once.
Event poll_for(int socket, short events, int client, Clock::time_point until) {
    std::array<pollfd, 3> watched{
        {{socket, events, 0}, {stop::descriptor(), POLLIN, 0}, {client, POLLRDHUP, 0}}};
    int found = poll(watched.data(), watched.size(), milliseconds_until(until));
    if (watched[0].revents != 0 && found > 0) return Event::ready;
    if (stop::begun()) return Event::stopped;
    if (found > 0 && watched[2].revents != 0) return Event::client_gone;
    return Event::deadline;
}

Event wait_for(int socket, short events, const Patience& patience) {
    Clock::time_point first = std::min(Clock::now() + soon, patience.deadline);
    Event event = poll_for(socket, events, -1, first);
    int client = event == Event::deadline && patience.client ? patience.client() : -1;
    while (event == Event::deadline && Clock::now() < patience.deadline)
        event = poll_for(socket, events, client, patience.deadline);
    return event;
}

[[noreturn]] void give_up(Event event) {
    if (event == Event::deadline) throw Refusal(503, "PostgreSQL did not answer in time");
    throw Cancelled(event == Event::stopped ? "the gateway stops" : "the client is gone");
}

std::string field(const PGresult* result, int code) {
    const char* text = PQresultErrorField(result, code);
    return text == nullptr ? "" : text;
}

/// Message, detail and hint in one line.
std::string message_of(const PGresult* result) {
    std::string message = field(result, PG_DIAG_MESSAGE_PRIMARY);
    if (std::string detail = field(result, PG_DIAG_MESSAGE_DETAIL); !detail.empty())
        message += ". " + detail;
    if (std::string hint = field(result, PG_DIAG_MESSAGE_HINT); !hint.empty())
        message += (message.ends_with(".") ? " " : ". ") + hint;
    return message;
}

std::string trimmed(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

std::string milliseconds_text(milliseconds time) { return std::to_string(time.count()); }

/// The session's settings, for the connection's start.
std::string session_settings(const Options& options) {
    std::string settings = "-c statement_timeout=0 -c testpool.template_timeout=" +
                           milliseconds_text(std::max(options.finalize_timeout, milliseconds(1)));
    if (options.grace) settings += " -c testpool.visit_grace=" + milliseconds_text(*options.grace);
    if (options.arrival)
        settings += " -c testpool.arrival_grace=" + milliseconds_text(*options.arrival);
    return settings;
}

}  // namespace

Rows::Cell Rows::at(int row, int column) const {
    if (row >= count() || PQgetisnull(result_.get(), row, column) != 0) return std::nullopt;
    return std::string(PQgetvalue(result_.get(), row, column),
                       PQgetlength(result_.get(), row, column));
}

Connection::Connection(const Options& options, const Patience& patience) {
    std::string settings = session_settings(options);
    std::array<const char*, 9> names{"host",
                                     "port",
                                     "user",
                                     "password",
                                     "dbname",
                                     "options",
                                     "application_name",
                                     "client_encoding",
                                     nullptr};
    std::array<const char*, 9> values{options.pg_host.c_str(),
                                      options.pg_port.c_str(),
                                      options.pg_user.c_str(),
                                      options.pg_password.c_str(),
                                      options.pg_database.c_str(),
                                      settings.c_str(),
                                      "testpool-gateway",
                                      "UTF8",
                                      nullptr};
    connection_.reset(PQconnectStartParams(names.data(), values.data(), 0));
    if (!connection_) throw std::bad_alloc();
    connect(patience);
    PQsetnonblocking(connection_.get(), 1);
    if (!options.grace)
        query(
            "SELECT set_config('testpool.visit_grace', current_setting('testpool.lease_grace'), false)",
            {}, patience);
}

void Connection::connect(const Patience& patience) {
    if (PQstatus(connection_.get()) == CONNECTION_BAD) fail("no connection");
    PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
    while (wanted != PGRES_POLLING_OK) {
        short events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        Event event = wait_for(PQsocket(connection_.get()), events, patience);
        if (event != Event::ready) give_up(event);
        wanted = PQconnectPoll(connection_.get());
        if (wanted == PGRES_POLLING_FAILED) fail("no connection");
    }
}

void Connection::fail(const std::string& what) {
    std::string message = trimmed(PQerrorMessage(connection_.get()));
    throw SqlError("", message.empty() ? what : message);
}

bool Connection::is_alive() {
    pollfd watched{PQsocket(connection_.get()), POLLIN, 0};
    if (watched.fd < 0) return false;
    // Before the end there may be the server's last words.
    while (poll(&watched, 1, 0) > 0)
        if (PQconsumeInput(connection_.get()) == 0) return false;
    return PQstatus(connection_.get()) == CONNECTION_OK;
}

void Connection::send(const Patience& patience) {
    while (int unsent = PQflush(connection_.get())) {
        if (unsent < 0) fail("the connection was lost");
        Event event = wait_for(PQsocket(connection_.get()), POLLIN | POLLOUT, patience);
        if (event != Event::ready) give_up(event);
        if (PQconsumeInput(connection_.get()) == 0) fail("the connection was lost");
    }
}

void Connection::wait_until_answered(const Patience& patience) {
    while (PQisBusy(connection_.get()) != 0) {
        Event event = wait_for(PQsocket(connection_.get()), POLLIN, patience);
        if (event != Event::ready) give_up(event);
        if (PQconsumeInput(connection_.get()) == 0) fail("the connection was lost");
    }
}

/// The last result; those before it are of no interest.
Rows Connection::collect() {
    std::optional<Rows> last;
    std::optional<SqlError> error;
    while (PGresult* result = PQgetResult(connection_.get())) {
        Rows rows(result);
        ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
            error.emplace(field(result, PG_DIAG_SQLSTATE),
                          field(result, PG_DIAG_SQLSTATE).empty()
                              ? trimmed(PQresultErrorMessage(result))
                              : message_of(result));
        last.emplace(std::move(rows));
    }
    if (error) throw *error;
    if (!last) fail("the connection was lost");
    return std::move(*last);
}

/// Undoes what is under way, and returns what the statement returned if it was too late. If it
/// fails the connection is closed, and the server undoes it.
std::string Connection::cancel() {
    std::unique_ptr<PGcancel, void (*)(PGcancel*)> request(PQgetCancel(connection_.get()),
                                                           PQfreeCancel);
    std::array<char, 256> why{};
    bool sent = request && PQcancel(request.get(), why.data(), why.size()) != 0;
    Clock::time_point deadline = Clock::now() + cancel_timeout;
    while (sent && PQisBusy(connection_.get()) != 0) {
        pollfd watched{PQsocket(connection_.get()), POLLIN, 0};
        sent = poll(&watched, 1, milliseconds_until(deadline)) > 0 &&
               PQconsumeInput(connection_.get()) != 0;
    }
    if (!sent) {
        connection_.reset();
        return "";
    }
    try {
        return collect().text(0, 0);
    } catch (const SqlError&) {  // the usual case: it says that it was cancelled
        return "";
    }
}

/// Waits for what was sent.
Rows Connection::answer(const Patience& patience) {
    try {
        send(patience);
        wait_until_answered(patience);
    } catch (const SqlError&) {
        connection_.reset();
        throw;
    } catch (Cancelled& cancelled) {
        cancelled.done = cancel();
        throw;
    } catch (const Refusal&) {
        cancel();
        throw;
    }
    return collect();
}

const std::string& Connection::prepared(const char* sql, const Patience& patience) {
    auto found = prepared_.find(sql);
    if (found != prepared_.end()) return found->second;
    std::string name = "statement " + std::to_string(statements_++);
    if (PQsendPrepare(connection_.get(), name.c_str(), sql, 0, nullptr) == 0)
        fail("the connection was lost");
    answer(patience);
    return prepared_.emplace(sql, name).first->second;
}

Rows Connection::query(const char* sql, const std::vector<std::string>& parameters,
                       const Patience& patience) {
    std::vector<const char*> values;
    values.reserve(parameters.size());
    for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
    int count = static_cast<int>(values.size());
    int sent = count == 0 ? PQsendQueryParams(connection_.get(), sql, 0, nullptr, nullptr, nullptr,
                                              nullptr, 0)
                          : PQsendQueryPrepared(connection_.get(), prepared(sql, patience).c_str(),
                                                count, values.data(), nullptr, nullptr, 0);
    if (sent == 0) fail("the connection was lost");
    return answer(patience);
}

}  // namespace gateway
