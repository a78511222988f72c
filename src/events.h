// Events: what happens to templates and leases, told to the server's log and to whoever listens on
// the channel "testpool". The launcher notes them in the transactions in which they happen, and
// sends notifications in a transaction of its own when everybody has been answered: neither a full
// queue nor a lock on it can fail or hold up an acquire.
#pragma once

#include "state.h"

namespace testpool::events {

/// Logs an event; and notes it to be sent, if testpool.notify is on.
void note(const char* event, const Template& t, const char* reason = nullptr);
void note(const char* event, const Database& d);

/// How many are noted; forget() drops those noted since there were so many, because the transaction
/// in which they happened failed.
int count();
void forget(int count);

/// Sends what is noted, in the caller's transaction; nothing if the queue is half full, because
/// somebody listens and does not read. False if another commits a notification at this moment, for
/// whom this process must not wait: try again.
bool send();

}  // namespace testpool::events
