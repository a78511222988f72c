"""Connecting to a name: from asking libpq for a connection to the answer of the first query.

Three ways are interleaved: to a database that has been there all along (a clone of the same template,
made with CREATE DATABASE), to a new name for each connection, which takes a clone from a warm pool,
and to a name that is leased already. A round has fewer new names than there are ready clones, and
nothing is made or recycled meanwhile.
"""

import ctypes
import ctypes.util
import statistics
import sys
import time

import results
import server

ROUNDS = 8
READY = 40
NAMES = 36

libpq = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
for function in (libpq.PQconnectdb, libpq.PQexec):
    function.restype = ctypes.c_void_p


def first_answer(database):
    """Microseconds until a query in a new connection is answered."""
    start = time.perf_counter_ns()
    connection = ctypes.c_void_p(libpq.PQconnectdb(f"dbname='{database}'".encode()))
    result = ctypes.c_void_p(libpq.PQexec(connection, b"SELECT count(*) FROM item"))
    took = (time.perf_counter_ns() - start) / 1000
    answered = libpq.PQresultStatus(result) == 2  # PGRES_TUPLES_OK
    libpq.PQclear(result)
    libpq.PQfinish(connection)
    if not answered:
        raise RuntimeError(f"no answer from {database}")
    return took


def measure(number, fsync):
    server.value(f"SELECT testpool.prewarm('{server.HASH}', {READY})")
    server.until(server.settled)
    ways = {"existing": lambda i: "existing", "new_name": lambda i: f"shop~{number}-{i}",
            "leased_name": lambda i: f"shop~{number}-0"}
    took = {way: [] for way in ways}
    for database in ("existing", f"shop~{number}-0"):
        first_answer(database)  # what only the first of a round pays
    for i in range(1, NAMES):
        for way, database in ways.items():
            took[way].append(first_answer(database(i)))
    server.sql("SELECT testpool.release(database) FROM testpool.databases WHERE state = 'leased'")
    server.until(server.settled)
    return {"fsync": fsync, "round": number, "connections": NAMES - 1,
            **{f"{way}_us": round(statistics.median(all_took), 1)
               for way, all_took in took.items()},
            "new_name_p90_us": round(statistics.quantiles(took["new_name"], n=10)[-1], 1)}


def main(folder):
    server.configure(pool_size=0, pool_max=4 * READY, lease_grace="3600000")
    server.build_template("CREATE TABLE item AS SELECT i FROM generate_series(1, 100) i")
    server.sql(f"SELECT testpool.alias('shop', '{server.HASH}')")
    template = server.value(f"SELECT database FROM testpool.templates WHERE hash = '{server.HASH}'")
    server.sql(f"CREATE DATABASE existing TEMPLATE {template}")
    fsync = server.measuring()
    results.describe(folder, "connect")
    rows = [measure(number, fsync) for number in server.rounds(ROUNDS)]
    server.progress(f"fsync {fsync}: {len(rows)} rounds")
    results.replace(folder, "connect", rows, fsync=fsync)


main(sys.argv[1])
