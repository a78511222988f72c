#include "pg/barrier.h"

#include "pg/spi.h"

namespace testpool::barrier {

namespace {

constexpr int forget_ms = 10'000;   // then it may be asked again
constexpr int most_reminders = 12;  // five seconds each

struct {
    int pid;  // 0: all have answered
    TimestampTz since;
    bool given_up;
} silent;

Patience patience = Patience::little;
int reminders = 0;
bool (*may_dawdle)() = nullptr;
emit_log_hook_type earlier;

void give_up() {
    silent.given_up = true;
    InterruptPending = true;
    QueryCancelPending = true;
}

/// WaitForProcSignalBarrier() in procsignal.c has no time-out, but waits where a query can be
/// canceled, and says every five seconds for whom.
void notice(ErrorData* edata) {
    constexpr std::string_view reminder = "still waiting for backend with PID ";
    if (earlier != nullptr) earlier(edata);
    if (edata->message_id == nullptr || edata->message == nullptr ||
        !std::string_view{edata->message_id}.starts_with(reminder))
        return;
    const char* pid = strpbrk(edata->message, "0123456789");
    if (pid == nullptr) return;
    silent = {atoi(pid), GetCurrentTimestamp(), silent.given_up};
    bool may_wait = patience == Patience::much && ++reminders < most_reminders;
    if (!may_wait || !may_dawdle()) give_up();
}

/// Who it is, in words. Before a client is authenticated it has no user there, or no row.
const char* describe(int pid) {
    static Statement<1> activity{R"(
        SELECT concat_ws(', ', backend_type, 'database ' || datname, 'application ' || nullif(application_name, ''))
          FROM pg_catalog.pg_stat_activity
         WHERE pid = $1 AND (usesysid IS NOT NULL OR backend_type <> 'client backend'))",
                                 {INT4OID}};
    MemoryContext caller = CurrentMemoryContext;
    const char* text = "a client that is still being authenticated";
    transaction([&] {
        spi([&] {
            activity.each_row({Value::of(pid)}, [&](const Row& row) {
                text = MemoryContextStrdup(caller, row.text(1));
            });
        });
    });
    return text;
}

bool is_there(int pid) { return kill(pid, 0) == 0; }

}  // namespace

void define(bool (*may)()) {
    may_dawdle = may;
    earlier = emit_log_hook;
    emit_log_hook = notice;
}

void require_answers(Patience now) {
    patience = now;
    reminders = 0;
    silent.given_up = false;
    if (patience == Patience::much || !is_held_up()) return;
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_IN_USE),
             errmsg("process %d (%s) does not say that it has closed its files", silent.pid,
                    describe(silent.pid)),
             errdetail("The name of a file that was dropped cannot be used again, and no database "
                       "be dropped, before every process of the server has."),
             errhint("It is tried again by itself. To end the process, call "
                     "pg_terminate_backend(%d).",
                     silent.pid)));
}

bool gave_up() {
    if (silent.given_up) QueryCancelPending = false;
    return silent.given_up;
}

bool is_held_up() {
    if (silent.pid == 0) return false;
    TimestampTz again = TimestampTzPlusMilliseconds(silent.since, forget_ms);
    if (!is_there(silent.pid) || GetCurrentTimestamp() > again) silent.pid = 0;
    return silent.pid != 0;
}

void forget() { silent.pid = 0; }

uint64 ask() { return EmitProcSignalBarrier(PROCSIGNAL_BARRIER_SMGRRELEASE); }

void wait(uint64 asked) {
    bounded(Patience::little, [&] { WaitForProcSignalBarrier(asked); });
}

}  // namespace testpool::barrier
