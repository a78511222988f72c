// The gate of a database: while it is shut, no transaction starts in the database, and whoever is
// in it without a transaction may stay. A session that starts one waits in the gate, at a moment at
// which it has no snapshot, no lock and no file in use. So a database can be put back under the
// sessions that are connected to it; what they remember of it follows when they pass the gate
// again.
//
// A session comes to the gate because of a message to its relation cache, of which PostgreSQL's
// StartTransaction() takes note, in AtStart_Cache(). The message only says "look": what counts is
// what stands in shared memory.
#pragma once

#include "pg/server.h"

namespace testpool::gate {

/// Registers what makes sessions look; called once, by _PG_init.
void define();

/// This process is a client's session: it keeps to the gate of the database that it enters.
void enter();

/// Starts a transaction in the middle of a statement that can be in the gate meanwhile.
void begin_transaction();

/// Why a session could not stay.
enum class End : uint8 { none, temporary, transaction, statement, unknown, stranger, cloned };

/// What became of those inside.
struct Ended {
    int count = 0;
    End first = End::none;
    int stranger = 0;  // the last process that is no client's and was told
};
const char* text_of(End why);

// --- the process that rewinds ---------------------------------------------------------------

/// Shuts the gate: from now on, transactions that start wait. One process shuts a gate at a time.
void shut(Oid database);
/// Has every session look again: those, too, that have come since shut().
void call(Oid database);
/// Returns once nobody in the database is in a transaction, or does what needs none. Sessions that
/// are have until the deadline; then they are ended. Those that cannot stay are ended once none of
/// them may need what is ended, such as a parallel worker that has just begun.
void settle(Oid database, TimestampTz deadline, Ended& ended);
/// Has the sessions forget what they remember of these relations, as a change of one would.
void tell(Oid database, std::span<const Oid> relations);
/// Has sessions not tell what they have counted of these relations, whose rows are others now.
void uncount(Oid database, std::span<const Oid> relations);
/// Who is in the middle of a statement of several transactions cannot start the next one from now
/// on. settle() afterwards.
void hold(Oid database);
/// What was put back: how much of what sessions remember is wrong.
enum class Change : uint8 { nothing, relations, catalogs };
/// Lets everybody go on.
void open(Oid database, Change change);
/// Lets nobody go on: sessions end, those that wait here at once, the others when they would start
/// a transaction, or are told to end.
void shatter(Oid database, const char* why);
/// Tells the sessions inside why they are about to be ended.
void announce_end(Oid database, const char* why);
/// Nobody is in the database any more, or will be under that OID.
void forget(Oid database);
/// If this process ends in the middle: opens what it shut, or shatters it if it had put something
/// back.
void shutter_ends();
/// From now on, to give up halfway means that the database is in no state that anybody may see.
void point_of_no_return();
/// True after that.
bool is_past_return();

}  // namespace testpool::gate
