// Barriers: before a dropped file's name can be used again, every process of the server has to say
// that it has closed its files. One that does not answer, such as a client's at the password prompt
// or a stopped one, would hold up whoever waits for as long as it likes.
#pragma once

#include "pg/transaction.h"

namespace testpool::barrier {

/// From now on this process gives up waiting for a barrier when PostgreSQL first tells the log who
/// has not answered, which is after five seconds.
void define();

/// Raises 55006 if somebody has not answered of late and is still there.
void require_answers();

/// True if what has just ended gave up; it may have ended well in the last moment.
bool gave_up();

/// Has all processes close the files that they have open and need not.
void close_files();

/// Runs `work`, in which PostgreSQL waits for a barrier, and does not begin it if it would fail.
/// Raises 55006, with the name of who does not answer.
template <class Work>
void bounded(Work work) {
    require_answers();
    ErrorData* failure = attempt(work);
    if (gave_up() && failure != nullptr) require_answers();
    if (failure != nullptr) ReThrowError(failure);
}

}  // namespace testpool::barrier
