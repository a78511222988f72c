#include "options.h"

#include <charconv>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <stdexcept>

namespace gateway {

namespace {

using Variables = std::map<std::string, std::string>;
using Setter = std::function<void(Options&, const std::string& value)>;

constexpr int longest_wait_ms = 24 * 60 * 60 * 1000;

int number(const std::string& text, int low, int high) {
    int value = 0;
    const char* end = text.data() + text.size();
    auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end || value < low || value > high)
        throw std::invalid_argument("is to be a number from " + std::to_string(low) + " to " +
                                    std::to_string(high) + ", not \"" + text + "\"");
    return value;
}

template <class Field>
Setter text(Field field) {
    return [field](Options& options, const std::string& value) { options.*field = value; };
}

template <class Field>
Setter wait(Field field) {
    return [field](Options& options, const std::string& value) {
        options.*field = milliseconds(number(value, 0, longest_wait_ms));
    };
}

Setter integer(int Options::*field, int low, int high) {
    return [=](Options& options, const std::string& value) {
        options.*field = number(value, low, high);
    };
}

/// A setting of the server: see Settings in docs/reference.md.
Setter server(const char* name, bool numeric) {
    return [=](Options& options, const std::string& value) {
        if (numeric) number(value, 0, 10'000);
        options.server.emplace_back(name, value);
    };
}

Setter file_with_token() {
    return [](Options& options, const std::string& value) {
        std::ifstream file(value);
        if (!std::getline(file, options.token) || options.token.empty())
            throw std::invalid_argument("names a file that cannot be read, or is empty");
    };
}

/// In the order in which they are read: what comes later wins.
std::vector<std::pair<std::string, Setter>> known() {
    return {
        {"PGHOST", text(&Options::pg_host)},
        {"PGPORT", text(&Options::pg_port)},
        {"PGUSER", text(&Options::pg_user)},
        {"PGPASSWORD", text(&Options::pg_password)},
        {"PGDATABASE", text(&Options::pg_database)},
        {"INTEGRESQL_PGHOST", text(&Options::pg_host)},
        {"INTEGRESQL_PGPORT", text(&Options::pg_port)},
        {"INTEGRESQL_PGUSER", text(&Options::pg_user)},
        {"INTEGRESQL_PGPASSWORD", text(&Options::pg_password)},
        {"INTEGRESQL_PGDATABASE", text(&Options::pg_database)},
        {"INTEGRESQL_ADDRESS", text(&Options::address)},
        {"INTEGRESQL_PORT", integer(&Options::port, 0, 65535)},
        {"INTEGRESQL_TEMPLATE_FINALIZE_TIMEOUT_MS", wait(&Options::finalize_timeout)},
        {"INTEGRESQL_TEST_DB_GET_TIMEOUT_MS", wait(&Options::get_timeout)},
        {"INTEGRESQL_TEST_INITIAL_POOL_SIZE", server("testpool.pool_size", true)},
        {"INTEGRESQL_TEST_MAX_POOL_SIZE", server("testpool.pool_max", true)},
        {"INTEGRESQL_ROOT_TEMPLATE", server("testpool.root_template", false)},
        {"TESTPOOL_GATEWAY_ADDRESS", text(&Options::address)},
        {"TESTPOOL_GATEWAY_PORT", integer(&Options::port, 0, 65535)},
        {"TESTPOOL_GATEWAY_PUBLIC_HOST", text(&Options::public_host)},
        {"TESTPOOL_GATEWAY_PUBLIC_PORT", text(&Options::public_port)},
        {"TESTPOOL_GATEWAY_TOKEN", text(&Options::token)},
        {"TESTPOOL_GATEWAY_TOKEN_FILE", file_with_token()},
        {"TESTPOOL_GATEWAY_GRACE_MS", wait(&Options::grace)},
        {"TESTPOOL_GATEWAY_ARRIVAL_MS", wait(&Options::arrival)},
        {"TESTPOOL_GATEWAY_CONNECTIONS", integer(&Options::connections, 4, 1000)},
    };
}

/// Of IntegreSQL, and of no meaning here: why.
const std::map<std::string, std::string>& idle() {
    static const std::map<std::string, std::string> reasons = {
        {"INTEGRESQL_DB_PREFIX", "names are testpool's: set testpool.name_prefix"},
        {"INTEGRESQL_TEMPLATE_DB_PREFIX", "names are testpool's: set testpool.name_prefix"},
        {"INTEGRESQL_TEST_DB_PREFIX", "names are testpool's: set testpool.name_prefix"},
        {"INTEGRESQL_TEST_PGUSER", "a test's database belongs to the role that built its template"},
        {"INTEGRESQL_TEST_PGPASSWORD", "clients are told the gateway's own"},
        {"INTEGRESQL_POOL_MAX_PARALLEL_TASKS", "set testpool.workers"},
        {"INTEGRESQL_TEST_DB_MINIMAL_LIFETIME_MS",
         "a database is nobody else's while its lease lasts: see TESTPOOL_GATEWAY_GRACE_MS"},
        {"INTEGRESQL_TEST_DB_RETRY_RECREATE_SLEEP_MIN_MS", "nothing is retried that could wait"},
        {"INTEGRESQL_TEST_DB_RETRY_RECREATE_SLEEP_MAX_MS", "nothing is retried that could wait"},
        {"INTEGRESQL_ECHO_REQUEST_TIMEOUT_MS",
         "see INTEGRESQL_TEST_DB_GET_TIMEOUT_MS and INTEGRESQL_TEMPLATE_FINALIZE_TIMEOUT_MS"},
        {"INTEGRESQL_DEBUG_ENDPOINTS", "see /metrics and the page at /"},
    };
    return reasons;
}

bool begins(const std::string& text, const char* with) {
    return text.compare(0, strlen(with), with) == 0;
}

/// What to say of a variable that no setter knows; empty: it is somebody else's.
std::string remark_on(const std::string& name) {
    if (begins(name, "INTEGRESQL_CLIENT_")) return "";
    if (auto found = idle().find(name); found != idle().end())
        return name + " means nothing here: " + found->second;
    for (const char* whole : {"INTEGRESQL_ECHO_", "INTEGRESQL_LOGGER_"})
        if (begins(name, whole)) return name + " means nothing here";
    for (const char* ours : {"INTEGRESQL_", "TESTPOOL_GATEWAY_"})
        if (begins(name, ours)) return name + " is not known";
    return "";
}

Variables variables_of(char** environment) {
    Variables variables;
    for (; *environment != nullptr; environment++) {
        std::string entry = *environment;
        size_t sign = entry.find('=');
        if (sign != std::string::npos && sign + 1 < entry.size())
            variables[entry.substr(0, sign)] = entry.substr(sign + 1);
    }
    return variables;
}

}  // namespace

Options options_from(char** environment) {
    Options options;
    Variables variables = variables_of(environment);
    for (const auto& [name, set] : known()) {
        auto found = variables.find(name);
        if (found == variables.end()) continue;
        try {
            set(options, found->second);
        } catch (const std::invalid_argument& error) {
            throw std::invalid_argument(name + " " + error.what());
        }
        variables.erase(found);
    }
    for (const auto& [name, value] : variables)
        if (std::string remark = remark_on(name); !remark.empty())
            options.remarks.push_back(remark);
    return options;
}

}  // namespace gateway
