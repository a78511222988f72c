"""Recycle: how long until a used database is new again.

testpool's rewind against DROP DATABASE and CREATE DATABASE of the same template, by either strategy.
For every template and every kind of test the three take turns, a few tests each. The rewind is asked
for by recreate(), which returns when the database is clean: its wall time is compared with that of
DROP and CREATE. The server's own time of the rewind stands beside it.
"""

import sys

import client
import server
import templates
from contestants import EMPTY

TESTS = {"rewind": 5, "WAL_LOG": 2, "FILE_COPY": 2}  # a round
SLOW = {"1.6 GB": {"WAL_LOG": 1, "FILE_COPY": 1}}  # seconds each, whatever the test did
NOTE = "SELECT recycled, recycle_us, relations, pages, coalesce(clone_reason, '') " \
       "FROM testpool.database WHERE name = ':db'"
COLUMNS = ["way", "server_us", "relations", "pages", "clone_reason"]


def steps(way, template_database, lease):
    if way == "rewind":
        return {"database": [lease], "leave": [EMPTY], "give": ["SELECT testpool.recreate(':db')"], "note": [NOTE]}
    return {"database": [f"bench_{way.lower()}"], "leave": [EMPTY],
            "give": ["DROP DATABASE :db", f"CREATE DATABASE :db TEMPLATE {template_database} STRATEGY {way}"]}


def measure(template, fsync, rounds, tests):
    database = template.build()
    lease = server.value(f"SELECT testpool.acquire('{template.name}')")
    for way in ("wal_log", "file_copy"):
        server.sql(f"CREATE DATABASE bench_{way} TEMPLATE {database} STRATEGY {way}")
    megabytes = int(server.value(f"SELECT pg_database_size('{lease}')")) / 2**20
    server.until(server.settled)
    slow = SLOW.get(template.name, {})
    for test, work in template.tests.items():
        if tests and test not in tests.split(","):
            continue
        for number in range(rounds):
            for way, count in (TESTS | slow).items():
                if way in slow and test != "20 rows":
                    continue
                done, _ = client.run(steps(way, database, lease) | {"work": work}, tests=count, note=COLUMNS)
                for row in done:
                    if number > 0:  # the first round is the warm-up
                        yield {"fsync": fsync, "template": template.name, "megabytes": round(megabytes),
                               "test": test, "contestant": way, "round": number,
                               "connect_us": row["connect_us"], "work_us": row["work_us"],
                               "wall_us": row["give_us"], **{name: row.get(name, "") for name in COLUMNS}}
        print(f"fsync {fsync}, {template.name}: {test}", file=sys.stderr)
    server.sql(f"SELECT testpool.discard('{template.name}'); SELECT testpool.release('{lease}')")
    for way in ("wal_log", "file_copy"):
        server.sql(f"DROP DATABASE bench_{way}")


def main(results, rounds, names="", tests=""):
    """Of all templates and tests, or only of those named, with commas between."""
    fsync = server.value("SHOW fsync")
    server.configure(pool_size=0, pool_max=1, lease_grace=3_600_000)
    server.sql("CREATE EXTENSION testpool")
    server.write_machine(results)
    for template in templates.ALL:
        if names and template.name not in names.split(","):
            continue
        rows = [row for row in server.read(results, "recycle")
                if (row["fsync"], row["template"]) != (fsync, template.name)]
        for row in measure(template, fsync, int(rounds), tests):
            rows.append(row)
            server.write(results, "recycle", rows)


main(*sys.argv[1:])
