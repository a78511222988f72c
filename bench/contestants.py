"""The ways to give every test its database, as steps of client.cpp.

Those marked "not isolated" are floors: they cost least, and tests see each other or cannot commit.
TRUNCATE and DELETE have a database for each client. What a test creates is dropped by hand where nothing
else would get rid of it, so that it does not pile up.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import server
import service

SHARED = "one shared database (not isolated)"
ROLLBACK = "rollback (not isolated)"
REWIND = "testpool, rewind"
RECREATE = "testpool, recreate"
INTEGRESQL = "IntegreSQL"

SETTLE = """
CREATE SCHEMA bench;
CREATE FUNCTION bench.settle() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WHILE EXISTS (SELECT FROM testpool.database WHERE state NOT IN ('ready', 'leased')) LOOP
        PERFORM pg_sleep(0.001);
    END LOOP;
END $$;
"""

# DROP DATABASE looks for sessions every 100 ms. One that is just ending need not cost it that.
EMPTY = """DO $$ BEGIN
    WHILE EXISTS (SELECT FROM pg_stat_activity WHERE datname = ':db') LOOP
        PERFORM pg_stat_clear_snapshot(), pg_sleep(0.0002);
    END LOOP;
END $$"""


def statements(*them):
    return [statement for statement in them if statement]


@dataclass(frozen=True)
class Contestant:
    name: str
    steps: dict = field(default_factory=dict)
    pool: str = ""            # the template whose pool it takes from, if it is testpool
    recycle: str = "auto"     # testpool.recycle
    wrap: tuple = ((), ())    # statements before and after the test's own
    clean: Callable = lambda test: []  # what it does after this test; None: this test is beyond it
    counted: bool = True      # the server that is looked at does its work

    def of(self, test):
        """The steps of such a test, or None."""
        before, after = self.wrap
        clean = self.clean(test)
        return None if clean is None else self.steps | {"work": [*before, *test.work, *after], "clean": clean}


def testpool(pool, recycle, name):
    return Contestant(name, {
        "take": [f"SELECT testpool.acquire('{pool}')"],
        "give": ["SELECT testpool.release(':db')"],
        # The run ends when all that was used is clean again, so that nothing is left to pay for.
        "finish": ["SELECT bench.settle()"]}, pool, recycle)


def per_test(database, strategy):
    return Contestant(f"CREATE + DROP, {strategy}", {
        "database": ["bench_:client"],
        "take": [f"CREATE DATABASE bench_:client TEMPLATE {database} STRATEGY {strategy}"],
        "give": [EMPTY, "DROP DATABASE :db"]})


def integresql(running):
    return Contestant(INTEGRESQL, {
        "take": [f"GET {running.tests}"],
        "give": [EMPTY, f"POST {running.tests}/:id/recreate"],
        "finish": [service.SETTLE]}, counted=running.here)


def own_database(name, clean):
    return Contestant(name, {"database": ["bench_own_:client"]}, clean=clean)


def furnish(template, clients, ready, integresql_service=None, recreate=True):
    """Makes what the contestants need: the template, pools, a shared database and one for each client.
    Returns the contestants, IntegreSQL among them if there is one, and not those that recreate if they
    are not wanted."""
    server.configure(pool_size=ready)
    server.sql("CREATE EXTENSION testpool")
    server.sql(SETTLE)
    database = template.build()
    server.value(f"SELECT testpool.prewarm('{template.name}', {ready})")
    again = f"{template.name}, recreate"
    if recreate:
        server.configure(recycle="recreate")  # only what was cloned for a rewind can be rewound
        template.build_again(again)
        server.value(f"SELECT testpool.prewarm('{again}', {ready})")
        server.configure(recycle="auto")
    for name in ["bench_shared"] + [f"bench_own_{number}" for number in range(clients)]:
        server.sql(f"CREATE DATABASE {name} TEMPLATE {database}")
    tables = [table for (table,) in server.sql(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')", "bench_shared")]
    truncate = f"TRUNCATE {', '.join(tables)}"
    field = [
        Contestant(SHARED, {"database": ["bench_shared"]}, clean=lambda test: statements(test.drop)),
        Contestant(ROLLBACK, {"database": ["bench_shared"]}, wrap=(("BEGIN",), ("ROLLBACK",))),
        testpool(template.name, "auto", REWIND),
        *([testpool(again, "recreate", RECREATE)] if recreate else []),
        own_database("DELETE from the dirty table",
                     lambda test: None if test.delete is None else statements(test.delete, test.drop)),
        own_database("TRUNCATE of all tables", lambda test: statements(test.drop, truncate)),
        per_test(database, "WAL_LOG"),
        per_test(database, "FILE_COPY"),
    ]
    if integresql_service:
        field.append(integresql(service.serve(integresql_service, template, database, clients)))
    return field


def fill_pool(contestant, ready):
    """A full pool, and nothing left to do from what went before."""
    if server.value("SHOW testpool.recycle") != contestant.recycle:
        server.configure(recycle=contestant.recycle)
    if contestant.pool:
        server.value(f"SELECT testpool.prewarm('{contestant.pool}', {ready})")
    server.sql("SELECT bench.settle()")
    server.sql("CHECKPOINT")
