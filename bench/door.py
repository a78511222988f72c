"""The door: instructions of a server process that serves one connection to an ordinary database, with
testpool.connect on and off. The server runs under callgrind, because times differ by more than this."""

import os
import sys
from pathlib import Path

import results
import server

CONNECTIONS = 8


def instructions():
    """Those of the process of one connection, from its start to its end."""
    pid = server.value("SELECT pg_backend_pid()")
    count = Path(os.environ["CALLGRIND_FOLDER"]) / pid
    server.until(lambda: count.exists() and "\ntotals: " in count.read_text())
    return int(count.read_text().split("\ntotals: ")[1].split()[0])


def main(folder):
    server.sql("CREATE EXTENSION testpool")
    rows = []
    for number in server.rounds(CONNECTIONS):
        for connect in ("on", "off") if number % 2 == 0 else ("off", "on"):
            server.configure(connect=connect)
            rows.append({"connect": connect, "instructions": instructions()})
    results.describe(folder, "door")
    results.write(folder, "door", rows)


main(sys.argv[1])
