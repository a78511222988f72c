// What SQL commands that are not testpool's mean for it.
#pragma once

namespace testpool::commands {

/// Called once, by _PG_init.
void define();

}  // namespace testpool::commands
