"""Speed: acquire + release from a warm pool, against a one-row UPDATE on the same connection.

Each round fills the pool, and then runs both scripts mixed at random through one connection, fewer
cycles than there are ready clones, so that none waits. Filling is not timed. Dropping what
was released is not timed either, but it goes on meanwhile in the workers, as it does in real use: both
scripts share the processors with it. Then the UPDATE runs alone. Latencies are pgbench's, one a
transaction; a cycle is two statements.
"""

import statistics
import sys

import server

ROUNDS = 8
READY = 40
TRANSACTIONS = 48  # about half of them cycles
PROTOCOLS = {"on": ["simple"], "off": ["simple", "prepared"]}  # by fsync
CYCLE = {"simple": "cycle", "prepared": "cycle_prepared"}


def microseconds(log, script):
    return [us for name, us, _ in log if name == script]


def measure(number, fsync, protocol):
    server.until(server.settled)
    server.value(f"SELECT testpool.prewarm('{server.HASH}', {READY})")
    server.until(server.settled)
    mixed = server.pgbench(CYCLE[protocol], "update", transactions=TRANSACTIONS, protocol=protocol)
    alone = server.pgbench("update", transactions=1000, protocol=protocol)
    cycles, updates = microseconds(mixed, CYCLE[protocol])[:READY], microseconds(mixed, "update")
    return {"fsync": fsync, "protocol": protocol, "round": number,
            "cycles": len(cycles), "updates": len(updates),
            "cycle_us": statistics.median(cycles),
            "cycle_p90_us": round(statistics.quantiles(cycles, n=10)[-1]),
            "update_us": statistics.median(updates),
            "update_alone_us": statistics.median(microseconds(alone, "update"))}


def main(results):
    fsync = server.value("SHOW fsync")
    server.configure(pool_size=0, pool_max=4 * READY)
    server.build_template()
    server.sql("CREATE SCHEMA bench;"
               "CREATE TABLE bench.counter (id integer PRIMARY KEY, n integer) WITH (fillfactor = 50);"
               "INSERT INTO bench.counter VALUES (1, 0)")
    server.write_machine(results)
    rows = [measure(number, fsync, protocol)
            for protocol in PROTOCOLS[fsync] for number in range(ROUNDS)]
    others = [row for row in server.read(results, "speed") if row["fsync"] != fsync]
    server.write(results, "speed", others + rows)


main(sys.argv[1])
