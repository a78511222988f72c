"""Growth: what becomes larger over many cycles of acquire and release.

Two clients acquire and release without a pause. With testpool.recycle = auto a released database is
rewound; with recreate every cycle drops a database and makes another. After each tenth of the cycles,
once the workers have caught up, everything that could grow is measured.
The first tenth is the warm-up: free space, caches and the pool itself reach their size.
"""

import os
import sys
from pathlib import Path

import results
import server

STEPS = 10
CLIENTS = 2

RELATIONS = ["testpool.template", "testpool.database", "pg_database", "pg_shdepend",
             "pg_db_role_setting", "pg_shdescription", "pg_shseclabel", "pg_class", "pg_attribute",
             "pg_statistic"]

# Also of databases that are no more: one for each, and one for the pg_class of each.
PG_CLASS = 1259
STATISTICS_ENTRIES = """
    SELECT count(*) FROM generate_series(1, (SELECT max(oid::bigint) FROM pg_database)) every(oid)
     WHERE pg_stat_have_stats('{}', every.oid::oid, {})
"""


def tree(folder):
    """Number of files under a folder, and their bytes."""
    sizes = [os.stat(Path(path) / name).st_size
             for path, _, names in os.walk(folder) for name in names]
    return len(sizes), sum(sizes)


def measure(data):
    server.until(server.settled)
    server.sql("CHECKPOINT")  # removes the files that drops have left to it
    found = {f"{name} (bytes, with indexes)":
             server.value(f"SELECT pg_total_relation_size('{name}')") for name in RELATIONS}
    found["databases"] = server.value("SELECT count(*) FROM pg_database")
    for kind, relation in [("database", 0), ("relation", PG_CLASS)]:
        found[f"statistics entries, {kind}"] = server.value(STATISTICS_ENTRIES.format(kind, relation))
    found["base/: files"], found["base/: bytes"] = tree(data / "base")
    found["global/: files"], found["global/: bytes"] = tree(data / "global")
    found["WAL written (bytes)"] = server.value("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
    for index, (pid, name) in enumerate(server.processes()):
        memory = server.memory_of(pid)
        found[f"{name} {index}: own memory (kB)"] = memory["own_kb"]
        found[f"{name} {index}: open files"] = len(os.listdir(f"/proc/{pid}/fd"))
    return found


def main(folder, recycle, cycles):
    data = Path(os.environ["SERVER_FOLDER"]) / "data"
    step = max(CLIENTS, cycles // STEPS)
    server.configure(pool_size=4, recycle=recycle)
    server.build_template()
    results.describe(folder, "growth")
    rows = []
    for number in server.rounds(STEPS + 1):  # the first one is before all cycles
        done = number * step
        if number > 0:
            server.pgbench("cycle", transactions=step // CLIENTS, clients=CLIENTS)
        rows += [{"recycle": recycle, "cycles": done, "measure": name, "value": number}
                 for name, number in measure(data).items()]
        results.replace(folder, "growth", rows, recycle=recycle)
        server.progress(f"recycle = {recycle}: {done} cycles")


main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
