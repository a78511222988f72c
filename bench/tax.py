"""Tax: tests per second with a fresh database each, against the same tests on one shared database.

A test is: connect, do something, disconnect. The contestants take turns: with 1 to 32 clients and a test of
20 rows, with two clients and every other test, and, for larger templates, with one client. What a
contestant does in the background belongs to it: its run ends when every database is clean again. WAL, CPU
time and bytes written by the server, and by a service that was started, are counted over the same time.
"""

import sys

import client
import contestants
import results
import server
import templates
import usage

SPARE = 2  # databases in a pool beyond one for each client: one for each worker
PLAIN = "20 rows"


def cells(template, counts):
    """What is measured, if time is short what matters most first: tests and numbers of clients."""
    if template is not templates.SMALL:
        return [(PLAIN, 1)]
    return [(PLAIN, 2), *((test, 2) for test in template.tests if test != PLAIN),
            *((PLAIN, clients) for clients in counts if clients != 2)]


def measure(contestant, steps, clients, seconds):
    before = usage.now()
    tests, took = client.run(steps, clients=clients, seconds=seconds)
    used = {name: value - before[name] for name, value in usage.now().items()}
    return {"tests": len(tests), "took_us": took, "tests_per_second": round(len(tests) * 1e6 / took, 1)} | {
        f"{name}_per_test": round(value / len(tests), 3) if contestant.counted else ""
        for name, value in used.items()}


def main(folder, name, counts, rounds, seconds, service=None):
    """With a template of this name, and these numbers of clients for the smallest one."""
    template = next(template for template in templates.ALL if template.name == name)
    todo = cells(template, list(map(int, counts.split(","))))
    ready = max(clients for _, clients in todo) + SPARE
    field = contestants.furnish(template, ready - SPARE, ready, service)
    fsync = server.measuring()
    results.describe(folder, "tax")
    rows = []
    for number in server.rounds(rounds):
        for test, clients in todo:
            if rows and server.left() < 0:
                break
            for contestant in field:
                if steps := contestant.of(template.tests[test]):
                    contestants.fill_pool(contestant, ready)
                    rows.append({"fsync": fsync, "template": name, "test": test, "clients": clients,
                                 "contestant": contestant.name, "round": number,
                                 **measure(contestant, steps, clients, seconds)})
            server.progress(f"fsync {fsync}, {name}, round {number + 1}: {test}, {clients} clients")
            results.replace(folder, "tax", rows, fsync=fsync, template=name)


main(*sys.argv[1:4], int(sys.argv[4]), float(sys.argv[5]), *sys.argv[6:])
