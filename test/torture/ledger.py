"""What the clients did and saw, written down as it happens: one file for each process, one line an
event, so that nothing is lost when the process is killed. The clock is the machine's, the same for
all processes. It is read when all of them are gone."""

import glob
import json
import os
import time

now = time.monotonic


class Ledger:
    def __init__(self, folder, name):
        path = os.path.join(folder, f"{name}.{os.getpid()}.ledger")
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, event, **facts):
        line = json.dumps({"at": now(), "event": event, **facts}) + "\n"
        os.write(self.file, line.encode())  # one call: threads share the file

    def count(self, what, by=1):
        self.write("count", what=what, by=by)

    def wrong(self, promise, what):
        """A promise was broken: one of judge.PROMISES."""
        self.write("wrong", promise=promise, what=what)


def read(folder):
    """All events, in the order in which they happened."""
    events = []
    for path in glob.glob(os.path.join(folder, "*.ledger")):
        with open(path, encoding="utf-8") as file:
            events += [json.loads(line) for line in file]
    return sorted(events, key=lambda event: event["at"])
