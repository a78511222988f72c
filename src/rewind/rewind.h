// Rewind: a used clone made equal to its template again by putting back what changed. Its cost
// follows the change, not the size. Whatever it is not sure of it refuses, and a full clone is
// made.
#pragma once

#include "board/board.h"

namespace testpool::rewind {

/// After a clone has been made: makes it possible to rewind it. False if it never will be.
bool prepare(const Job& job);

/// Before the template is first cloned: leaves no file behind that a checkpoint would remove.
void settle();

/// Rewinds the clone that the job names, and renames it. Nobody may be in it. Raises, without harm,
/// if a full clone is needed.
void run(const Job& job, Outcome& outcome);

}  // namespace testpool::rewind
