// The server's log. docs/reference.md tells which events are logged, and at which level.
#pragma once

#include "pg/server.h"

namespace testpool {

/// Writes one line, which begins with "testpool: ", whatever the texts in it contain: line breaks
/// and other control characters become spaces.
void log_line(int level, const char* format, ...) pg_attribute_printf(2, 3);

}  // namespace testpool
