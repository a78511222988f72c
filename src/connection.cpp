// The connection hook: what happens to a client between its authentication and the look-up of its
// database. Whoever connects to a template's name and a token, as in `orders~test_17`, is to find a
// clone of that template under that name. The session asks the launcher for it and waits, as
// acquire() does; then PostgreSQL looks the name up as usual. At this point there is a transaction,
// and the shared catalogs can be read; no role and no database is chosen, and an ERROR ends the
// connection.

#include "connection.h"

#include "database.h"
#include "live/gate.h"
#include "session.h"
#include "settings.h"

namespace testpool::connection {

namespace {

ClientAuthentication_hook_type earlier_authentication;

/// How many bytes of a database name are a template's name; 0: it is an ordinary name.
size_t template_part(const char* name) {
    const char* at = strstr(name, settings::connect_separator);
    if (at == nullptr || at[strlen(settings::connect_separator)] == '\0') return 0;
    return at - name;
}

/// True if the client sent a longer name: PostgreSQL has cut it where it lies, and two tests would
/// share a database without knowing.
bool was_cut(const char* name) {
    if (strlen(name) < NAMEDATALEN - 1) return false;
    char* uncut = MemoryContextStrdup(GetMemoryChunkContext(const_cast<char*>(name)), name);
    bool cut = GetMemoryChunkSpace(const_cast<char*>(name)) > GetMemoryChunkSpace(uncut);
    pfree(uncut);
    return cut;
}

[[noreturn]] void too_long(const char* name) {
    ereport(FATAL, (errcode(ERRCODE_NAME_TOO_LONG),
                    errmsg("the database name that begins with \"%s\" is too long", name),
                    errdetail("A name has at most %d bytes.", NAMEDATALEN - 1),
                    errhint("Shorten the token after \"%s\", for example to a hash of it.",
                            settings::connect_separator)));
    pg_unreachable();
}

/// False if the role may not log in: PostgreSQL says so next.
bool set_role(Request& request, const char* name) {
    HeapTuple tuple = SearchSysCache1(AUTHNAME, CStringGetDatum(name));
    if (!HeapTupleIsValid(tuple)) return false;
    auto* role = reinterpret_cast<Form_pg_authid>(GETSTRUCT(tuple));
    request.role = role->oid;
    request.superuser = role->rolsuper;
    bool may_log_in = role->rolcanlogin;
    ReleaseSysCache(tuple);
    return may_log_in;
}

// PostgreSQL gives a connection up at authentication_timeout without a word to the client. Of each
// second of that the launcher has so much to answer, and then the session to give up by itself.
constexpr int answer_ms = 900;
constexpr int give_up_ms = 50;

TimestampTz deadline_of(TimestampTz since) {
    return std::min(
        TimestampTzPlusMilliseconds(since, settings::acquire_timeout),
        TimestampTzPlusMilliseconds(MyStartTimestamp, AuthenticationTimeout * answer_ms));
}

void ask_for(const Port& port, size_t name_length) {
    Request request{};
    request.verb = Verb::connect;
    if (!set_role(request, port.user_name)) return;
    request.since = GetCurrentTimestamp();
    request.deadline = deadline_of(request.since);
    request.has_text = true;
    memcpy(request.text, port.database_name, name_length);
    strlcpy(NameStr(request.database), port.database_name, NAMEDATALEN);
    if (port.application_name != nullptr)
        strlcpy(request.application, port.application_name, sizeof(request.application));
    strlcpy(request.client, port.remote_host, sizeof(request.client));
    InvalidateCatalogSnapshot();  // it would hold back every VACUUM while this session waits
    set_ps_display("waiting for a clone");
    session::ask(request, AuthenticationTimeout * give_up_ms);
}

/// False if PostgreSQL refuses the client next: whoever may not enter keeps no lease alive by
/// trying.
bool may_enter(const Port& port) {
    Lease lease;
    Request request{};
    return !shmem::find_lease(port.database_name, &lease) || !OidIsValid(lease.oid) ||
           (set_role(request, port.user_name) && compat::may_connect(lease.oid, request.role));
}

void admit(const Port& port) {
    const char* name = port.database_name;
    size_t length = settings::connect ? template_part(name) : 0;
    if (length == 0 || RecoveryInProgress()) return;
    Lease lease;
    if (was_cut(name) && (shmem::find_lease(name, &lease) || !database::is_open(name)))
        too_long(name);
    if (!may_enter(port)) return;
    if (shmem::await_client(name) && database::is_open(name)) return;
    ask_for(port, length);
}

void after_authentication(Port* port, int status) {
    if (earlier_authentication != nullptr) earlier_authentication(port, status);
    if (status != STATUS_OK) return;
    shmem::watch_departure();
    gate::enter();
    admit(*port);
}

}  // namespace

void define() {
    earlier_authentication = ClientAuthentication_hook;
    ClientAuthentication_hook = after_authentication;
}

}  // namespace testpool::connection
