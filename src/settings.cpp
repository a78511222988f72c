// The settings testpool.*, with unit, bounds and description as they stand in pg_settings.

#include <unistd.h>
#include <climits>

#include "settings.h"

namespace testpool::settings {

char* database;
char* name_prefix;
char* root_template;
char* default_template;
int pool_size;
int pool_max;
int max_databases;
int max_leases_per_role;
int max_size;
int min_free_space;
int max_drop_debt;
int template_ttl;
int shrink_after;
int workers;
int acquire_timeout;
int template_timeout;
int lease_grace;
int visit_grace;
int arrival_grace;
int rewind_timeout;
bool rewind_on_discard;
bool vacuum_templates;
bool connect;
bool notify;
char* connect_separator;
bool is_private;
int recycle;
int clone_strategy;

namespace {

constexpr int longest_timeout = 24 * 60 * 60 * 1000;
constexpr size_t longest_prefix = 32;  // leaves room for two numbers in a database name
constexpr size_t longest_separator = 8;

struct Bounds {
    int low;
    int high;
};

void integer(const char* name, int* variable, int standard, Bounds bounds, GucContext context,
             int unit, const char* what, const char* detail = nullptr) {
    DefineCustomIntVariable(name, what, detail, variable, standard, bounds.low, bounds.high,
                            context, unit, nullptr, nullptr, nullptr);
}

void string(const char* name, char** variable, const char* standard, GucContext context,
            GucStringCheckHook check, const char* what, const char* detail = nullptr) {
    DefineCustomStringVariable(name, what, detail, variable, standard, context, 0, check, nullptr,
                               nullptr);
}

int processors() {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : static_cast<int>(count);
}

bool is_prefix(char** value, void** /*extra*/, GucSource /*source*/) {
    size_t length = strlen(*value);
    if (length >= 1 && length <= longest_prefix) return true;
    GUC_check_errdetail("A name prefix has 1 to %zu bytes.", longest_prefix);
    return false;
}

bool is_separator(char** value, void** /*extra*/, GucSource /*source*/) {
    size_t length = strlen(*value);
    if (length >= 1 && length <= longest_separator) return true;
    GUC_check_errdetail("A separator has 1 to %zu bytes.", longest_separator);
    return false;
}

bool is_database_name(char** value, void** /*extra*/, GucSource /*source*/) {
    size_t length = strlen(*value);
    if (length >= 1 && length < NAMEDATALEN) return true;
    GUC_check_errdetail("A database name has 1 to %d bytes.", NAMEDATALEN - 1);
    return false;
}

void define_names() {
    string("testpool.database", &database, "postgres", PGC_POSTMASTER, is_database_name,
           "The home database: the one in which the extension is created.");
    string("testpool.name_prefix", &name_prefix, "testpool_", PGC_SIGHUP, is_prefix,
           "What the names of new templates and clones begin with.",
           "Databases are recognised by their OID, so a change leaves the existing ones alone.");
    string("testpool.root_template", &root_template, "template1", PGC_SIGHUP, is_database_name,
           "The database that templates without a base are created from.");
    string("testpool.template", &default_template, "", PGC_USERSET, nullptr,
           "The hash of the template that acquire() uses when it is called without one.",
           "Empty: the only finalized template.");
}

void define_sizes() {
    integer("testpool.pool_size", &pool_size, processors(), {0, 1000}, PGC_SIGHUP, 0,
            "How many ready clones are kept for each template.",
            "The default is the number of processors.");
    integer("testpool.pool_max", &pool_max, 64, {1, 10000}, PGC_SIGHUP, 0,
            "How many databases one template may have, leased ones included.");
    integer("testpool.max_databases", &max_databases, 1000, {4, 10000}, PGC_POSTMASTER, 0,
            "How many databases, templates included, testpool may have in all.");
    integer("testpool.max_leases_per_role", &max_leases_per_role, 0, {0, 10000}, PGC_SIGHUP, 0,
            "How many databases one role may have leased or kept at once.", "0: any number.");
    integer("testpool.workers", &workers, 2, {1, 32}, PGC_POSTMASTER, 0,
            "How many processes create and drop databases.",
            "They and the launcher count towards max_worker_processes.");
}

void define_bytes() {
    integer("testpool.max_size", &max_size, 0, {0, INT_MAX}, PGC_SIGHUP, GUC_UNIT_MB,
            "How much disk space templates and clones may take together.",
            "0: any. Each counts with the size that its template had when it was finalized.");
    integer("testpool.min_free_space", &min_free_space, 100, {0, INT_MAX}, PGC_SIGHUP, GUC_UNIT_MB,
            "How much disk space is left free: a database that would take of it is not created.");
    integer("testpool.max_drop_debt", &max_drop_debt, 1024, {0, INT_MAX}, PGC_SIGHUP, GUC_UNIT_MB,
            "How much may wait to be dropped before it is dropped although the pool is busy.");
}

void define_times() {
    integer("testpool.acquire_timeout", &acquire_timeout, 60'000, {1, longest_timeout}, PGC_USERSET,
            GUC_UNIT_MS, "How long acquire() waits for a clone unless it is told otherwise.");
    integer("testpool.template_timeout", &template_timeout, 60'000, {1, longest_timeout},
            PGC_USERSET, GUC_UNIT_MS,
            "How long init_template() waits while another session builds.");
    integer("testpool.template_ttl", &template_ttl, 7 * SECS_PER_DAY, {0, INT_MAX}, PGC_SIGHUP,
            GUC_UNIT_S, "After how long without use a template is dropped.",
            "0: never. One of which a clone is leased or kept is in use.");
    integer("testpool.shrink_after", &shrink_after, 10 * SECS_PER_MINUTE, {1, SECS_PER_DAY},
            PGC_SIGHUP, GUC_UNIT_S, "How long a pool stays as large as its load made it.");
    integer("testpool.lease_grace", &lease_grace, 10'000, {0, longest_timeout}, PGC_SIGHUP,
            GUC_UNIT_MS, "How long a lease outlives its session once nobody is in the database.");
    integer("testpool.visit_grace", &visit_grace, -1, {-1, longest_timeout}, PGC_USERSET,
            GUC_UNIT_MS,
            "How long what this session gets outlives the last client in it, session or none.",
            "-1: its lease lives as long as this session, and testpool.lease_grace longer.");
    integer("testpool.arrival_grace", &arrival_grace, 60'000, {0, longest_timeout}, PGC_USERSET,
            GUC_UNIT_MS, "With testpool.visit_grace, how long the first client may take to come.");
    integer("testpool.rewind_timeout", &rewind_timeout, 1'000, {0, longest_timeout}, PGC_USERSET,
            GUC_UNIT_MS,
            "How long rewind() waits for sessions in the database to end their transaction.",
            "Then it ends them.");
}

void define_connecting() {
    DefineCustomBoolVariable(
        "testpool.connect",
        "Hands out a clone to whoever connects to a template's name and a token.",
        "The name is the template's, testpool.connect_separator, and any text of the client's.",
        &connect, true, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    string("testpool.connect_separator", &connect_separator, "~", PGC_SIGHUP, is_separator,
           "What stands between a template's name and the token in the name of a database.",
           "A template's name ends at the first one.");
}

void define_recycling() {
    static const config_enum_entry ways[] = {
        {"auto", static_cast<int>(Recycle::automatic), false},
        {"recreate", static_cast<int>(Recycle::recreate), false},
        {nullptr, 0, false},
    };
    DefineCustomEnumVariable("testpool.recycle", "How a used database becomes clean.",
                             "auto: it is rewound where that is safe, else dropped and cloned "
                             "again; recreate: always the latter.",
                             &recycle, static_cast<int>(Recycle::automatic), ways, PGC_SIGHUP, 0,
                             nullptr, nullptr, nullptr);
}

void define_cloning() {
    static const config_enum_entry strategies[] = {
        {"auto", static_cast<int>(Strategy::automatic), false},
        {"wal_log", static_cast<int>(Strategy::wal_log), false},
        {"file_copy", static_cast<int>(Strategy::file_copy), false},
        {nullptr, 0, false},
    };
    DefineCustomEnumVariable("testpool.clone_strategy", "How templates are copied.",
                             "auto: chosen for each template; wal_log, file_copy: the STRATEGY of "
                             "CREATE DATABASE.",
                             &clone_strategy, static_cast<int>(Strategy::automatic), strategies,
                             PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
}

}  // namespace

void define() {
    DefineCustomBoolVariable("testpool.notify",
                             "Notifies whoever listens on the channel testpool of what happens to "
                             "templates and leases.",
                             nullptr, &notify, false, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    define_recycling();
    define_cloning();
    define_names();
    define_sizes();
    define_bytes();
    define_times();
    define_connecting();
    DefineCustomBoolVariable(
        "testpool.private", "Lets nobody but the role that acquired a database connect to it.",
        "Its members, the owner and superusers may, too. For what is acquired from then on.",
        &is_private, false, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomBoolVariable("testpool.rewind_on_discard",
                             "DISCARD ALL in a leased database rewinds it, too.", nullptr,
                             &rewind_on_discard, false, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomBoolVariable(
        "testpool.vacuum_templates",
        "Runs VACUUM (FREEZE, ANALYZE) in a template when it is finalized.",
        "For huge templates that are vacuumed already turn it off: catalogs are frozen then.",
        &vacuum_templates, true, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
}

}  // namespace testpool::settings
