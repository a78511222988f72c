// The errors that several rooms raise, and how one travels from the launcher to a session.

#include "errors.h"

#include "settings.h"

namespace testpool::errors {

namespace {

constexpr int longest_shown = 24;  // characters of a hash in a message

void copy(char* field, size_t size, const char* text) {
    if (text == nullptr) return;
    int length = pg_mbcliplen(text, static_cast<int>(strlen(text)), static_cast<int>(size) - 1);
    memcpy(field, text, length);
    field[length] = '\0';
}

}  // namespace

const char* shown(const char* hash) {
    int length = static_cast<int>(strlen(hash));
    int bytes = pg_mbcharcliplen(hash, length, longest_shown);
    return bytes == length ? hash : psprintf("%.*s...", bytes, hash);
}

Reply as_reply(const ErrorData& error) {
    Reply reply{};
    reply.sqlstate = error.sqlerrcode;
    copy(reply.message, sizeof(reply.message), error.message);
    copy(reply.detail, sizeof(reply.detail), error.detail);
    copy(reply.hint, sizeof(reply.hint), error.hint);
    return reply;
}

Outcome as_outcome(const ErrorData* error) {
    Outcome outcome{};
    if (error == nullptr) return outcome;
    outcome.sqlstate = error->sqlerrcode;
    copy(outcome.message, sizeof(outcome.message), error->message);
    return outcome;
}

void raise(const Reply& reply) {
    ereport(ERROR, (errcode(reply.sqlstate), errmsg_internal("%s", reply.message),
                    reply.detail[0] != '\0' ? errdetail_internal("%s", reply.detail) : 0,
                    reply.hint[0] != '\0' ? errhint("%s", reply.hint) : 0));
    pg_unreachable();
}

void unknown_template(const char* hash) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                    errmsg("template \"%s\" does not exist", shown(hash)),
                    errhint("Build it: SELECT testpool.init_template(hash), fill the database that "
                            "it names, SELECT testpool.finalize(hash).")));
    pg_unreachable();
}

Reply discarded_reply(const char* hash, const char* reason) {
    Reply reply{};
    reply.sqlstate = ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
    copy(reply.message, sizeof(reply.message),
         psprintf("template \"%s\" was discarded", shown(hash)));
    copy(reply.detail, sizeof(reply.detail),
         psprintf("Reason: %s", reason != nullptr ? reason : "none was given."));
    copy(reply.hint, sizeof(reply.hint), "Build it anew with testpool.init_template.");
    return reply;
}

void unknown_database(const char* database) {
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("testpool has no database \"%s\"", database),
             errhint("The view testpool.databases lists them.")));
    pg_unreachable();
}

void kept_aside(const char* name, const char* database) {
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("testpool has no database \"%s\"", name),
             errdetail("The last one of this name is kept as \"%s\".", database),
             errhint("Use that name, also to release it.")));
    pg_unreachable();
}

void not_leased(const char* database) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("database \"%s\" is not leased", database),
                    errhint("The view testpool.databases shows the state of each database.")));
    pg_unreachable();
}

void no_place(const char* database) {
    ereport(ERROR,
            (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
             errmsg("there is no room in shared memory for the lease of database \"%s\"", database),
             errdetail("There is room for testpool.max_databases (%d) leases; there were more when "
                       "the server was started.",
                       settings::max_databases),
             errhint("Release other databases, or raise testpool.max_databases and restart the "
                     "server.")));
    pg_unreachable();
}

void not_yours(const char* kind, const char* name, Oid owner) {
    const char* owner_name = GetUserNameFromId(owner, true);
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
             errmsg("permission denied for %s \"%s\"", kind, name),
             errdetail("It belongs to role \"%s\".", owner_name != nullptr ? owner_name : "?"),
             errhint("Act as that role, or as a superuser.")));
    pg_unreachable();
}

}  // namespace testpool::errors
