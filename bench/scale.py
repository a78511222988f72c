"""Scale: acquire + release with ever more templates, and with ever more leases, against a one-row UPDATE.

`STEPS` is a list such as 10,100,1000: so many templates, each with a clone that is ready; then so many leases
of one template. pgbench mixes cycles and UPDATEs at random through one connection, 100 a second, so that
what was released is clean again before the next cycle. The launcher's own time on a processor is what
the kernel counts, for each cycle.
"""

import statistics
import subprocess
import sys
from pathlib import Path

import results
import server

ROUNDS = 3
READY = 4
RATE = 100
TRANSACTIONS = 400  # about half of them cycles


def in_psql(lines):
    """Each line a transaction of its own. Returns what they print."""
    done = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"], input="\n".join(lines), text=True,
                          check=True, capture_output=True)
    return done.stdout


def build_until(count):
    there = int(server.value("SELECT count(*) FROM testpool.templates"))
    in_psql(f"SELECT testpool.init_template('{server.HASH}{number}'); SELECT testpool.finalize('{server.HASH}{number}');"
            for number in range(there, count))
    server.until(lambda: server.value(f"SELECT count(DISTINCT template) >= {count} FROM testpool.database "
                                      "WHERE state = 'ready'") == "t", seconds=3600)


class Holder:
    """A session that acquires and stays."""

    def __init__(self):
        self.psql = subprocess.Popen(["psql", "-XqAt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.leases = 0

    def acquire_until(self, count):
        for _ in range(self.leases, count):
            self.psql.stdin.write(f"SELECT testpool.acquire('{server.HASH}', '10min');\n")
            self.psql.stdin.flush()
            self.psql.stdout.readline()
        self.leases = count


def busy_us(pid):
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) // 1000


def measure(what, count, number):
    server.value(f"SELECT testpool.prewarm('{server.HASH}', {READY})")
    server.until(server.settled)
    launcher = next(pid for pid, name in server.processes() if name == "testpool launcher")
    before = busy_us(launcher)
    log = server.pgbench("cycle", "update", transactions=TRANSACTIONS, rate=RATE)
    busy = busy_us(launcher) - before
    cycles = [us for name, us, _ in log if name == "cycle"]
    updates = [us for name, us, _ in log if name == "update"]
    return {"what": what, "count": count, "round": number,
            "cycle_us": statistics.median(cycles), "cycle_p99_us": round(statistics.quantiles(cycles, n=100)[-1]),
            "update_us": statistics.median(updates), "launcher_us": round(busy / len(cycles))}


def series(what, steps, reach):
    rows = []
    for step in steps:
        if rows and server.left() < 0:
            break
        reach(step)
        rows += [measure(what, step, number) for number in range(ROUNDS)]
        server.progress(f"{step} {what}")
    return rows


def main(folder, steps):
    steps = [int(step) for step in steps.split(",")]
    server.configure(pool_size=1, pool_max=steps[-1] + 64)
    server.build_template()
    server.sql("CREATE SCHEMA bench;"
               "CREATE TABLE bench.counter (id integer PRIMARY KEY, n integer) WITH (fillfactor = 50);"
               "INSERT INTO bench.counter VALUES (1, 0)")
    results.describe(folder, "scale")
    rows = series("templates", steps, build_until)
    rows += series("leases", steps, Holder().acquire_until)
    results.write(folder, "scale", rows)


main(*sys.argv[1:])
