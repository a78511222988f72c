"""Live: tests per second on a connection that stays open, against the same tests on one shared database.

Whoever has a connection pool pays for no connection. The contestants that reconnect are beside those that
do not. Fsync, templates and the numbers of clients are as in the part tax.
"""

import dataclasses
import sys

import client
import contestants
import results
import server
import templates

TESTS = ("nothing", "20 rows", "DDL")
INSIDE = "testpool, SET testpool.rewind = now"
HOME = "testpool, SELECT testpool.rewind(...)"
STAYING = (contestants.SHARED, contestants.ROLLBACK, "DELETE from the dirty table", "TRUNCATE of all tables")


def stays(contestant):
    return dataclasses.replace(contestant, steps=contestant.steps | {"stay": ["yes"]})


def field_of(template, clients, ready):
    field = contestants.furnish(template, clients, ready, recreate=False)
    lease = next(each for each in field if each.name == contestants.REWIND)
    live = {"take": lease.steps["take"], "give": lease.steps["give"], "finish": lease.steps["finish"]}
    return [*(stays(each) for each in field if each.name in STAYING), lease,
            contestants.Contestant(INSIDE, live | {"stay": ["yes"]}, lease.pool,
                                   clean=lambda test: ["SET testpool.rewind = now"]),
            contestants.Contestant(HOME, live | {"stay": ["yes"], "home": ["SELECT testpool.rewind(':db')"]}, lease.pool)]


def main(folder, name, clients, rounds, seconds):
    template = next(template for template in templates.ALL if template.name == name)
    clients = int(clients)
    ready = clients + 1
    field = field_of(template, clients, ready)
    fsync = server.measuring()
    results.describe(folder, "live")
    rows = []
    for number in server.rounds(int(rounds)):
        for test in TESTS:
            for contestant in field:
                if steps := contestant.of(template.tests[test]):
                    contestants.fill_pool(contestant, ready)
                    tests, took = client.run(steps, clients=clients, seconds=float(seconds))
                    cleaned = sorted(each["clean_us"] + each["give_us"] for each in tests)
                    rows.append({"fsync": fsync, "template": name, "test": test, "clients": clients,
                                 "contestant": contestant.name, "round": number, "tests": len(tests),
                                 "took_us": took, "tests_per_second": round(len(tests) * 1e6 / took, 1),
                                 "clean_p50_us": cleaned[len(cleaned) // 2]})
            server.progress(f"fsync {fsync}, {name}, round {number + 1}: {test}, connections that stay")
            results.replace(folder, "live", rows, fsync=fsync, template=name)


main(*sys.argv[1:])
