"""Recycle: how long until a used database is new again.

testpool's rewind against DROP DATABASE and CREATE DATABASE of the same template, by either strategy. For every
template and every kind of test the three take turns, a few tests each. The rewind is asked for by
recreate(), which returns when the database is clean: its wall time is compared with that of DROP and CREATE.
The server's own time of the rewind stands beside it. Where a copy takes seconds, whatever the test did, it
is measured after one kind of test.
"""

import sys

import client
import results
import room
import server
import templates
from contestants import EMPTY

TESTS = {"rewind": 5, "WAL_LOG": 2, "FILE_COPY": 2}  # a round
PLAIN = "20 rows"
NOTE = "SELECT recycled, recycle_us, relations, pages, coalesce(clone_reason, '') " \
       "FROM testpool.database WHERE name = ':db'"
COLUMNS = ["way", "server_us", "relations", "pages", "clone_reason"]


def steps(way, template_database, lease):
    if way == "rewind":
        return {"database": [lease], "leave": [EMPTY], "give": ["SELECT testpool.recreate(':db')"], "note": [NOTE]}
    return {"database": [f"bench_{way.lower()}"], "leave": [EMPTY],
            "give": ["DROP DATABASE :db", f"CREATE DATABASE :db TEMPLATE {template_database} STRATEGY {way}"]}


def slow(template, fsync):
    """A copy of it takes seconds."""
    return fsync == "on" or template is templates.LARGE


def take_turns(template, fsync, number, database, lease, tests):
    megabytes = round(room.size(lease) / 2**20)
    for test in tests:
        if number > 0 and server.left() < 0:
            return
        for way, count in TESTS.items():
            if way != "rewind" and slow(template, fsync):
                if test.name != PLAIN:
                    continue
                count = 1
            done, _ = client.run(steps(way, database, lease) | {"work": test.work}, tests=count, note=COLUMNS)
            for row in done:
                yield {"fsync": fsync, "template": template.name, "megabytes": megabytes, "test": test.name, "contestant": way, "round": number,
                       "connect_us": row["connect_us"], "work_us": row["work_us"], "wall_us": row["give_us"],
                       **{name: row.get(name, "") for name in COLUMNS}}
        server.progress(f"fsync {fsync}, {template.name}, round {number + 1}: {test.name}")


def measure(folder, template, fsync, rounds, tests):
    server.preparing()
    database = template.build()
    took = {"testpool": lambda: server.value(f"SELECT testpool.acquire('{template.name}')")}
    for way in ("WAL_LOG", "FILE_COPY"):
        took[way] = lambda way=way: server.sql(
            f"CREATE DATABASE bench_{way} TEMPLATE {database} STRATEGY {way}")
    lease = room.measure(folder, template, fsync, took)["testpool"]
    for test in tests:  # the warm-up
        client.run(steps("rewind", database, lease) | {"work": test.work}, tests=2)
    server.measuring()
    for number in server.rounds(rounds):
        yield from take_turns(template, fsync, number, database, lease, tests)
    server.sql(f"SELECT testpool.discard('{template.name}'); SELECT testpool.release('{lease}')")
    for way in ("wal_log", "file_copy"):
        server.sql(f"DROP DATABASE bench_{way}")


def main(folder, rounds, names, tests=""):
    """With these templates, and after all kinds of test or only these, with commas between."""
    server.configure(pool_size=0, pool_max=1, lease_grace=3_600_000)
    server.sql("CREATE EXTENSION testpool")
    fsync = server.measuring()
    results.describe(folder, "recycle")
    for template in templates.ALL:
        if template.name not in names.split(","):
            continue
        if server.left() < 0:
            server.progress(f"skipped: fsync {fsync}, {template.name}")
            continue
        chosen = [test for test in template.tests.values() if not tests or test.name in tests.split(",")]
        rows = list(measure(folder, template, fsync, int(rounds), chosen))
        results.replace(folder, "recycle", rows, fsync=fsync, template=template.name)


main(*sys.argv[1:])
