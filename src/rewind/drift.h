// Drift: a template is not what was sealed any more. What is copied from it page by page would be
// of another time than the rest of the clone.
#pragma once

#include "pg/server.h"

namespace testpool::rewind {

/// What a rewind, and nothing else in it, fails with then.
constexpr int drifted_sqlstate = ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;

}  // namespace testpool::rewind
