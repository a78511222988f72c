"""Stalls: what acquires of a small template notice of a large one's clones being made and dropped.

One client runs tests all the time: acquire, connect, a query, disconnect, release. In turns it is alone,
and beside a session that has 1.6 GB clones made and dropped without a pause, each as the database of a
build that it gives up as soon as it is there. Compared is how long acquire takes.
"""

import statistics
import subprocess
import sys
import threading

import client
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
        print(f"round {number}: {churn.clones} clones of {LARGE.name} beside {len(tests)} tests", file=sys.stderr)
    return [{"round": number, "beside": beside, "began_us": test["began_us"], "acquire_us": test["take_us"],
             "first_answer_us": test["take_us"] + test["connect_us"], "release_us": test["give_us"]}
            for test in tests]


def percentile(numbers, share):
    return sorted(numbers)[min(len(numbers) - 1, int(share * len(numbers)))]


def main(results, rounds, seconds):
    server.configure(pool_size=0)  # of the small template as many are ready as are asked for
    server.sql("CREATE EXTENSION testpool")
    for template in (SMALL, LARGE):
        template.build()
    server.write_machine(results)
    rows = []
    for number in range(int(rounds) + 1):
        for beside in ("alone", "churn"):
            done = window(float(seconds), number, beside)
            rows += done if number else []  # the first round is the warm-up
    server.write(results, "stalls", rows)
    for beside in ("alone", "churn"):
        took = [row["acquire_us"] for row in rows if row["beside"] == beside]
        print(f"{beside}: {len(took)} acquires, µs: p50 {statistics.median(took)}, p90 {percentile(took, .9)}, "
              f"p99 {percentile(took, .99)}, p99.9 {percentile(took, .999)}, max {max(took)}", file=sys.stderr)


main(*sys.argv[1:])
