// What the gateway is told by its environment: IntegreSQL's variables as far as they mean something
// here, libpq's own, and TESTPOOL_GATEWAY_*.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace gateway {

using std::chrono::milliseconds;

struct Options {
    std::string address = "127.0.0.1";
    int port = 5000;
    // The connection; what is empty is left to libpq.
    std::string pg_host;
    std::string pg_port;
    std::string pg_user;
    std::string pg_password;
    std::string pg_database;
    // What clients are told; empty: the gateway's own.
    std::string public_host;
    std::string public_port;
    std::string token;  // empty: nobody is asked for one
    milliseconds finalize_timeout{60'000};
    milliseconds get_timeout{60'000};
    std::optional<milliseconds> grace;    // none: testpool.lease_grace
    std::optional<milliseconds> arrival;  // none: testpool.arrival_grace
    int connections = 64;                 // to PostgreSQL, at most
    // Settings of the server that IntegreSQL's variables ask for: name and value.
    std::vector<std::pair<std::string, std::string>> server;
    // What to say of variables that mean nothing, or are not known.
    std::vector<std::string> remarks;
};

/// Reads the environment. Throws std::invalid_argument, naming the variable, for a value that is
/// none.
Options options_from(char** environment);

}  // namespace gateway
