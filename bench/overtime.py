"""Over time: every test of a long run, so that what is rare is seen, too.

Two clients run one test after the other, as in the part tax: so many with testpool, as many as fit into
some seconds with the others. Each test's hand-out (until there is a database) and first answer (until a
query in it is answered) are kept, and when they were.
"""

import sys

import client
import contestants
import server
import templates

TEMPLATE = templates.SMALL
CLIENTS = 2
READY = 8  # databases in the pool
REWIND = "testpool, rewind"
SHOWN = ["one shared database (not isolated)", REWIND, "CREATE + DROP, WAL_LOG",
         "CREATE + DROP, FILE_COPY"]


def main(results, count, seconds):
    rows = []
    for contestant in contestants.furnish(TEMPLATE, CLIENTS, READY):
        if contestant.name not in SHOWN:
            continue
        contestants.fill_pool(contestant, TEMPLATE, READY)
        limit = {"tests": count} if contestant.name == REWIND else {"seconds": seconds}
        tests, _ = client.run(contestant.of(TEMPLATE.tests["20 rows"]), CLIENTS, **limit)
        rows += [{"contestant": contestant.name, "began_us": test["began_us"], "handout_us": test["take_us"],
                  "first_answer_us": test["take_us"] + test["connect_us"],
                  "test_us": sum(test[name] for name in client.STEPS)} for test in tests]
        print(f"{contestant.name}: {len(tests)} tests", file=sys.stderr)
    server.write_machine(results)
    server.write(results, "overtime", rows)


main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
