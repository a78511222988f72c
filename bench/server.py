"""What every part needs: SQL through psql, runs of pgbench, CSV files, facts about the machine."""

import csv
import json
import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
HASH = "bench"


def sql(statement, database="postgres"):
    """Runs SQL, in the home database unless told otherwise; returns the rows as lists of text."""
    done = subprocess.run(
        ["psql", "-XqAt", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement],
        check=True, capture_output=True, text=True)
    return [line.split("\t") for line in done.stdout.splitlines() if line]


def value(statement):
    return sql(statement)[0][0]


def configure(**settings):
    """Sets testpool.* for the whole server and waits until it is in force."""
    for name, setting in settings.items():
        sql(f"ALTER SYSTEM SET testpool.{name} = '{setting}'")
    sql("SELECT pg_reload_conf()")
    for name, setting in settings.items():
        until(lambda: value(f"SELECT setting FROM pg_settings WHERE name = 'testpool.{name}'")
              == str(setting))


def until(condition, seconds=300):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the server did not settle")
        time.sleep(0.02)


def settled():
    """No clone is being made or dropped."""
    return value("SELECT count(*) FROM testpool.database "
                 "WHERE state NOT IN ('ready', 'leased', 'kept')") == "0"


def build_template(content=None):
    """A template with the contents of template1 and what the SQL adds, owned by a plain role as in
    real use."""
    sql("CREATE EXTENSION testpool; CREATE ROLE builder;"
        "GRANT USAGE ON SCHEMA testpool TO builder;"
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO builder")
    database = value(f"SET ROLE builder; SELECT testpool.init_template('{HASH}')")
    if content is not None:
        sql(content, database)
    sql(f"SET ROLE builder; SELECT testpool.finalize('{HASH}')")


def pgbench(*scripts, transactions, clients=1, protocol="simple", rate=None):
    """Runs the scripts, mixed at random, at most `rate` a second, and returns a list of (script, µs,
    end as epoch µs)."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["pgbench", "-n", "-M", protocol, "-c", str(clients), "-j", "1",
                   "-t", str(transactions), "-l", f"--log-prefix={folder}/log"]
        if rate:
            command += ["--rate", str(rate)]
        for script in scripts:
            command += ["-f", str(HERE / "sql" / f"{script}.sql")]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"pgbench ended with {done.returncode}: {done.stderr}")
        lines = [line.split() for log in Path(folder).glob("log*")
                 for line in log.read_text().splitlines()]
    # With a rate, a sixth field tells how late the transaction began; that is not its latency.
    return [(scripts[int(f[3])], int(f[2]) - int((f + ["0"])[6]),
             int(f[4]) * 1_000_000 + int(f[5])) for f in lines]


def processes():
    """Process ids of the steward and the workers, with their names."""
    return [(int(pid), name) for pid, name in sql(
        "SELECT pid, backend_type FROM pg_stat_activity "
        "WHERE backend_type IN ('testpool steward', 'testpool worker') ORDER BY 2, 1")]


def memory_of(pid):
    """A process's own memory, what of shared memory it has touched, and both (RSS), in kB.

    The kernel calls a page of shared memory private while only one process has touched it, so the
    two are told apart by the mapping and not by the page."""
    found = {"own_kb": 0, "shared_kb": 0, "rss_kb": 0}
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        first, second, *_ = line.split()
        if not first.endswith(":"):
            shared_memory = second.endswith("s")
        elif first == "Rss:":
            found["rss_kb"] += int(second)
            found["shared_kb"] += int(second) if shared_memory else 0
        elif first in ("Private_Clean:", "Private_Dirty:") and not shared_memory:
            found["own_kb"] += int(second)
    return found


def write(results, name, rows):
    """Writes rows, which are dicts with the same keys, as results/name.csv and name.json."""
    write_csv(Path(results) / f"{name}.csv", rows)
    (Path(results) / f"{name}.json").write_text(
        "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")


def write_csv(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read(results, name):
    path = Path(results) / f"{name}.csv"
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def write_machine(results):
    """What the figures were measured on."""
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo")
                if line.startswith("model name")), platform.machine())
    kilobytes = next(int(line.split()[1]) for line in open("/proc/meminfo")
                     if line.startswith("MemTotal"))
    filesystem = subprocess.run(["findmnt", "-no", "FSTYPE", "-T", os.environ["SERVER_FOLDER"]],
                                capture_output=True, text=True).stdout.strip()
    facts = {
        "Processor": f"{cpu}, {os.cpu_count()} cores",
        "Memory": f"{kilobytes / 1024 ** 2:.0f} GB",
        "Kernel": f"{platform.system()} {platform.release().split('-')[0]}, {filesystem}",
        "PostgreSQL": value("SHOW server_version"),
        "testpool": value("SELECT testpool.version()"),
        "shared_buffers": value("SHOW shared_buffers"),
        "testpool.workers": value("SHOW testpool.workers"),
        "Priority": f"nice {os.nice(0)}, servers and clients alike",
        "Load average": f"{os.getloadavg()[0]:.1f} when it began",
        "Beside it": os.environ.get("BENCH_NOTE", ""),
        "Date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    write(results, "machine", [{"what": k, "value": v} for k, v in facts.items() if v])
