// The errors that several rooms raise: one wording, one SQLSTATE, one hint for each.
#pragma once

#include "shmem/shmem.h"

namespace testpool::errors {

/// A hash as messages show it: whole if short, else its beginning and an ellipsis.
const char* shown(const char* hash);

/// An error as the launcher puts it in shared memory.
Reply as_reply(const ErrorData& error);
/// How a job ended; nullptr: well.
Outcome as_outcome(const ErrorData* error);
/// Raises what the launcher put there.
[[noreturn]] void raise(const Reply& reply);

[[noreturn]] void unknown_template(const char* hash);         // 42704
Reply discarded_reply(const char* hash, const char* reason);  // 55000
[[noreturn]] void unknown_database(const char* database);     // 42704
/// 42704: the database that was known by that name is kept under another.
[[noreturn]] void kept_aside(const char* name, const char* database);
[[noreturn]] void not_leased(const char* database);  // 55000
[[noreturn]] void no_place(const char* database);    // 53400
/// 42501; `kind` is "template" or "database".
[[noreturn]] void not_yours(const char* kind, const char* name, Oid owner);

}  // namespace testpool::errors
