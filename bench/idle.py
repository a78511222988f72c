"""Idle: what the launcher and the workers use while nobody asks for anything.

The pool is full and no client is connected. CPU time and context switches are read from /proc before
and after; memory is read at the end.
"""

import os
import sys
import time
from pathlib import Path

import results
import server

SECONDS = 10


def cpu_ms(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def switches(pid):
    return sum(int(line.split()[1]) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
               if "ctxt_switches" in line)


def main(folder):
    server.build_template()
    server.configure(pool_size=4)
    server.value(f"SELECT testpool.prewarm('{server.HASH}', 4)")
    server.pgbench("cycle", transactions=50)  # so that every process has done some work
    results.describe(folder, "idle")
    server.until(server.settled)
    before = {pid: (cpu_ms(pid), switches(pid)) for pid, _ in server.processes()}
    time.sleep(SECONDS)
    rows = [{"process": name, "seconds": SECONDS, "cpu_ms": cpu_ms(pid) - before[pid][0],
             "context_switches": switches(pid) - before[pid][1], **server.memory_of(pid)}
            for pid, name in server.processes()]
    results.write(folder, "idle", rows)


main(sys.argv[1])
