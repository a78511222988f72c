// Starts: how a process of ours comes up. The postmaster starts one that failed again after a
// second, for ever: where it cannot connect, it waits longer each time, up to a minute.
#pragma once

#include "pg/server.h"

namespace testpool::start {

/// Connects to the home database. `process` is 0 for the launcher, else 1 + the number of a
/// worker's slot. Whoever asks for something, and a reload, end the wait.
void connect(int process);

}  // namespace testpool::start
