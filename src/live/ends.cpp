// Why sessions end that could not stay. PostgreSQL ends them, as pg_terminate_backend() has it do;
// the reason is added to what it tells the client and the log.

#include "live/memory.h"

namespace testpool::gate {

namespace {

emit_log_hook_type earlier_emit;

/// Without the lock: it was written before the process was told to end, and this one must not wait.
const char* reason() {
    End end = own_slot().end;
    if (end != End::cloned) return text_of(end);
    const Gate* gate = find(MyDatabaseId);
    return gate != nullptr && gate->why[0] != '\0' ? gate->why : nullptr;
}

void add_reason(ErrorData* error) {
    bool ending = error->elevel == FATAL && error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN;
    if (ending && error->detail == nullptr && memory != nullptr && MyProc != nullptr &&
        compat::process_number() < memory->slots && own_slot().end != End::none)
        if (const char* why = reason())
            error->detail = MemoryContextStrdup(error->assoc_context, why);
    if (earlier_emit != nullptr) earlier_emit(error);
}

}  // namespace

const char* text_of(End why) {
    switch (why) {
        case End::temporary:
            return "The database is being rewound, and the session had temporary tables.";
        case End::transaction:
            return "The database is being rewound, and the session did not end its transaction "
                   "within testpool.rewind_timeout.";
        case End::statement:
            return "The database is being rewound, and the session was in the middle of a "
                   "statement of several transactions.";
        case End::unknown:
            return "The database is being rewound, and with track_activities off nobody can tell "
                   "whether the session is idle.";
        case End::stranger:
            return "The database is being rewound, and only sessions of clients may stay.";
        case End::cloned:
        case End::none:
            break;
    }
    return nullptr;
}

void end_here(const char* why) {
    if (why == nullptr) {
        own_slot().end = End::cloned;
        why = reason();
    }
    ereport(FATAL, (errcode(ERRCODE_ADMIN_SHUTDOWN),
                    errmsg("terminating connection due to administrator command"),
                    why != nullptr ? errdetail_internal("%s", why) : 0,
                    errhint("Connect again, and it is as its template.")));
    pg_unreachable();
}

void define_ends() {
    earlier_emit = emit_log_hook;
    emit_log_hook = add_reason;
}

}  // namespace testpool::gate
