// The schedule: when a template may be left alone. See pool.h for what is next.
#pragma once

#include "plan.h"
#include "pool/lifecycle.h"

namespace testpool::pool {

/// Nothing is to be done with it, now or at a time that is not known.
bool is_settled(const Template& t);
/// The pool has what it should have, or cannot have it before a time that is known.
bool is_filled(const plan::Pool& pool);

}  // namespace testpool::pool
