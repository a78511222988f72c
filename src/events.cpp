// Lines of the log, and notifications as JSON.

#include "events.h"

#include "errors.h"
#include "log.h"
#include "settings.h"

namespace testpool::events {

namespace {

constexpr const char* channel = "testpool";
constexpr int longest_payload = 7999;  // bytes; NOTIFY takes no more
constexpr int most_noted = 10'000;     // while nothing can be sent
constexpr double full_enough = 0.5;    // of the queue

MemoryContext memory = nullptr;
List* noted = NIL;  // payloads

void append(StringInfo json, const char* key, const char* value) {
    if (value == nullptr) return;
    appendStringInfo(json, "%s\"%s\": ", json->len > 1 ? ", " : "", key);
    escape_json(json, value);
}

void keep(const StringInfoData& json) {
    MemoryContext caller = MemoryContextSwitchTo(memory);
    noted = lappend(noted, pstrdup(json.data));
    MemoryContextSwitchTo(caller);
}

bool begin(StringInfo json, const char* event) {
    if (!settings::notify || count() >= most_noted) return false;
    if (memory == nullptr)
        memory = AllocSetContextCreate(TopMemoryContext, "testpool events", ALLOCSET_SMALL_SIZES);
    initStringInfo(json);
    appendStringInfoChar(json, '{');
    append(json, "event", event);
    return true;
}

/// The lock that a commit with a notification takes and keeps until it is on disk.
bool lock_queue() {
    LOCKTAG tag;
    SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, InvalidOid, 0);
    return LockAcquire(&tag, AccessExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

/// A value that would not fit, because it is long once it is escaped, is left out.
void append_if_it_fits(StringInfo json, const char* key, const char* value) {
    int before = json->len;
    append(json, key, value);
    if (json->len < longest_payload) return;
    json->len = before;
    json->data[before] = '\0';
}

const char* name_of(Oid role) {
    const char* name = GetUserNameFromId(role, true);
    return name != nullptr ? name : "?";
}

const char* because(const char* reason) {
    return reason != nullptr ? psprintf(", reason: %s", reason) : "";
}

/// There are few templates, and as many leases as tests.
void write_line(const char* event, const Template& t, const char* reason) {
    log_line(LOG, "template \"%s\" was %s: database \"%s\", role \"%s\"%s", errors::shown(t.hash),
             event, NameStr(t.database), name_of(t.owner), because(reason));
}

void write_line(const char* event, const Database& d) {
    int level = strcmp(event, "abandoned") == 0 ? LOG : DEBUG1;
    if (!message_level_is_interesting(level)) return;
    log_line(level, "database \"%s\" was %s: role \"%s\", process %d%s", NameStr(d.name), event,
             name_of(d.role), d.holder.session.pid, because(d.reason));
}

}  // namespace

void note(const char* event, const Template& t, const char* reason) {
    write_line(event, t, reason);
    StringInfoData json;
    if (!begin(&json, event)) return;
    append(&json, "template", t.name);
    append_if_it_fits(&json, "hash", t.hash);
    append_if_it_fits(&json, "reason", reason);
    appendStringInfoChar(&json, '}');
    keep(json);
}

void note(const char* event, const Database& d) {
    write_line(event, d);
    StringInfoData json;
    if (!begin(&json, event)) return;
    append(&json, "database", NameStr(d.name));
    append(&json, "role", GetUserNameFromId(d.role, true));
    appendStringInfo(&json, ", \"pid\": %d", d.holder.session.pid);
    append(&json, "template", d.of->name);
    append_if_it_fits(&json, "hash", d.of->hash);
    append_if_it_fits(&json, "reason", d.reason);
    appendStringInfoChar(&json, '}');
    keep(json);
}

int count() { return list_length(noted); }

void forget(int count) { noted = list_truncate(noted, count); }

bool send() {
    if (!lock_queue()) return false;
    bool room = DatumGetFloat8(OidFunctionCall0(F_PG_NOTIFICATION_QUEUE_USAGE)) < full_enough;
    ListCell* cell = nullptr;
    foreach (cell, noted)
        if (room) Async_Notify(channel, static_cast<const char*>(lfirst(cell)));
    noted = NIL;
    MemoryContextReset(memory);
    return true;
}

}  // namespace testpool::events
