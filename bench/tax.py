"""Tax: tests per second with a fresh database each, against the same tests on one shared database.

A test is: connect, insert 20 rows, update 10, delete 1, disconnect. The contestants take turns with 1 to
32 clients each. What a contestant does in the background belongs to it: its run ends when every
database is clean again. WAL, CPU time and bytes written by the server are counted over the same time.
"""

import sys

import client
import contestants
import server
import templates
import usage

CLIENTS = [1, 2, 4, 8, 16, 32]
READY = 34  # databases in testpool's pool: one for every client, and one for each worker
TEMPLATE = templates.SMALL


def measure(contestant, work, clients, seconds):
    contestants.fill_pool(contestant, TEMPLATE, READY)
    before = usage.now()
    tests, took = client.run(contestant.of(work), clients=clients, seconds=seconds)
    used = {name: value - before[name] for name, value in usage.now().items()}
    return {"tests": len(tests), "took_us": took, "tests_per_second": round(len(tests) * 1e6 / took, 1)} | {
        f"{name}_per_test": round(value / len(tests), 3) for name, value in used.items()}


def main(results, rounds, seconds, service=None):
    fsync = server.value("SHOW fsync")
    field = contestants.furnish(TEMPLATE, max(CLIENTS), READY, service)
    server.write_machine(results)
    rows = []
    for number in range(rounds):
        for clients in CLIENTS:
            for contestant in field:
                row = measure(contestant, TEMPLATE.tests["20 rows"], clients, seconds)
                rows.append({"fsync": fsync, "contestant": contestant.name, "clients": clients,
                             "round": number, **row})
            print(f"fsync {fsync}, round {number + 1} of {rounds}, {clients} clients", file=sys.stderr)
        others = [row for row in server.read(results, "tax") if row["fsync"] != fsync]
        server.write(results, "tax", others + rows)


main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), *sys.argv[4:])
