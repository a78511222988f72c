"""What every part needs: SQL through psql, runs of pgbench, a look at the time."""

import os
import subprocess
import sys
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


def preparing():
    """From now on nothing is brought to the disk: what is prepared is not measured."""
    set_fsync("off")


def measuring():
    """From now on fsync is as BENCH_FSYNC says; what was prepared is on the disk. Returns it."""
    wanted = os.environ.get("BENCH_FSYNC", "off")
    sql("CHECKPOINT")
    os.sync()
    set_fsync(wanted)
    return wanted


def set_fsync(wanted):
    sql(f"ALTER SYSTEM SET fsync = {wanted}")
    sql("SELECT pg_reload_conf()")
    until(lambda: value("SHOW fsync") == wanted)


def until(condition, seconds=300):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the server did not settle")
        time.sleep(0.02)


def left():
    """Seconds that this part still has; bench/run says when its time is over."""
    return float(os.environ.get("BENCH_UNTIL", "inf")) - time.time()


def rounds(most):
    """Counts rounds: at least one, and further ones while there is time for one as long as the longest."""
    longest = 0
    for number in range(most):
        if number > 0 and left() < longest:
            return
        began = time.monotonic()
        yield number
        longest = max(longest, time.monotonic() - began)


def progress(what):
    """Tells how far a part has come."""
    spare = f", {left():.0f} s left" if "BENCH_UNTIL" in os.environ else ""
    print(f"{time.strftime('%H:%M:%S')} {what}{spare}", file=sys.stderr, flush=True)


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
    """Process ids of the launcher and the workers, with their names."""
    return [(int(pid), name) for pid, name in sql(
        "SELECT pid, backend_type FROM pg_stat_activity "
        "WHERE backend_type IN ('testpool launcher', 'testpool worker') ORDER BY 2, 1")]


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
