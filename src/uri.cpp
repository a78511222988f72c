// Connection URIs for this server, as the caller reached it.

#include <sys/un.h>

#include "uri.h"

namespace testpool::uri {

namespace {

bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("-._~", c) != nullptr;
}

char* encoded(const char* text) {
    StringInfoData out;
    initStringInfo(&out);
    for (const char* c = text; *c != '\0'; c++)
        if (is_plain(*c))
            appendStringInfoChar(&out, *c);
        else
            appendStringInfo(&out, "%%%02X", static_cast<unsigned char>(*c));
    return out.data;
}

char* of_socket(const char* role, const char* database, const char* socket) {
    char* directory = pstrdup(socket);
    if (char* slash = strrchr(directory, '/')) *slash = '\0';
    return psprintf("postgresql://%s@/%s?host=%s&port=%d", role, database, encoded(directory),
                    PostPortNumber);
}

char* of_address(const char* role, const char* database, const SockAddr& address) {
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    int failed = pg_getnameinfo_all(&address.addr, address.salen, host, sizeof(host), port,
                                    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
    if (failed != 0) return psprintf("postgresql://%s@/%s?port=%d", role, database, PostPortNumber);
    const char* form =
        strchr(host, ':') != nullptr ? "postgresql://%s@[%s]:%s/%s" : "postgresql://%s@%s:%s/%s";
    return psprintf(form, role, host, port, database);
}

}  // namespace

char* of_database(const char* database) {
    char* name = encoded(database);
    char* role = encoded(GetUserNameFromId(GetSessionUserId(), false));
    if (MyProcPort == nullptr)  // a background worker: nobody reached it
        return psprintf("postgresql://%s@/%s?port=%d", role, name, PostPortNumber);
    const SockAddr& address = MyProcPort->laddr;
    if (address.addr.ss_family == AF_UNIX)
        return of_socket(role, name, reinterpret_cast<const sockaddr_un&>(address.addr).sun_path);
    return of_address(role, name, address);
}

}  // namespace testpool::uri
