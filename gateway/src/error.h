// What a caller of the gateway is told when something cannot be done.
#pragma once

#include <stdexcept>
#include <string>

namespace gateway {

/// An answer with an HTTP status and {"message": …}.
struct Refusal : std::runtime_error {
    Refusal(int status, const std::string& message) : std::runtime_error(message), status(status) {}
    int status;
};

/// PostgreSQL's, or libpq's, with its SQLSTATE; empty if the connection was lost or not made.
struct SqlError : std::runtime_error {
    SqlError(std::string sqlstate, const std::string& message)
        : std::runtime_error(message), sqlstate(std::move(sqlstate)) {}
    std::string sqlstate;
};

/// Nobody wants the answer any more: the client is gone, or the gateway is told to stop.
struct Cancelled : std::runtime_error {
    using std::runtime_error::runtime_error;
    std::string done;  // what the statement returned, if it was too late to cancel it
};

}  // namespace gateway
