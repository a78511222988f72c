// A client's session: asks the launcher, and makes what it got or gave follow its transaction.
#pragma once

#include "shmem/shmem.h"

namespace testpool::session {

/// Follows transactions and subtransactions; called once, by _PG_init.
void define();

/// Raises unless the function may run here and now: 55000 outside the home database, 25006 in
/// recovery or in a read-only transaction.
void require_usable(const char* function);

/// A request that names the calling role and session.
Request request(Verb verb);

/// Asks and waits, interruptibly. Raises the launcher's error. A database that the reply hands out
/// is given back if the current (sub)transaction rolls back. The launcher answers at the request's
/// deadline; if it does not, the session gives up by itself so much later.
Reply ask(const Request& request, int slack_ms = 5'000);

/// If an error ended ask() outside a transaction; inside, the transaction's end does it.
void give_up_asking();

/// Ends a lease when the transaction commits. Raises 42704, 55000 or 42501.
void release(const char* database);
/// The same for every lease of this session.
void release_all();

/// Takes a lease or claim out of the transaction's care: a roll-back no longer gives it back.
void forget_grant(LeaseKey lease);

/// Has the launcher look at the tables again once this transaction has committed.
void announce_catalog_at_commit();

}  // namespace testpool::session
