"""Pages: what a rewind costs against how much of the database has changed.

From one row to every table of a template of 155 MB; beside it what DROP and CREATE of it cost, which do
not depend on that. Where the two meet, a rewind is no longer the better way.
"""

import sys

import client
import results
import server
import templates
from contestants import EMPTY

TEMPLATE = templates.MIDDLE
TABLES = [1, 4, 16, 50, 100, 200]
NOTE = "SELECT recycle_us, pages FROM testpool.database WHERE name = ':db'"


def changes():
    yield "one row", "UPDATE orders_7 SET note = 'changed' WHERE id = 7"
    for tables in TABLES:
        yield ("all rows of a table" if tables == 1 else f"all rows of {tables} tables",
               f"DO $$ BEGIN FOR n IN 1..{tables} LOOP "
               "EXECUTE format('UPDATE orders_%s SET customer = customer + 1', n); END LOOP; END $$")


def main(folder, rounds):
    server.configure(pool_size=0, pool_max=1, lease_grace=3_600_000)
    server.sql("CREATE EXTENSION testpool")
    database = TEMPLATE.build()
    lease = server.value(f"SELECT testpool.acquire('{TEMPLATE.name}')")
    rewind = {"database": [lease], "leave": [EMPTY], "give": ["SELECT testpool.recreate(':db')"], "note": [NOTE]}
    ways = {"rewind": rewind}
    for strategy in ("WAL_LOG", "FILE_COPY"):
        server.sql(f"CREATE DATABASE bench_{strategy} TEMPLATE {database} STRATEGY {strategy}")
        ways[strategy] = {"database": [f"bench_{strategy.lower()}"], "leave": [EMPTY], "give": [
            "DROP DATABASE :db", f"CREATE DATABASE :db TEMPLATE {database} STRATEGY {strategy}"]}
    client.run(rewind | {"work": [dict(changes())["one row"]]}, tests=2)  # the warm-up
    fsync = server.measuring()
    results.describe(folder, "pages")
    rows = []
    for number in server.rounds(rounds):
        for what, change in changes():
            if rows and server.left() < 0:
                break
            for way, steps in ways.items():
                [test], _ = client.run(steps | {"work": [change]}, tests=1, note=["server_us", "pages"])
                rows.append({"fsync": fsync, "changed": what, "contestant": way, "round": number,
                             "wall_us": test["give_us"], "server_us": test.get("server_us", ""),
                             "pages": test.get("pages", "")})
            server.progress(f"fsync {fsync}, round {number + 1}: {what}")
        results.replace(folder, "pages", rows, fsync=fsync)


main(sys.argv[1], int(sys.argv[2]))
