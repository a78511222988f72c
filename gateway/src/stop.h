// The end of the gateway, as something that can be waited for: a descriptor that becomes readable.
#pragma once

#include <chrono>

namespace gateway::stop {

/// Makes the descriptor; called once, before any thread is started.
void prepare();
/// Says that the gateway ends. May be called from any thread.
void begin();
bool begun();
/// Waits for it, at most so long. True if it has come.
bool wait(std::chrono::milliseconds time);
int descriptor();

}  // namespace gateway::stop
