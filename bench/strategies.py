"""Strategies: how long a copy of a template takes, by each way in which this server can make one.

The ways take turns. Before each a table of another database is updated, so that the checkpoints of
FILE_COPY find something to do, and what waits to be written to the disk is written. Beside it stands
what testpool.clone_strategy = auto does, and what that is chosen by. Adds its rows to those of other
servers in strategies.csv.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import results
import server
import templates

MANY_FILES = templates.Template("1000 tables", 1000, 1)
ALL = [template for template in (*templates.ALL[:3], MANY_FILES, templates.LARGE)
       if template.rows or any(map(Path.exists, templates.ZABBIX))]
LOAD = "CREATE TABLE load AS SELECT i, repeat('x', 100) AS note FROM generate_series(1, 200000) i"


def ways():
    """Name, STRATEGY, and what has to be set before."""
    yield "WAL_LOG", "wal_log", "SELECT 1"
    if server.value("SELECT count(*) FROM pg_settings WHERE name = 'file_copy_method'") == "0":
        yield "FILE_COPY", "file_copy", "SELECT 1"
    else:
        yield "FILE_COPY", "file_copy", "SET file_copy_method = copy"
        yield "FILE_COPY, clone", "file_copy", "SET file_copy_method = clone"


def milliseconds(before, statement):
    """How long the statement took, in a session that ran the other one before."""
    done = subprocess.run(
        ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", before, "-c", r"\timing on", "-c", statement],
        check=True, capture_output=True, text=True)
    return float(re.search(r"^Time: ([0-9.]+) ms", done.stdout, re.M)[1])


def file_system():
    """As testpool names it."""
    server.sql("SELECT testpool.init_template('empty'), testpool.finalize('empty')")
    reason = server.value("SELECT strategy_reason FROM testpool.templates WHERE hash = 'empty'")
    return re.search(r" on ([^,]*),", reason)[1]


def measure(template, rounds, facts):
    database = template.build()
    size, files, choice, reason = server.sql(
        "SELECT bytes, files, clone_strategy, strategy_reason FROM testpool.templates "
        f"WHERE hash = '{template.name}'")[0]
    for number in range(rounds):
        for way, strategy, before in ways():
            server.sql(f"UPDATE load SET note = note || '' WHERE i % 20 = {number % 20}")
            os.sync()
            took = milliseconds(before, f"CREATE DATABASE copy TEMPLATE {database} STRATEGY {strategy}")
            server.sql("DROP DATABASE copy")
            yield {**facts, "template": template.name, "bytes": size, "files": files, "way": way,
                   "round": number + 1, "create_ms": took, "auto": choice, "reason": reason}
    server.sql(f"SELECT testpool.discard('{template.name}')")


def main(folder, rounds, names=""):
    """Of all templates, or only of those named, with commas between."""
    server.configure(pool_size=0)
    server.sql("CREATE EXTENSION testpool")
    server.sql(LOAD)
    results.describe(folder, "strategies")
    facts = {"postgresql": server.value("SHOW server_version").split()[0],
             "fsync": server.value("SHOW fsync"), "file_system": file_system()}
    for template in ALL:
        if server.left() < 0 or names and template.name not in names.split(","):
            continue
        rows = list(measure(template, int(rounds), facts))
        results.replace(folder, "strategies", rows, **facts, template=template.name)
        server.progress(f"{', '.join(facts.values())}, {template.name}")


main(*sys.argv[1:])
