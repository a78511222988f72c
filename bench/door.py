"""The door: instructions of a server process that serves one connection to an ordinary database, with
testpool.connect on and off. The server runs under callgrind, because times differ by more than this."""

import os
import statistics
import sys
from pathlib import Path

import server

CONNECTIONS = 7


def instructions():
    """Those of the process of one connection, from its start to its end."""
    pid = server.value("SELECT pg_backend_pid()")
    count = Path(os.environ["CALLGRIND_FOLDER"]) / pid
    server.until(lambda: count.exists() and "\ntotals: " in count.read_text())
    return int(count.read_text().split("\ntotals: ")[1].split()[0])


def main(results):
    server.sql("CREATE EXTENSION testpool")
    rows = []
    for connect in ("on", "off"):
        server.configure(connect=connect)
        instructions()  # the first finds colder caches
        rows += [{"connect": connect, "instructions": instructions()} for _ in range(CONNECTIONS)]
    server.write_machine(results)
    server.write(results, "door", rows)


main(sys.argv[1])
