// Rewind: a used clone made equal to its template again by putting back what changed. Its cost
// follows the change, not the size. Whatever it is not sure of it refuses, and a full clone is
// made.
#pragma once

#include "shmem/shmem.h"

namespace testpool::rewind {

/// Once a template is finished and closed, and a checkpoint has removed what was dropped: notes
/// what is there, so that any change of it shows.
Seal seal(Oid database);

/// True if a crash has emptied unlogged relations of a sealed template, or somebody changed them.
/// Those that were empty when it was sealed are not lost.
bool is_spoiled(Oid database, Oid tablespace, const Seal& seal);
/// The same for the template that the job copies.
bool is_spoiled(const Job& job);

/// True if files of the database keep no stamps, so that its rewinds compare whole files.
bool is_stampless(Oid database, Oid tablespace);

/// After a clone has been made: makes it possible to rewind it. The outcome says why it never will
/// be.
void prepare(const Job& job, Outcome& outcome);

/// Rewinds the clone that the job names, and renames it. Nobody may be in it, and the caller has it
/// locked until this is over: whoever wants to connect waits, and what autovacuum would do before
/// the files are stamped would never be noticed. Raises, without harm, if a full clone is needed.
void run(const Job& job, Outcome& outcome);

}  // namespace testpool::rewind
