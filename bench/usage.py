"""What the server has used so far: CPU time, bytes written, write-ahead log.

The kernel adds a process's time and bytes to its parent's when it ends, so the postmaster's own and
its children's are all there is; beside them a service that was started here.
"""

import os
from pathlib import Path

import server
import service

TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


def postmaster():
    return int((Path(os.environ["SERVER_FOLDER"]) / "data/postmaster.pid").read_text().split()[0])


def children(pid):
    return map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def cpu_ms(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) * TICK_MS  # its own and its ended children's, user and system


def written(pid):
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


def now():
    parent = postmaster()
    found = {"cpu_ms": cpu_ms(parent), "written_bytes": written(parent),
             "wal_bytes": int(server.value("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))}
    for pid in [*children(parent), *service.processes]:
        try:
            found["cpu_ms"] += cpu_ms(pid)
            found["written_bytes"] += written(pid)
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has ended since
    return found
