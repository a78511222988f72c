// The tables testpool.template and testpool.database: only here are they read and written. What is
// true here is true after a restart. Each function runs inside a transaction of the launcher.
#pragma once

#include "state.h"

namespace testpool::catalog {

/// True if the extension is created in this database.
bool present();

/// Reads both tables into `state`.
void load(State& state);

/// A fresh id for a row.
int64 next_template_id();
int64 next_database_id();

void insert(Template& row);
void update(Template& row);
void remove(const Template& row);

void insert(Database& row);
void update(Database& row);
void remove(const Database& row);

/// True if the role may call testpool.acquire().
bool may_acquire(Oid role);

}  // namespace testpool::catalog
