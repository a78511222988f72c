"""The files of results: a CSV and a JSON file for each part, and what they were measured on."""

import csv
import json
import os
import platform
import subprocess
import time
from pathlib import Path

import server
import service


def write(folder, name, rows):
    """Writes rows, which are dicts with the same keys, as folder/name.csv and name.json."""
    write_csv(Path(folder) / f"{name}.csv", rows)
    (Path(folder) / f"{name}.json").write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")


def write_csv(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read(folder, name):
    path = Path(folder) / f"{name}.csv"
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def replace(folder, name, rows, **which):
    """Writes rows in the place of those that have these values in these columns; the others stay,
    unless they are of an older form, with other columns."""
    if rows:
        stay = [row for row in read(folder, name) if list(row) == list(rows[0])
                and any(row[key] != str(value) for key, value in which.items())]
        write(folder, name, stay + rows)


def describe(folder, part):
    """Notes what a part is measured on: the machine in machine.csv, this run in runs.csv."""
    facts = {row["what"]: row["value"] for row in read(folder, "machine")} | machine()
    if rival := service.version():
        facts["IntegreSQL"] = rival
    write(folder, "machine", [{"what": what, "value": value} for what, value in facts.items() if value])
    run = {"part": part, "fsync": server.value("SHOW fsync"), "PostgreSQL": server.value("SHOW server_version").split()[0],
           "file system": file_system(), "how": os.environ.get("BENCH_HOW", "quick"),
           "load": f"{os.getloadavg()[0]:.1f}", "date": time.strftime("%Y-%m-%d", time.gmtime()),
           "source": source()}
    replace(folder, "runs", [run], part=part, fsync=run["fsync"])


def machine():
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo")
                if line.startswith("model name")), platform.machine())
    kilobytes = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    return {
        "Processor": f"{cpu}, {os.cpu_count()} cores",
        "Memory": f"{kilobytes / 1024 ** 2:.0f} GB",
        "Kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "testpool": server.value("SELECT testpool.version()"),
        "Settings": "as initdb makes them, and: " + ", ".join(
            f"{name} = {server.value(f'SHOW {name}')}" for name in
            ("shared_buffers", "max_wal_size", "wal_level", "full_page_writes", "synchronous_commit",
             "autovacuum", "testpool.workers")),
        "Priority": f"nice {os.nice(0)}, servers and clients alike",
        "Beside it": os.environ.get("BENCH_NOTE", ""),
    }


def file_system():
    return subprocess.run(["findmnt", "-no", "FSTYPE", "-T", os.environ["SERVER_FOLDER"]],
                          capture_output=True, text=True).stdout.strip()


def source():
    """Tells the library's source apart, whatever commit it came with: git's name of the folder src."""
    found = subprocess.run(["git", "-C", server.HERE, "rev-parse", "--short", "HEAD:src"],
                           capture_output=True, text=True).stdout.strip()
    return os.environ.get("BENCH_SOURCE") or found
