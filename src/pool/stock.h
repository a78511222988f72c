// What the pools have, what they need, and what is too much.
#pragma once

#include "plan.h"
#include "pool/lifecycle.h"

namespace testpool::pool {

/// True if that time has come; if not, the template is looked at then.
bool is_due(Template& t, TimestampTz at);

plan::Pool pool_of(const State& state, Template& t);

/// What waits to be dropped; shared memory is told.
plan::Debt debt_of(State& state);

}  // namespace testpool::pool
