// Jobs: what a worker is told.
#pragma once

#include "pool/lifecycle.h"

namespace testpool::pool {

/// What may keep a worker for long: DROP DATABASE takes a checkpoint, and so does a seal.
bool is_slow(const Template& t, Task task);

Job job_for(const State& state, const Template& t, Task task);
Job job_for(const State& state, const Database& d, Task task);

/// One more clone, which is to be created.
Database& begin_clone(State& state, Template& t);

}  // namespace testpool::pool
