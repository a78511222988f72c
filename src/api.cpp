// The SQL functions: check arguments, ask the launcher, return what it said. Their contracts are
// written where they are declared, in sql/testpool--*.sql.

#include "database.h"
#include "diff/diff.h"
#include "errors.h"
#include "session.h"
#include "settings.h"
#include "shmem/shmem.h"
#include "uri.h"

using namespace testpool;

namespace {

constexpr const char* hash_hint =
    "Any text will do, for example the SHA-256 of your migrations in hex.";
constexpr const char* database_hint = "The view testpool.databases lists the databases.";

[[noreturn]] void bad_argument(const char* message, const char* hint) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg_internal("%s", message),
                    errhint("%s", hint)));
    pg_unreachable();
}

/// Text of 1 to `longest` bytes, or 22023.
const char* checked(const char* what, const char* text, size_t longest, const char* hint) {
    size_t length = strlen(text);
    if (length == 0 || length > longest)
        bad_argument(psprintf("%s must have 1 to %zu bytes, not %zu", what, longest, length), hint);
    return text;
}

const char* optional_text(FunctionCallInfo fcinfo, int argument) {
    if (PG_ARGISNULL(argument)) return nullptr;
    return text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

const char* required_text(FunctionCallInfo fcinfo, int argument, const char* what) {
    const char* text = optional_text(fcinfo, argument);
    if (text == nullptr)
        bad_argument(psprintf("%s must not be null", what), "Pass a value for it.");
    return text;
}

void set_hash(Request& request, const char* hash) {
    strlcpy(request.hash, checked("a template's hash", hash, longest_hash, hash_hint),
            sizeof(request.hash));
    request.has_hash = true;
}

void set_name(Request& request, const char* name, const char* hint) {
    strlcpy(request.text, checked("a template's name", name, NAMEDATALEN - 1, hint),
            sizeof(request.text));
    request.has_text = true;
}

void set_reason(Request& request, const char* reason) {
    if (reason == nullptr) return;
    int length = static_cast<int>(strlen(reason));
    int bytes = pg_mbcliplen(reason, length, static_cast<int>(longest_hash));
    memcpy(request.text, reason, bytes);
    request.has_text = true;
}

void set_database(Request& request, FunctionCallInfo fcinfo) {
    const char* name = required_text(fcinfo, 0, "the database");
    strlcpy(NameStr(request.database),
            checked("a database name", name, NAMEDATALEN - 1, database_hint), NAMEDATALEN);
}

void set_timeout(Request& request, int64 milliseconds) {
    request.deadline = TimestampTzPlusMilliseconds(request.since, milliseconds);
}

int64 milliseconds_of(const Interval& interval) {
    constexpr int64 day = 24LL * 60 * 60 * 1000;
    constexpr int64 longest = 365 * day;
    double total = static_cast<double>(interval.time) / 1000 +
                   static_cast<double>(interval.day) * day +
                   static_cast<double>(interval.month) * 30 * day;
    if (total < 0) bad_argument("the timeout must not be negative", "Pass for example '30 s'.");
    return total > static_cast<double>(longest) ? longest : static_cast<int64>(total);
}

Datum name_result(FunctionCallInfo fcinfo, const Reply& reply) {
    if (reply.null) PG_RETURN_NULL();
    PG_RETURN_TEXT_P(cstring_to_text(NameStr(reply.database)));
}

Oid owner_of_schema() {
    Oid schema = get_namespace_oid("testpool", false);
    HeapTuple tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
    Oid owner = reinterpret_cast<Form_pg_namespace>(GETSTRUCT(tuple))->nspowner;
    ReleaseSysCache(tuple);
    return owner;
}

void require_home() {
    const char* here = get_database_name(MyDatabaseId);
    if (strcmp(here, settings::database) == 0) return;
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("extension \"testpool\" cannot be created in database \"%s\"", here),
             errdetail("It lives in one home database, which is \"%s\".", settings::database),
             errhint("Create it there, or set testpool.database = '%s' in postgresql.conf and "
                     "restart.",
                     here)));
}

