"""Stalls: what acquires of a small template notice of a large one's clones being made and dropped.

One client runs tests all the time: acquire, connect, a query, disconnect, release. In turns it is alone,
and beside a session that has 1.6 GB clones made and dropped without a pause, each as the database of a
build that it gives up as soon as it is there. Compared is how long acquire takes.
"""

import subprocess
import sys
import threading

import client
import results
import server
import templates

SMALL, LARGE = templates.SMALL, templates.LARGE
READY = 8
STEPS = {"take": [f"SELECT testpool.acquire('{SMALL.name}')"],
         "first": [f"SELECT count(*) FROM {SMALL.leaf}"],
         "give": ["SELECT testpool.release(':db')"]}
CHURN = f"SELECT testpool.init_template('churn', '{LARGE.name}'); SELECT testpool.discard('churn');"


class Churn:
    """Clones of the large template are made and dropped while it is open."""

    def __enter__(self):
        self.over, self.clones = False, 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def run(self):
        with subprocess.Popen(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as session:
            while not self.over:
                session.stdin.write(CHURN + r"\echo done" + "\n")
                session.stdin.flush()
                while session.stdout.readline().strip() != "done":
                    pass
                self.clones += 1
            session.stdin.close()

    def __exit__(self, *_):
        self.over = True
        self.thread.join()


def dropped():
    return server.value("SELECT count(*) FROM testpool.template WHERE state = 'discarded' AND oid IS NOT NULL") == "0"


def window(seconds, number, beside):
    server.value(f"SELECT testpool.prewarm('{SMALL.name}', {READY})")
    if beside == "alone":
        server.until(dropped)
        tests, _ = client.run(STEPS, seconds=seconds)
    else:
        with Churn() as churn:
            tests, _ = client.run(STEPS, seconds=seconds)
        server.progress(f"round {number}: {churn.clones} clones of {LARGE.name} beside {len(tests)} tests")
    return [test["take_us"] for test in tests]


def main(folder, rounds, seconds):
    server.configure(pool_size=0)  # of the small template as many are ready as are asked for
    server.sql("CREATE EXTENSION testpool")
    for template in (SMALL, LARGE):
        template.build()
    results.describe(folder, "stalls")
    took = {"alone": [], "churn": []}
    for number in server.rounds(int(rounds) + 1):
        for beside, times in took.items():
            found = window(float(seconds), number, beside)
            times += found if number else []  # the first round is the warm-up
    results.replace(folder, "stalls", [
        {"beside": beside, "rounds": number, "acquires": len(times), **client.percentiles(times)}
        for beside, times in took.items() if times])


main(*sys.argv[1:])
