"""What goes wrong on purpose: processes are terminated, cancelled, stopped for a while and killed, also at
named points of the code, the server is stopped and crashes, and runs out of connections; somebody
holds locks. Which faults come, and when, the seed decides."""

import glob
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time

import psycopg2

import server
from ledger import now
from server import PATIENCE, ask, run

# What becomes of a process at a point, and how often.
ACTIONS = {"error": 3, "terminate": 3, "kill": 2, "crash": 1}


def named_points():
    """Those that the code has: see src/points.h."""
    found = set()
    for path in glob.glob("src/**/*.cpp", recursive=True):
        with open(path, encoding="utf-8") as file:
            found.update(re.findall(r'TESTPOOL_POINT\("([a-z-]+)"\)', file.read()))
    return sorted(found)


def choose(chooser, weights):
    return chooser.choices(list(weights), weights.values())[0]


class Faults(threading.Thread):
    """One after the other, until the end. `killed` collects the processes that SIGKILL ended."""

    def __init__(self, name, seed, end, ledger, killed):
        super().__init__(daemon=True)
        self.random = random.Random(f"{seed} {name}")
        self.end = end
        self.ledger = ledger
        self.killed = killed

    def run(self):
        while now() < self.end:
            time.sleep(self.random.uniform(*self.pauses))
            fault = choose(self.random, self.faults)
            try:
                fault()
            except (psycopg2.Error, OSError, TypeError):  # what it was about is gone
                pass
            self.wait_for_server()

    def count(self, what):
        self.ledger.count(f"faults: {what}")

    def some_process(self):
        """Any that the server has, ours more often than others."""
        kind = self.random.choice(["backend_type LIKE 'testpool%'", "datname <> 'postgres'",
                                   "usename LIKE '%tester'", "backend_type <> 'checkpointer'"])
        return int(ask(f"SELECT pid FROM pg_stat_activity WHERE {kind} AND pid <> pg_backend_pid()"
                       " ORDER BY random() LIMIT 1"))  # TypeError: there is none

    def wait_for_server(self):
        if server.until(lambda: ask("SELECT 1"), PATIENCE) is None:
            self.ledger.wrong("time", f"the server did not come back in {PATIENCE} s")


class Nuisances(Faults):
    """What a server lives with: single processes and statements fail, and everything is late."""

    pauses = (0.05, 0.4)

    def __init__(self, *common, clients):
        super().__init__("nuisances", *common)
        self.clients = clients
        self.faults = {self.terminate: 14, self.cancel: 10, self.checkpoint: 10, self.pause_process: 8,
                       self.kill_clients: 5, self.stop_clients: 3, self.take_connections: 5,
                       self.lock_tables: 5, self.alter_databases: 5, self.resize: 5}

    def terminate(self):
        ask(f"SELECT pg_terminate_backend({self.some_process()})")
        self.count("processes terminated")

    def cancel(self):
        ask(f"SELECT pg_cancel_backend({self.some_process()})")
        self.count("queries cancelled")

    def pause_process(self):
        """A process that gets no time, as on a busy machine."""
        pid = self.some_process()
        os.kill(pid, signal.SIGSTOP)
        self.count("processes paused")
        time.sleep(self.random.uniform(0.1, 1.5))
        os.kill(pid, signal.SIGCONT)

    def kill_clients(self):
        """A process of clients dies; another one takes its place."""
        self.clients.replace(self.random)
        self.count("client processes killed")

    def stop_clients(self):
        """A process of clients gets no time for longer than the grace."""
        process = self.clients.some(self.random)
        process.send_signal(signal.SIGSTOP)
        self.count("client processes paused")
        time.sleep(self.random.uniform(1, server.GRACE + 1))
        process.send_signal(signal.SIGCONT)

    def checkpoint(self):
        ask("CHECKPOINT")
        self.count("checkpoints")

    def take_connections(self):
        """All that are left for ordinary roles."""
        sessions = []
        try:
            while now() < self.end:
                sessions.append(server.open_session(user="tester"))
        except psycopg2.Error:
            self.count("times without a free connection")
        time.sleep(self.random.uniform(0.1, 1))
        for session in sessions:
            server.close(session)

    def lock_tables(self):
        session = server.open_session(user="postgres")
        try:
            # Everybody else waits behind who waits for such a lock: for no longer than it would be held.
            run(session, "SET lock_timeout = '2500ms'")
            run(session, "BEGIN")
            run(session, "LOCK TABLE " + self.random.choice(
                ["testpool.database, testpool.template", "testpool.template IN SHARE MODE",
                 "pg_database IN SHARE MODE"]))
            self.count("tables locked")
            time.sleep(self.random.uniform(0.1, 2.5))
        finally:
            server.close(session)

    def alter_databases(self):
        """Some of ours, in a transaction that is left open; nothing becomes of it."""
        session = server.open_session(user="postgres")
        try:
            run(session, "BEGIN")
            for (database,) in run(session, "SELECT datname FROM pg_database WHERE datname NOT IN"
                                   " ('postgres', 'template0', 'template1') ORDER BY random() LIMIT 4"):
                run(session, f'ALTER DATABASE "{database}" CONNECTION LIMIT 9')
            self.count("databases altered")
            time.sleep(self.random.uniform(0.1, 2.5))
        finally:
            server.close(session)

    def resize(self):
        """Settings change, and take effect."""
        session = server.open_session(user="postgres")
        try:
            run(session, f"ALTER SYSTEM SET testpool.pool_size = {self.random.randint(0, 6)}")
            run(session, f"ALTER SYSTEM SET testpool.pool_max = {self.random.randint(8, 24)}")
            run(session, f"ALTER SYSTEM SET testpool.recycle = {self.random.choice(['auto', 'auto', 'recreate'])}")
            run(session, "SELECT pg_reload_conf()")
            self.count("settings changed")
        finally:
            server.close(session)


