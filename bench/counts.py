"""Counts: system calls of the hot paths, which do not depend on how busy the machine is.

`test/server bench/counts` compares them with those in bench/counts.csv, as a test, and fails if one
of them has grown by more than the tolerance; with --record it writes them there. Each process is looked
at with strace while it does the same thing so many times:

  acquire + release   the session that calls them, and the launcher; a release of what was not changed
  unchanged           the worker that finds out that nothing was changed
  small change        the worker that rewinds what 20 inserts, 10 updates and a delete have changed
  elsewhere           a session that is in no leased database and runs a query, between live rewinds, and alone:
                      the gates of others cost it nothing
"""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import client
import results
import server
import templates

TIMES = 30
TOLERANCE = 0.15
RECORDED = server.HERE / "counts.csv"
TEMPLATE = templates.SMALL


class Session:
    """One psql that stays connected."""

    def __init__(self):
        self.psql = subprocess.Popen(["psql", "-XqAt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = int(self.ask("SELECT pg_backend_pid()"))

    def ask(self, statement):
        self.psql.stdin.write(statement + ";\n")
        self.psql.stdin.flush()
        return self.psql.stdout.readline().strip()


def traced(pids, work):
    """System calls of each of these processes while work() runs."""
    with tempfile.TemporaryDirectory() as folder:
        traces = [subprocess.Popen(["strace", "-qq", "-c", "-U", "calls,name", "-o", f"{folder}/{pid}",
                                    "-p", str(pid)])
                  for pid in pids]
        for pid in pids:
            server.until(lambda: "TracerPid:\t0" not in Path(f"/proc/{pid}/status").read_text())
        work()
        for trace in traces:
            trace.send_signal(signal.SIGINT)
            trace.wait()
        # The last line is the sum: calls, "total".
        return [int(Path(f"{folder}/{pid}").read_text().splitlines()[-1].split()[0]) / TIMES for pid in pids]


def cycles(session):
    for _ in range(TIMES):
        lease = session.ask(f"SELECT testpool.acquire('{TEMPLATE.name}')")
        session.ask(f"SELECT testpool.release('{lease}')")
        server.until(server.settled)


def small_changes(session, lease):
    for _ in range(TIMES):
        client.run({"database": [lease], "work": TEMPLATE.tests["20 rows"].work}, tests=1)
        session.ask(f"SELECT testpool.recreate('{lease}')")


def queries(session, other, between):
    for _ in range(TIMES):
        other.ask(between)
        session.ask("SELECT count(*) FROM pg_class WHERE relname = 'pg_class'")


def measure():
    server.configure(pool_size=2, pool_max=2)  # the lease below and one more: nothing is cloned meanwhile
    server.sql("CREATE EXTENSION testpool")
    TEMPLATE.build()
    server.value(f"SELECT testpool.prewarm('{TEMPLATE.name}', 2)")
    session = Session()
    lease = session.ask(f"SELECT testpool.acquire('{TEMPLATE.name}')")
    cycles(session)  # so that caches are warm
    small_changes(session, lease)
    pids = {name: pid for pid, name in server.processes()}
    launcher, worker = pids["testpool launcher"], pids["testpool worker"]
    own, launchers, unchanged = traced([session.pid, launcher, worker], lambda: cycles(session))
    [small] = traced([worker], lambda: small_changes(session, lease))
    other = Session()
    [alone] = traced([session.pid], lambda: queries(session, other, "SELECT pg_sleep(0.001)"))
    [beside] = traced([session.pid], lambda: queries(session, other, f"SELECT testpool.rewind('{lease}')"))
    return {"acquire + release, session": own, "acquire + release, launcher": launchers,
            "unchanged, worker": unchanged, "small change, worker": small,
            "elsewhere, alone": alone, "elsewhere, beside live rewinds": beside}


def forbidden():
    try:
        tried = subprocess.run(["strace", "-qq", "-c", "-o", "/dev/null", "-p", str(server.processes()[0][0])],
                               capture_output=True, text=True, timeout=0.5)
    except FileNotFoundError:
        return "there is no strace here"
    except subprocess.TimeoutExpired:
        return None
    return tried.stderr.strip()


def other_version(major):
    recorded = results.read(server.HERE, "counts")[0]["postgresql"]
    return None if recorded == major else f"they were recorded with PostgreSQL {recorded}"


def main(record=None):
    major = server.value("SELECT current_setting('server_version_num')::integer / 10000")
    if reason := forbidden() or (not record and other_version(major)):
        print(f"skipped: system calls of the hot paths: {reason}")
        return 0
    counts = measure()
    if record:
        results.write_csv(RECORDED, [{"path": path, "calls": round(calls, 1), "postgresql": major}
                                    for path, calls in counts.items()])
    failed = 0
    for number, row in enumerate(results.read(server.HERE, "counts"), 1):
        calls, most = counts[row["path"]], float(row["calls"]) * (1 + TOLERANCE) + 1
        good = calls <= most
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {row['path']}: {calls:.1f} system calls, "
              f"{row['calls']} recorded, at most {most:.1f}")
    return failed


sys.exit(main(*sys.argv[1:]))
