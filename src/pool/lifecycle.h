// The transitions that the files of this folder share.
#pragma once

#include "pool/pool.h"
#include "shmem/tally.h"

namespace testpool::pool {

/// A transaction that alters a database tells nobody when it ends: it is looked at so often.
constexpr int64 alteration_us = 100'000;

// A thing that failed is tried again after 1 s, then 2, 4 … up to a minute.
TimestampTz retry_time(int failures);

/// A copy of the text that lives as long as the state.
const char* stored(const State& state, const char* text);
/// Puts such a copy into a field, in place of the one that stands there.
void set_text(const State& state, const char*& field, const char* text);
/// The last discarded template of that hash.
Template* find_discarded(const State& state, const char* hash);
/// Raises that there is no such template: 42704, or 55000 with the reason if it was discarded.
[[noreturn]] void no_living(const State& state, const char* hash);
/// Writes the row that was changed, and files it anew.
void update(State& state, Template& t);
void update(State& state, Database& d);

/// True if the request's role may act for `owner`.
bool may_act(const Request& request, Oid owner);
/// A name in the request belongs to those who built the templates that bear it: 42501 for others.
void require_right_to_name(const State& state, const Request& request);
/// Databases that may still be created.
int room(const State& state);
/// Has the launcher look again at that time; at the template.
void look_again(State& state, TimestampTz at);
void look_again(Template& t, TimestampTz at);

/// Template → discarded: its clones that nobody leases are dropped, and whoever waits is told.
void discard(State& state, Template& t, const char* reason, bool tell_waiting);
/// Discards a template whose database, or what is in it, is not there any more.
void discard_if_gone(State& state, Template& t);
/// Answers every request that waits for that template with an error.
void fail_waiting(const Template& t, const Reply& error);
/// A full clone takes the place of a rewind: that is counted, with the reason.
void note_clone_instead(State& state, Database& d);
/// Database → recycling; its lease ends.
void recycle(State& state, Database& d);
/// As recycle(), for a leased database. If somebody is altering one that was asked for by name, it
/// is recycled when that is over.
void give_up(State& state, Database& d);
/// True if somebody's transaction is altering the database, for as long as they like: to write its
/// row would have everybody wait for them. It is looked at again in a moment.
bool pass_over(State& state, Database& d);
/// Those whose time to be passed over has ended are ready again.
void look_at_passed_over(State& state, Template& t);
/// Databases of the template that count towards testpool.pool_max. What is of no use to anybody
/// until some process answers, or something else lets it be dropped, does not: as many as may be
/// there can be made in its place, once.
int counted_databases(const State& state, const Template& t);
/// True if the template has as many databases as it may.
bool is_at_pool_max(const State& state, const Template& t);
/// True if a worker has a job for that row.
bool is_at_work(const Template& t);
bool is_at_work(const Database& d);
/// Whoever connects to the name that a client gave the database is to get another clone from now
/// on.
void take_name_away(Database& d);
/// Database → leased, by the role and holder that it names; under another name if one is given.
void lease(State& state, Database& d, const NameData* name = nullptr);
/// A clone of that template for the request's session, which is to be leased to it; nullptr if none
/// is ready: it is then noted that the session waits. Raises at the request's deadline.
Database* take(State& state, Template& t, const Request& request);
/// Raises 55P03 at the request's deadline, and has the launcher look again then.
void wait_for(State& state, const Template& t, const Request& request);
/// How to copy a template as things are; its row tells.
Copying choose_copying(const State& state, Template& t);
/// How to copy testpool.root_template, of which nothing is known.
Copying copying_of_root();
/// A fresh name for a clone, with the number that stands in it.
NameData free_clone_name(const Template& t, int64& number);

/// Puts in shared memory what the row says of a lease, or of a claim. To read the rows again is no
/// sign of life of whoever holds them. False if shared memory has no place.
[[nodiscard]] bool post_lease(const Database& d, TimestampTz seen = 0);
[[nodiscard]] bool post_claim(const Template& t);

/// The lease or claim is the request's session's from now on, or its visitors', with all of
/// its graces. False if it has ended.
[[nodiscard]] bool hold(State& state, LeaseKey key, const Request& request);

std::optional<Reply> init_template(State& state, const Request& request);
std::optional<Reply> finalize(State& state, const Request& request);
std::optional<Reply> discard(State& state, const Request& request);
std::optional<Reply> acquire(State& state, const Request& request);
std::optional<Reply> release(State& state, const Request& request);
std::optional<Reply> recreate(State& state, const Request& request);
std::optional<Reply> rewind(State& state, const Request& request);
std::optional<Reply> keep(State& state, const Request& request);
std::optional<Reply> diff(State& state, const Request& request);
std::optional<Reply> prewarm(State& state, const Request& request);
std::optional<Reply> reset(State& state, const Request& request);
std::optional<Reply> connect(State& state, const Request& request);
std::optional<Reply> alias(State& state, const Request& request);
std::optional<Reply> knows(const State& state, const Request& request);
std::optional<Reply> renew(State& state, const Request& request);

}  // namespace testpool::pool
