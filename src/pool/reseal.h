// When a template is sealed again, and what becomes of its clones.
#pragma once

#include "pool/lifecycle.h"

namespace testpool::pool {

/// Notes that a template is not what was sealed.
void note_drift(State& state, Template& t, const char* why);

/// True if it is time to seal the template again, should nobody be at work on it.
bool reseal_is_due(const State& state, Template& t);

/// Takes note of how that ended.
void resealed(State& state, Template& t, const Outcome& outcome);

}  // namespace testpool::pool
