// Settings that our processes pin. Whoever writes postgresql.conf, ALTER ROLE or ALTER DATABASE
// means clients; a test means itself. What would change what our statements do, or end them, has
// one value in our processes: it is set before they connect and outranks all of those, at a reload
// as well.
#pragma once

#include "pg/server.h"

namespace testpool {

struct Pin {
    const char* name;
    const char* value;
};

/// As AutoVacWorkerMain() in autovacuum.c, and what more a database's own settings can do. Left to
/// the administrator is what only costs or saves time (maintenance_work_mem, parallel workers),
/// what is logged, and default_statistics_target: a template's statistics are to be its owner's.
constexpr std::array pins_of_all = {
    // who we are, and what names mean
    Pin{"role", "none"},
    Pin{"search_path", "pg_catalog, pg_temp"},
    Pin{"row_security", "off"},
    Pin{"session_replication_role", "origin"},
    Pin{"event_triggers", "off"},
    Pin{"standard_conforming_strings", "on"},
    Pin{"transform_null_equals", "off"},
    // transactions
    Pin{"default_transaction_read_only", "off"},
    Pin{"default_transaction_isolation", "read committed"},
    Pin{"default_transaction_deferrable", "off"},
    Pin{"exit_on_error", "off"},
    // what ends them; lock_timeout is each process's own
    Pin{"statement_timeout", "0"},
    Pin{"transaction_timeout", "0"},
    Pin{"idle_in_transaction_session_timeout", "0"},
    Pin{"idle_session_timeout", "0"},
    // where things are put
    Pin{"default_tablespace", ""},
    Pin{"temp_tablespaces", ""},
    Pin{"default_table_access_method", "heap"},
    // damage is an error: a clone or a seal must not be made of zeros
    Pin{"zero_damaged_pages", "off"},
    Pin{"ignore_checksum_failure", "off"},
    // statements are small, and run once
    Pin{"jit", "off"},
    Pin{"vacuum_cost_delay", "0"},
};

inline void pin(std::span<const Pin> pins) {
    for (auto [name, value] : pins)
        if (GetConfigOption(name, true, false) != nullptr)  // not every version has all of them
            SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

/// Pins what all of our processes pin, and what this one does; call it before it connects.
template <size_t N>
void pin_settings(const Pin (&own)[N]) {
    pin(pins_of_all);
    pin(own);
}

}  // namespace testpool