/// A schema that was there before could hold functions that the extension would call.
void require_trusted_schema() {
    Oid owner = owner_of_schema();
    if (superuser_arg(owner)) return;
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("schema \"testpool\" belongs to another role"),
                    errdetail("Role \"%s\", which is no superuser, could put objects into it that "
                              "the extension would use.",
                              GetUserNameFromId(owner, false)),
                    errhint("Rename or drop that schema; CREATE EXTENSION makes its own.")));
}

/// They are never dropped, nor taken over: nobody can say whose they are.
void warn_of_strangers() {
    constexpr int most_shown = 10;
    List* names = database::look_like_ours();
    if (names == NIL) return;
    StringInfoData list;
    initStringInfo(&list);
    for (int i = 0; i < std::min(list_length(names), most_shown); i++)
        appendStringInfo(&list, "%s\"%s\"", i > 0 ? ", " : "",
                         static_cast<const char*>(list_nth(names, i)));
    if (list_length(names) > most_shown) appendStringInfoString(&list, ", …");
    ereport(
        WARNING,
        (errcode(ERRCODE_DUPLICATE_DATABASE),
         errmsg("there are %d databases that are named like testpool's, and that it does not know",
                list_length(names)),
         errdetail("They are: %s.", list.data),
         errhint("DROP EXTENSION without testpool.reset() leaves them behind. Drop them by hand if "
                 "nobody needs them; testpool never will.")));
}

/// The template is there, but some plans will lack statistics.
void warn_of_plans(const char* hash, const char* warning) {
    ereport(
        WARNING,
        (errmsg("template \"%s\" was finalized: %s", errors::shown(hash), warning),
         errhint(
             "Where a name was not found: functions are run with the search_path \"pg_catalog, pg_temp\": "
             "name what is in other schemas with the schema, or SET search_path "
             "for the function.")));
}

