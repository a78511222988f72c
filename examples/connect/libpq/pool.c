/* A pool of four libpq connections to DATABASE_URL, used by turns; four statements are under way at
 * once. */
#include <stdio.h>
#include <stdlib.h>

#include <libpq-fe.h>

enum { connections = 4, items = 20 };

static void fail(PGconn *connection)
{
    fputs(PQerrorMessage(connection), stderr);
    exit(1);
}

static void finish(PGconn *connection)
{
    PGresult *result;

    while ((result = PQgetResult(connection)) != NULL) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK) fail(connection);
        PQclear(result);
    }
}

int main(void)
{
    PGconn *pool[connections];
    PGresult *result;

    for (int i = 0; i < connections; i++) {
        pool[i] = PQconnectdb(getenv("DATABASE_URL"));
        if (PQstatus(pool[i]) != CONNECTION_OK) fail(pool[i]);
    }
    for (int i = 0; i < items; i++) {
        PGconn *connection = pool[i % connections];

        finish(connection);
        if (!PQsendQuery(connection, "INSERT INTO item (name) VALUES ('libpq')")) fail(connection);
    }
    for (int i = 0; i < connections; i++) finish(pool[i]);

    result = PQexec(pool[0], "SELECT count(*), current_database() FROM item");
    if (PQresultStatus(result) != PGRES_TUPLES_OK) fail(pool[0]);
    printf("%s items in %s\n", PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1));
    PQclear(result);
    for (int i = 0; i < connections; i++) PQfinish(pool[i]);
    return 0;
}
