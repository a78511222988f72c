// What the tests do in a database.
#pragma once

#include <testpool.hpp>

inline std::string ask(PGconn* connection, const char* sql) {
    return *testpool::detail::ask(connection, sql)[0];
}

inline std::string ask(const std::string& url, const char* sql) {
    return ask(testpool::detail::connect(url).get(), sql);
}

// Inserts a row, which is the second: returns its id.
inline std::string add(PGconn* connection, const std::string& name) {
    return *testpool::detail::ask(connection, "INSERT INTO item (name) VALUES ($1) RETURNING id",
                                  {name})[0];
}

inline const testpool::Template& shop() {
    static const auto shop = testpool::sql(FOLDER "/migrations");
    return shop;
}