/// The hash that acquire() was given or finds in testpool.template; none: the launcher chooses.
void set_acquired_hash(Request& request, FunctionCallInfo fcinfo) {
    if (const char* hash = optional_text(fcinfo, 0))
        set_hash(request, hash);
    else if (settings::default_template[0] != '\0')
        set_hash(request, settings::default_template);
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(testpool_init_template);
Datum testpool_init_template(PG_FUNCTION_ARGS) {
    session::require_usable("testpool.init_template()");
    Request request = session::request(Verb::init_template);
    set_hash(request, required_text(fcinfo, 0, "a template's hash"));
    if (const char* base = optional_text(fcinfo, 1)) {
        strlcpy(request.base, checked("the base's hash", base, longest_hash, hash_hint),
                sizeof(request.base));
        request.has_base = true;
    }
    if (const char* name = optional_text(fcinfo, 2)) set_name(request, name, "Pass null for none.");
    set_timeout(request, settings::template_timeout);
    return name_result(fcinfo, session::ask(request));
}

PG_FUNCTION_INFO_V1(testpool_finalize);
Datum testpool_finalize(PG_FUNCTION_ARGS) {
    session::require_usable("testpool.finalize()");
    Request request = session::request(Verb::finalize);
    set_hash(request, required_text(fcinfo, 0, "a template's hash"));
    Reply reply = session::ask(request);
    session::forget_grant(reply.subject);
    if (reply.message[0] != '\0') warn_of_plans(request.hash, reply.message);
    PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(testpool_discard);
Datum testpool_discard(PG_FUNCTION_ARGS) {
    session::require_usable("testpool.discard()");
    Request request = session::request(Verb::discard);
    set_hash(request, required_text(fcinfo, 0, "a template's hash"));
    set_reason(request, optional_text(fcinfo, 1));
    session::ask(request);
    PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(testpool_alias);
Datum testpool_alias(PG_FUNCTION_ARGS) {
    session::require_usable("testpool.alias()");
    Request request = session::request(Verb::alias);
    set_name(request, required_text(fcinfo, 0, "a template's name"), "Pass for example 'orders'.");
    set_hash(request, required_text(fcinfo, 1, "a template's hash"));
    session::ask(request);
    PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(testpool_acquire);
Datum testpool_acquire(PG_FUNCTION_ARGS) {
    session::require_usable("testpool.acquire()");
    Request request = session::request(Verb::acquire);
    set_acquired_hash(request, fcinfo);
    set_timeout(request, PG_ARGISNULL(1) ? settings::acquire_timeout
                                         : milliseconds_of(*PG_GETARG_INTERVAL_P(1)));
    return name_result(fcinfo, session::ask(request));
}

PG_FUNCTION_INFO_V1(testpool_release);
Datum testpool_release(PG_FUNCTION_ARGS) {
    session::require_usable("testpool.release()");
    const char* database = optional_text(fcinfo, 0);
    if (database == nullptr)
        session::release_all();
    else
        session::release(checked("a database name", database, NAMEDATALEN - 1, database_hint));
    PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(testpool_recreate);
Datum testpool_recreate(PG_FUNCTION_ARGS) {
    session::require_usable("testpool.recreate()");
    Request request = session::request(Verb::recreate);
    set_database(request, fcinfo);
    session::ask(request);
    PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(testpool_renew);
Datum testpool_renew(PG_FUNCTION_ARGS) {
    session::require_usable("testpool.renew()");
    Request request = session::request(Verb::renew);
    set_database(request, fcinfo);
    session::ask(request);
    PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(testpool_rewind);
Datum testpool_rewind(PG_FUNCTION_ARGS) {
    session::require_usable("testpool.rewind()");
    Request request = session::request(Verb::rewind);
    set_database(request, fcinfo);
    request.count = settings::rewind_timeout;
    session::ask(request);
    PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(testpool_keep);
Datum testpool_keep(PG_FUNCTION_ARGS) {
    session::require_usable("testpool.keep()");
    Request request = session::request(Verb::keep);
    set_database(request, fcinfo);
    set_reason(request, optional_text(fcinfo, 1));
    Reply reply = session::ask(request);
    session::forget_grant(reply.subject);
    PG_RETURN_TEXT_P(cstring_to_text(uri::of_database(NameStr(reply.database))));
}

PG_FUNCTION_INFO_V1(testpool_diff);
Datum testpool_diff(PG_FUNCTION_ARGS) {
    session::require_usable("testpool.diff()");
    Request request = session::request(Verb::diff);
    set_database(request, fcinfo);
    Reply reply = session::ask(request);
    InitMaterializedSRF(fcinfo, 0);
    diff::list(reply.source, reply.oid, request.database,
               reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo));
    return Datum{0};
}

PG_FUNCTION_INFO_V1(testpool_url);
Datum testpool_url(PG_FUNCTION_ARGS) {
    const char* database = required_text(fcinfo, 0, "the database");
    checked("a database name", database, NAMEDATALEN - 1, database_hint);
    if (!OidIsValid(get_database_oid(database, true))) errors::unknown_database(database);
    PG_RETURN_TEXT_P(cstring_to_text(uri::of_database(database)));
}

PG_FUNCTION_INFO_V1(testpool_prewarm);
Datum testpool_prewarm(PG_FUNCTION_ARGS) {
    session::require_usable("testpool.prewarm()");
    Request request = session::request(Verb::prewarm);
    set_hash(request, required_text(fcinfo, 0, "a template's hash"));
    if (PG_ARGISNULL(1) || PG_GETARG_INT32(1) < 0 || PG_GETARG_INT32(1) > settings::pool_max)
        bad_argument(
            psprintf("the count must be between 0 and testpool.pool_max (%d)", settings::pool_max),
            "Ask for fewer clones, or raise testpool.pool_max.");
    request.count = PG_GETARG_INT32(1);
    set_timeout(request, settings::acquire_timeout);
    PG_RETURN_INT32(session::ask(request).count);
}

PG_FUNCTION_INFO_V1(testpool_reset);
Datum testpool_reset(PG_FUNCTION_ARGS) {
    session::require_usable("testpool.reset()");
    Oid owner = owner_of_schema();
    if (!superuser() && !has_privs_of_role(GetUserId(), owner))
        errors::not_yours("extension", "testpool", owner);
    session::ask(session::request(Verb::reset));
    PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(testpool_version);
Datum testpool_version(PG_FUNCTION_ARGS) { PG_RETURN_TEXT_P(cstring_to_text(TESTPOOL_VERSION)); }

/// Called by the extension's script: refuses the wrong place, and tells the launcher at commit.
PG_FUNCTION_INFO_V1(testpool_created);
Datum testpool_created(PG_FUNCTION_ARGS) {
    require_home();
    require_trusted_schema();
    warn_of_strangers();
    session::announce_catalog_at_commit();
    PG_RETURN_VOID();
}
}
