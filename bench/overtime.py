"""Over time: every test of a long run, so that what is rare is seen, too.

Two clients run one test after the other: so many with testpool, as many as fit into some seconds with the
others. A test's hand-out (until it has the name of a database that is ready), first answer (until the first
query in it is answered) and its whole are kept as percentiles in handout.csv, and the whole as the median
and the slowest of each fifth of a second in overtime.csv.
"""

import statistics
import sys

import client
import contestants
import results
import server
import templates

TEMPLATE = templates.SMALL
CLIENTS = 2
READY = 8  # databases in the pool
SLOT = 200_000  # µs
LEFT_OUT = {contestants.ROLLBACK, "DELETE from the dirty table", "TRUNCATE of all tables"}
FIGURES = {"hand-out": ["take_us"], "first answer": ["take_us", "connect_us"], "whole test": client.STEPS}


def handouts(tests, about):
    for figure, steps in FIGURES.items():
        took = [sum(test[step] for step in steps) for test in tests]
        yield {**about, "figure": figure, "tests": len(tests), **client.percentiles(took)}


def slots(tests, about):
    found = {}
    for test in tests:
        found.setdefault(test["began_us"] // SLOT, []).append(sum(test[step] for step in client.STEPS))
    for slot, took in sorted(found.items()):
        yield {**about, "seconds": slot * SLOT / 1e6, "tests": len(took),
               "median_us": round(statistics.median(took)), "slowest_us": max(took)}


def main(folder, count, seconds, service=None):
    field = contestants.furnish(TEMPLATE, CLIENTS, READY, service)
    field = [contestant for contestant in field if contestant.name not in LEFT_OUT]
    fsync = server.measuring()
    results.describe(folder, "overtime")
    share = max(1, server.left()) / (len(field) + 1)  # testpool's rewind has two of these
    handed, over = [], []
    for contestant in field:
        contestants.fill_pool(contestant, READY)
        steps = contestant.of(TEMPLATE.tests["20 rows"]) | {"first": [f"SELECT count(*) FROM {TEMPLATE.leaf}"]}
        limit = {"tests": count, "seconds": 2 * share} if contestant.name == contestants.REWIND \
            else {"seconds": min(seconds, share)}
        tests, _ = client.run(steps, CLIENTS, **limit)
        about = {"fsync": fsync, "contestant": contestant.name}
        handed += handouts(tests, about)
        over += slots(tests, about)
        server.progress(f"fsync {fsync}, {contestant.name}: {len(tests)} tests")
    results.replace(folder, "handout", handed, fsync=fsync)
    results.replace(folder, "overtime", over, fsync=fsync)


main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), *sys.argv[4:])
