"""Stalls: what acquires of a small template notice of a large one's clones being made and dropped.

One client acquires, releases, asks for `SELECT 1` and updates one row, at random and at a stated rate, as a
suite does that also has something else to do. In turns it is alone, and beside a session that has 1.6 GB
clones made and dropped without a pause, each as the database of a build that it gives up as soon as it is
there. Compared is how long acquire takes; on the same connection `SELECT 1`, which needs nobody but its own
server process, and the update, which also writes, tell what of that is the machine's doing. How long
the steward waited for a processor is counted by the kernel.
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
RATE = 200  # a second; a quarter of them acquires
SCRIPTS = {"take": "acquire", "give": "release", "nothing": "SELECT 1", "update": "UPDATE of one row"}
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


def steward_waited_us():
    """How long the steward could have run and had no processor, since it began."""
    pid = next(pid for pid, name in server.processes() if name == "testpool steward")
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1000


def window(seconds, beside):
    """What each script took; clones made meanwhile; how long the steward waited for a processor."""
    server.value(f"SELECT testpool.prewarm('{SMALL.name}', {READY})")
    with (Churn if beside == "churn" else Alone)() as churn:
        waited = steward_waited_us()
        log = server.pgbench(*SCRIPTS, transactions=int(RATE * seconds), rate=RATE)
        waited = steward_waited_us() - waited
    return log, churn.clones, waited


def main(folder, rounds, seconds):
    server.configure(pool_size=0)  # of the small template as many are ready as are asked for
    server.sql("CREATE EXTENSION testpool")
    for template in (SMALL, LARGE):
        template.build()
    server.configure(template=SMALL.name)
    server.make_counter()
    results.describe(folder, "stalls")
    took = {(beside, script): [] for beside in ("alone", "churn") for script in SCRIPTS}
    clones, waited = 0, {"alone": 0, "churn": 0}
    for number in server.rounds(int(rounds) + 1):
        for beside in waited:
            log, made, us = window(float(seconds), beside)
            if number == 0:
                continue  # the warm-up
            clones, waited[beside] = clones + made, waited[beside] + us
            for script, microseconds, _ in log:
                took[beside, script].append(microseconds)
        server.progress(f"round {number}: {clones} clones of {LARGE.name}")
    results.replace(folder, "stalls", [
        {"beside": beside, "what": what, "rounds": number, "rate": RATE // len(SCRIPTS),
         "clones": clones if beside == "churn" else 0, "number": len(took[beside, script]),
         **client.percentiles(took[beside, script]),
         "steward_waited_us": round(waited[beside] / max(1, len(took[beside, "take"])))}
        for beside in waited for script, what in SCRIPTS.items() if number])


main(*sys.argv[1:])
