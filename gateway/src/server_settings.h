// Settings of the server that IntegreSQL's variables ask for, as ALTER SYSTEM makes them.
#pragma once

#include "pool.h"

namespace gateway::settings_of_server {

/// Makes those that differ, and says so; says which may not be made. Waits until the server
/// answers.
void apply(Pool& pool);

}  // namespace gateway::settings_of_server
