"""Stalls: what acquires of a small template notice of a large one's clones being made and dropped.

One client runs tests at a stated rate: acquire, connect, insert one row, ask for `SELECT 1`, disconnect,
release. In turns it is alone, and beside a session that has 1.6 GB clones made and dropped without a pause,
each as the database of a build that it gives up as soon as it is there. Compared is how long acquire
takes; `SELECT 1`, which needs nobody but its own server process, and the insert, which also writes, tell
what of that is the machine's doing. How long the launcher waited for a processor is counted by the kernel.
"""

import subprocess
import sys
import threading
from pathlib import Path

import client
import results
import server
import templates

SMALL, LARGE = templates.SMALL, templates.LARGE
READY = 8
RATE = 50  # tests a second
STEPS = {"take": [f"SELECT testpool.acquire('{SMALL.name}')"],
         "first": [f"SELECT count(*) FROM {SMALL.leaf}"],
         "work": [f"INSERT INTO {SMALL.leaf} VALUES (:n, 0, 'order')"],
         "clean": ["SELECT 1"],
         "give": ["SELECT testpool.release(':db')"]}
TIMED = {"take_us": "acquire", "work_us": "INSERT of one row", "clean_us": "SELECT 1"}
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


class Alone:
    clones = 0

    def __enter__(self):
        server.until(dropped)
        return self

    def __exit__(self, *_):
        pass


def dropped():
    return server.value("SELECT count(*) FROM testpool.template WHERE state = 'discarded' AND oid IS NOT NULL") == "0"


def launcher_waited_us():
    """How long the launcher could have run and had no processor, since it began."""
    pid = next(pid for pid, name in server.processes() if name == "testpool launcher")
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1000


def window(seconds, beside):
    """The tests; clones made meanwhile; how long the launcher waited for a processor."""
    server.value(f"SELECT testpool.prewarm('{SMALL.name}', {READY})")
    with (Churn if beside == "churn" else Alone)() as churn:
        waited = launcher_waited_us()
        tests, _ = client.run(STEPS, seconds=seconds, rate=RATE)
        waited = launcher_waited_us() - waited
    return tests, churn.clones, waited


def main(folder, rounds, seconds):
    server.configure(pool_size=0)  # of the small template as many are ready as are asked for
    server.sql("CREATE EXTENSION testpool")
    for template in (SMALL, LARGE):
        template.build()
    results.describe(folder, "stalls")
    tests, clones, waited = {"alone": [], "churn": []}, 0, {"alone": 0, "churn": 0}
    for number in server.rounds(int(rounds) + 1):
        for beside in tests:
            found, made, us = window(float(seconds), beside)
            if number > 0:  # the first round is the warm-up
                tests[beside] += found
                clones, waited[beside] = clones + made, waited[beside] + us
        server.progress(f"round {number}: {clones} clones of {LARGE.name}")
    results.replace(folder, "stalls", [
        {"beside": beside, "what": what, "rounds": number, "rate": RATE,
         "clones": clones if beside == "churn" else 0, "number": len(found),
         **client.percentiles([test[step] for test in found]),
         "launcher_waited_us": round(waited[beside] / len(found))}
        for beside, found in tests.items() if found for step, what in TIMED.items()])


main(*sys.argv[1:])
