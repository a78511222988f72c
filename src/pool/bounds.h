// Bounds: how much there may be of everything, and what has to go when there would be more.
#pragma once

#include "pool/lifecycle.h"

namespace testpool::pool {

/// Bytes that templates and clones may still take under testpool.max_size.
int64 bytes_left(const State& state);
/// True if one more copy of the template would take of testpool.min_free_space. `t` may be nullptr:
/// one of the root template.
bool is_disk_short(const Template* t);
[[noreturn]] void disk_is_short(const Template* t);  // 53100
/// True if it is, and nothing is left to be dropped; what is, is dropped now.
bool stays_short(State& state, const Template* t);

/// True if nobody has used it for testpool.template_ttl. If it is not yet so long it is looked at
/// then.
bool has_expired(const State& state, Template& t);

/// What keeps the template's pool from growing, for a person; nullptr: nothing.
const char* obstacle(const State& state, const Template& t);

/// True if a build may begin. If not, something is being dropped for it, and the request has to
/// wait; raises 53100 or 53400 if nothing can be dropped, or at its deadline.
bool has_room_for_build(State& state, const Request& request, const Template* base);

/// True if the role has as many leases as it may; raises 53400 at the request's deadline.
bool is_at_its_limit(State& state, const Request& request);

}  // namespace testpool::pool
