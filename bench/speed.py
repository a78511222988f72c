"""Speed: acquire + release from a warm pool, against a one-row UPDATE on the same connection.

pgbench mixes both scripts at random through one connection, so that both meet the same machine. A
cycle is two statements, the UPDATE one. Two loads: "paced", as of a suite that does something
with each database, so that what was released is clean again before the next cycle; and "without a
pause", where the workers that make it clean compete for the processors.
"""

import statistics
import sys

import results
import server

ROUNDS = 8
READY = 8
RATES = {"paced": 100, "without a pause": None}
TRANSACTIONS = 300  # about half of them cycles
PROTOCOLS = {"on": ["simple"], "off": ["simple", "prepared"]}  # by fsync
CYCLE = {"simple": "cycle", "prepared": "cycle_prepared"}


def microseconds(log, script):
    return [us for name, us, _ in log if name == script]


def measure(number, fsync, protocol, load):
    server.value(f"SELECT testpool.prewarm('{server.HASH}', {READY})")
    server.until(server.settled)
    log = server.pgbench(CYCLE[protocol], "update", transactions=TRANSACTIONS, protocol=protocol,
                         rate=RATES[load])
    cycles, updates = microseconds(log, CYCLE[protocol]), microseconds(log, "update")
    return {"fsync": fsync, "protocol": protocol, "load": load, "round": number,
            "cycles": len(cycles), "updates": len(updates),
            "cycle_us": statistics.median(cycles),
            "cycle_p90_us": round(statistics.quantiles(cycles, n=10)[-1]),
            "update_us": statistics.median(updates),
            "update_p90_us": round(statistics.quantiles(updates, n=10)[-1])}


def main(folder):
    server.configure(pool_size=READY)
    server.build_template()
    server.sql("CREATE SCHEMA bench;"
               "CREATE TABLE bench.counter (id integer PRIMARY KEY, n integer) WITH (fillfactor = 50);"
               "INSERT INTO bench.counter VALUES (1, 0)")
    fsync = server.measuring()
    results.describe(folder, "speed")
    rows = []
    for number in server.rounds(ROUNDS):
        rows += [measure(number, fsync, protocol, load) for protocol in PROTOCOLS[fsync] for load in RATES]
        server.progress(f"fsync {fsync}, round {number + 1}")
    results.replace(folder, "speed", rows, fsync=fsync)


main(sys.argv[1])
