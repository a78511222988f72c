// Bracket functions: open, work, close. On ERROR the closing half is skipped and the
// transaction's abort does the same work, so nothing here has a destructor that matters.
#pragma once

#include "pg/server.h"

namespace testpool {

/// Runs `work` in a transaction of its own with a snapshot, and commits. It allocates in the
/// caller's memory context, because VACUUM ends the transaction that it is started in.
template <class Work>
void transaction(Work work) {
    MemoryContext caller = CurrentMemoryContext;
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    PushActiveSnapshot(GetTransactionSnapshot());
    MemoryContextSwitchTo(caller);
    work();
    if (ActiveSnapshotSet()) PopActiveSnapshot();
    CommitTransactionCommand();
    MemoryContextSwitchTo(caller);
}

/// Runs `work`; returns nullptr, or the error that ended it, after aborting the transaction it was
/// in. The error is allocated in the caller's memory context, which must outlive a transaction.
template <class Work>
[[gnu::noinline]] ErrorData* attempt(Work work) {
    MemoryContext caller = CurrentMemoryContext;
    ErrorData* volatile failure = nullptr;
    PG_TRY();
    { work(); }
    PG_CATCH();
    {
        MemoryContextSwitchTo(caller);
        failure = CopyErrorData();
        FlushErrorState();
        AbortCurrentTransaction();
        debug_query_string = nullptr;  // it lies in memory that is reset
        MemoryContextSwitchTo(caller);
    }
    PG_END_TRY();
    MemoryContextSwitchTo(caller);
    return failure;
}

}  // namespace testpool
