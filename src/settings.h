// The settings testpool.*: one variable each, defined once, at preload.
#pragma once

#include "pg/server.h"
#include "strategy.h"

namespace testpool::settings {

/// How a used database becomes clean.
enum class Recycle { automatic, recreate };

extern char* database;
extern char* name_prefix;
extern char* root_template;
extern char* default_template;
extern int pool_size;
extern int pool_max;
extern int max_databases;
extern int max_leases_per_role;
extern int max_size;        // MB
extern int min_free_space;  // MB
extern int max_drop_debt;   // MB
extern int template_ttl;    // s
extern int shrink_after;    // s
extern int workers;
extern int acquire_timeout;
extern int template_timeout;
extern int lease_grace;
extern int visit_grace;
extern int arrival_grace;
extern int rewind_timeout;
extern bool rewind_on_discard;
extern bool vacuum_templates;
extern bool connect;
extern bool notify;
extern char* connect_separator;
extern bool is_private;
extern int recycle;         // of Recycle
extern int clone_strategy;  // of Strategy

/// True if used databases may be rewound.
inline bool may_rewind() { return recycle == static_cast<int>(Recycle::automatic); }

inline Strategy strategy() { return static_cast<Strategy>(clone_strategy); }

/// Registers all of them with PostgreSQL; called once, by _PG_init.
void define();

}  // namespace testpool::settings
