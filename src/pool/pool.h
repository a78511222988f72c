// The pool: the life of templates and clones. The only place where a state changes; every function
// changes the catalog first, in a transaction that the caller opens, and then `state` and the
// shared memory.
#pragma once

#include "state.h"

namespace testpool::pool {

// --- requests ---------------------------------------------------------------------------------

/// Answers a request, or returns nothing if it has to wait. Raises what the session is to see.
std::optional<Reply> serve(State& state, const Request& request);
/// To be called if the session of a granted request has gone away in the meantime.
void take_back(State& state, const Reply& reply);
/// Forgets who waits; serve() notes it again.
void forget_waiting(State& state);

/// True if keep_within_bounds() has something to do.
bool is_out_of_bounds(State& state);
/// Drops what was not used for long, and makes room for those that wait for it.
void keep_within_bounds(State& state);
/// When the server has started: templates count as used.
void note_first_use(const State& state);
/// Forgets what was counted for templates that are no more.
void forget_tallies_of_gone(const State& state);
/// When the server has started: discards the templates that a crash has spoiled.
void discard_gone(State& state);
/// After the tables were read anew: what they do not tell is taken over from the state before.
void carry_over(const State& before, State& state);

// --- leases and claims ------------------------------------------------------------------------

/// Puts the leases that the catalog knows in shared memory, as far as it has places.
void post_leases(State& state);
/// Has clones cleaned whose rows were changed by somebody else, and do not say whose they are;
/// after a crash none can be rewound.
void mend(State& state);
/// False if it is not ended, and not yet time to look whether anybody is there: the launcher looks
/// again then.
bool may_be_over(State& state, const Lease& lease);
/// Ends the lease or claim at that place in shared memory if it is over. True if it was.
bool end_if_over(State& state, const Lease& lease);

// --- workers ----------------------------------------------------------------------------------

/// Takes note of how the job in that worker slot ended.
void job_done(State& state, int worker, const Job& job, const Outcome& outcome);
/// Looks how the pools are used, and sends off what they no longer need.
void take_stock(State& state);
/// The next job for the free worker of that slot, or nothing.
std::optional<Job> next_job(State& state, int worker);

#ifdef TESTPOOL_POINTS
/// PANICs if the state is not what its rows say.
void verify(State& state);
#endif

}  // namespace testpool::pool