class Crashes(Faults):
    """What the server goes down with; and what happens at named points, which may be that, too."""

    pauses = (0.5, 2.5)

    def __init__(self, *common):
        super().__init__("crashes", *common)
        self.points = named_points()
        self.order = os.path.join(server.data_folder(), "testpool_point")
        self.faults = {self.at_a_point: 20, self.kill_backend: 2, self.stop_server: 1, self.kill_postmaster: 1}

    def run(self):
        super().run()
        self.forget_point()
        self.wait_for_server()

    def at_a_point(self):
        """The next process that passes the point is killed, fails, is terminated, or all of the server is
        killed."""
        point, action = self.random.choice(self.points), choose(self.random, ACTIONS)
        word = action if action in ("kill", "error") else "wait"
        with open(f"{self.order}.new", "w", encoding="utf-8") as file:
            file.write(f"{point} {word}\n")
        os.chmod(f"{self.order}.new", 0o666)
        os.rename(f"{self.order}.new", self.order)
        if server.until(lambda: os.path.exists(f"{self.order}.reached"), 1.5, pause=0.01):
            self.count(f"at {point}: {action}")
            if action == "terminate":
                ask("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE wait_event = 'TestpoolPoint' OR backend_type = 'testpool worker'")
            elif action == "crash":
                self.kill_postmaster()
        self.forget_point()

    def forget_point(self):
        for path in (self.order, f"{self.order}.reached"):
            if os.path.exists(path):
                os.unlink(path)

    def kill(self, pid):
        self.killed.add(pid)
        os.kill(pid, signal.SIGKILL)

    def kill_backend(self):
        self.kill(self.some_process())
        self.count("processes killed")

    def stop_server(self):
        mode = self.random.choice(["fast", "immediate"])
        pg_ctl("stop", "-m", mode)
        self.count(f"{mode} shutdowns")
        self.start_server()

    def kill_postmaster(self):
        with open(os.path.join(server.data_folder(), "postmaster.pid"), encoding="utf-8") as file:
            pid = int(file.readline())
        os.kill(pid, signal.SIGKILL)
        self.count("postmasters killed")
        self.forget_point()
        self.start_server()

    def start_server(self):
        """Not while a process of the killed server lives: the new one refuses."""
        log = os.path.join(os.environ["SERVER_FOLDER"], "log")
        if not server.until(lambda: pg_ctl("start", "-l", log) == 0, PATIENCE):
            self.ledger.wrong("time", "the server does not start")


def pg_ctl(action, *options):
    command = [shutil.which("pg_ctl"), "-D", server.data_folder(), "-s", "-w", *options, action]
    if os.getuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode
