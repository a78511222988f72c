"""The ways to give every test its database, as steps of client.cpp.

Those marked "not isolated" are floors: they cost least, and tests see each other or cannot commit.
TRUNCATE and DELETE have a database for each client; a test that runs DDL is not undone by them.
"""

import json
import urllib.request
import uuid
from dataclasses import dataclass, field

import server

SETTLE = """
CREATE SCHEMA bench;
CREATE FUNCTION bench.settle() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WHILE EXISTS (SELECT FROM testpool.database WHERE state NOT IN ('ready', 'leased')) LOOP
        PERFORM pg_sleep(0.001);
    END LOOP;
END $$;
"""


@dataclass(frozen=True)
class Contestant:
    name: str
    steps: dict = field(default_factory=dict)
    recycle: str = "auto"  # testpool.recycle
    wrap: tuple = ((), ())  # statements before and after the test's own

    def of(self, work):
        before, after = self.wrap
        return self.steps | {"work": [*before, *work, *after]}


def testpool(template, recycle, name):
    return Contestant(name, {
        "take": [f"SELECT testpool.acquire('{template.name}')"],
        "give": ["SELECT testpool.release(':db')"],
        # The run ends when all that was used is clean again, so that nothing is left to pay for.
        "finish": ["SELECT bench.settle()"]}, recycle)


# DROP DATABASE looks for sessions every 100 ms. One that is just ending need not cost it that.
EMPTY = """DO $$ BEGIN
    WHILE EXISTS (SELECT FROM pg_stat_activity WHERE datname = ':db') LOOP
        PERFORM pg_stat_clear_snapshot(), pg_sleep(0.0002);
    END LOOP;
END $$"""


def per_test(database, strategy):
    return Contestant(f"CREATE + DROP, {strategy}", {
        "database": ["bench_:client"],
        "take": [f"CREATE DATABASE bench_:client TEMPLATE {database} STRATEGY {strategy}"],
        "give": [EMPTY, "DROP DATABASE :db"]})


def integresql(template, url):
    """A service that is running: it is given the same template, and asked for a database for each test."""
    key = "bench-" + uuid.uuid4().hex
    templates_url = f"{url.rstrip('/')}/api/v1/templates"
    config = ask(templates_url, "POST", {"hash": key})["database"]["config"]
    uri = "postgresql://{username}:{password}@{host}:{port}/{database}".format(**config)
    template.fill(uri)
    ask(f"{templates_url}/{key}", "PUT")
    tests = f"{templates_url}/{key}/tests"
    return Contestant("IntegreSQL", {"take": [f"GET {tests}"], "give": [f"POST {tests}/:id/recreate"]})


def ask(url, method, body=None):
    request = urllib.request.Request(url, json.dumps(body or {}).encode(), {"Content-Type": "application/json"},
                                     method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request) as answer:
        return json.loads(answer.read() or "null")


def own_database(name, **steps):
    return Contestant(name, {"database": ["bench_own_:client"], **steps})


def furnish(template, clients, ready, service=None):
    """Makes what the contestants need: the template, a pool, a shared database and one for each client.
    Returns the contestants, IntegreSQL among them if there is its URL."""
    server.configure(pool_size=ready)
    server.sql("CREATE EXTENSION testpool")
    server.sql(SETTLE)
    database = template.build()
    for name in ["bench_shared"] + [f"bench_own_{number}" for number in range(clients)]:
        server.sql(f"CREATE DATABASE {name} TEMPLATE {database} STRATEGY file_copy")
    tables = [table for (table,) in server.sql(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')", "bench_shared")]
    return all_of(template, database, tables) + ([integresql(template, service)] if service else [])


def all_of(template, database, tables):
    return [
        Contestant("one shared database (not isolated)", {"database": ["bench_shared"]}),
        Contestant("rollback (not isolated)", {"database": ["bench_shared"]},
                   wrap=(("BEGIN",), ("ROLLBACK",))),
        testpool(template, "auto", "testpool, rewind"),
        testpool(template, "recreate", "testpool, recreate"),
        own_database("DELETE from the dirty table",
                     clean=[f"DELETE FROM {template.table} WHERE {template.key} >= :n"]),
        own_database("TRUNCATE of all tables", clean=[f"TRUNCATE {', '.join(tables)}"]),
        per_test(database, "WAL_LOG"),
        per_test(database, "FILE_COPY"),
    ]


def fill_pool(contestant, template, ready):
    """A full pool of clones that were made as the contestant makes them: only what was cloned for a
    rewind can be rewound."""
    if server.value("SHOW testpool.recycle") != contestant.recycle:
        server.configure(recycle=contestant.recycle)
        server.sql(f"SELECT count(testpool.acquire('{template.name}')) FROM generate_series(1, {ready})")
        server.sql("SELECT testpool.release(database) FROM testpool.databases WHERE state = 'leased'")
    server.value(f"SELECT testpool.prewarm('{template.name}', {ready})")
    server.sql("SELECT bench.settle()")
    server.sql("CHECKPOINT")
