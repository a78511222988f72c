#include "server_settings.h"

#include <iostream>

#include "error.h"
#include "stop.h"

namespace gateway::settings_of_server {

namespace {

constexpr milliseconds timeout{10'000};
constexpr milliseconds between_attempts{1'000};

void make(Pool& pool, const std::string& name, const std::string& value) {
    pool.with(Use::brief, {Clock::now() + timeout, nullptr}, [&](Connection& connection) {
        Patience patience{Clock::now() + timeout, nullptr};
        if (connection.query("SELECT current_setting($1)", {name}, patience).text(0, 0) == value)
            return;
        // The server quotes: the command takes no parameters.
        Rows command =
            connection.query("SELECT format('ALTER SYSTEM SET %s = %L', $1::text, $2::text)",
                             {name, value}, patience);
        connection.query(command.text(0, 0).c_str(), {}, patience);
        connection.query("SELECT pg_reload_conf()", {}, patience);
        std::cerr << "testpool-gateway: sets " << name << " = " << value << std::endl;
    });
}

}  // namespace

void apply(Pool& pool) {
    for (const auto& [name, value] : pool.options().server) {
        bool done = false;
        while (!done && !stop::begun()) {
            try {
                make(pool, name, value);
                done = true;
            } catch (const SqlError& error) {
                done = !error.sqlstate.empty();
                std::cerr << "testpool-gateway: cannot set " << name << " = " << value << ": "
                          << error.what() << std::endl;
            } catch (const std::exception& error) {
                std::cerr << "testpool-gateway: " << error.what() << std::endl;
            }
            if (!done) stop::wait(between_attempts);
        }
    }
}

}  // namespace gateway::settings_of_server
