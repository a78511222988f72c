"""Room: what one more database takes of the disk, by the way in which it was made.

Two figures: the sum of its files' lengths, and by how much less the file system has left afterwards, which
is less than that where copies share blocks. The log is not counted, and nobody else may write meanwhile.
"""

import os
from pathlib import Path

import results
import server


def data():
    return Path(os.environ["SERVER_FOLDER"]) / "data"


def size(name):
    return int(server.value(f"SELECT pg_database_size('{name}')"))


def taken():
    """Bytes of the file system that are in use, but for the log's."""
    server.sql("CHECKPOINT")
    os.sync()
    found = os.statvfs(data())
    log = sum(file.stat().st_blocks * 512 for file in (data() / "pg_wal").iterdir() if file.is_file())
    return (found.f_blocks - found.f_bfree) * found.f_frsize - log


def measure(folder, template, fsync, ways):
    """Has each way make a database, and writes what it took; returns what the ways returned."""
    rows, made = [], {}
    for way, make in ways.items():
        before = taken()
        made[way] = make()
        server.until(server.settled)
        database = made[way] if way == "testpool" else f"bench_{way.lower()}"
        rows.append({"fsync": fsync, "template": template.name, "contestant": way, "bytes": size(database),
                     "taken_bytes": taken() - before})
    results.replace(folder, "room", rows, fsync=fsync, template=template.name)
    return made
