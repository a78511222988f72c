// Barriers: before a dropped file's name can be used again, every process of the server has to say
// that it has closed its files. One that does not answer, such as a client's at the password prompt
// or a stopped one, would hold up whoever waits for as long as it likes.
#pragma once

#include "pg/transaction.h"

namespace testpool::barrier {

/// From now on this process gives up waiting for a barrier some time after PostgreSQL has told the
/// log who has not answered, which it does every five seconds: at once unless it `may_dawdle`, else
/// after a minute.
void define(bool (*may_dawdle)());

/// How long to wait: as short as it can be, or for as long as no work suffers.
enum class Patience : bool { little, much };

/// Raises 55006 if somebody has not answered of late and is still there, so that it would be in
/// vain to wait but a little.
void require_answers(Patience patience);

/// What has just waited is over. True if it gave up; it may have ended well in the last moment.
bool gave_up();

/// True if somebody has not answered this process of late and is still there.
bool is_held_up();

/// All have answered.
void forget();

/// Asks all processes to close the files that they have open and need not. Who comes later has none
/// open.
uint64 ask();

/// Runs `work`, in which PostgreSQL waits for answers. Raises 55006, with the name of who does not
/// answer.
template <class Work>
void bounded(Patience patience, Work work) {
    require_answers(patience);
    ErrorData* failure = attempt(work);
    if (gave_up() && failure != nullptr) require_answers(Patience::little);
    if (failure != nullptr) ReThrowError(failure);
    forget();
}

/// Waits for the answers.
void wait(uint64 asked);

}  // namespace testpool::barrier
