"""Wake-up: how soon an acquire that waits returns once its clone is ready.

The pool is kept empty, so that every acquire waits for a clone of its own. Four moments are compared:
the client asks (end of the transaction minus its latency, from pgbench's log), the launcher gives the
job to a worker (created_at), the clone is ready (ready_at), the client has the answer (pgbench's log).
"""

import sys

import results
import server

WAITS = 50


def main(folder):
    server.configure(pool_size=0, pool_max=2 * WAITS)
    server.build_template()
    results.describe(folder, "wake")
    server.until(server.settled)
    log = server.pgbench("acquire", transactions=WAITS)
    leases = server.sql(
        "SELECT (1e6 * extract(epoch FROM created_at))::bigint,"
        "       (1e6 * extract(epoch FROM ready_at))::bigint,"
        "       (1e6 * extract(epoch FROM leased_at))::bigint "
        "  FROM testpool.database WHERE state = 'leased' ORDER BY leased_at")
    if len(leases) != WAITS:
        raise RuntimeError(f"{len(leases)} leases, not {WAITS}: lease_grace is too short")
    rows = []
    for (_, latency, end), lease in zip(sorted(log, key=lambda line: line[2]), leases):
        created, ready, leased = map(int, lease)
        rows.append({"asked_to_begun_us": created - (end - latency),
                     "begun_to_ready_us": ready - created,
                     "ready_to_leased_us": leased - ready,
                     "ready_to_answer_us": end - ready})
    results.write(folder, "wake", rows)


main(sys.argv[1])
