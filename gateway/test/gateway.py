"""A gateway, and what its tests ask of it and of the server behind it."""

import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import psycopg2
import requests

PROGRAM = os.environ["GATEWAY"]


class Gateway:
    """A running testpool-gateway on a free port. It talks to the server by TCP, as clients do."""

    def __init__(self, **variables):
        self.variables = {"INTEGRESQL_PORT": "0", "INTEGRESQL_PGHOST": "127.0.0.1"} | variables
        self.log = []
        self.start()

    def start(self, port="0"):
        environment = os.environ | self.variables | {"INTEGRESQL_PORT": port}
        self.process = subprocess.Popen([PROGRAM], env=environment, stderr=subprocess.PIPE, text=True)
        self.port = None
        for line in self.process.stderr:
            self.log.append(line.rstrip())
            if found := re.search(r"listens on .*, port (\d+)", line):
                self.port = found[1]
                break
        threading.Thread(target=self.read_log, daemon=True).start()
        assert self.port, f"the gateway did not start: {self.log}"
        self.root = f"http://127.0.0.1:{self.port}"
        self.api = f"{self.root}/api/v1"
        self.session = requests.Session()

    def read_log(self):
        for line in self.process.stderr:
            self.log.append(line.rstrip())

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Ends it as systemd does; what it has lost, a sanitizer tells."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(30)
        assert status == 0, f"the gateway ended with {status}: {self.log[-40:]}"

    def restart(self):
        """Killed and started again, where its clients expect it."""
        port = self.port
        self.kill()
        self.start(port)

    # --- the API ---------------------------------------------------------------------------------

    def ask(self, method, path, **options):
        options = {"timeout": 90} | options
        return self.session.request(method, f"{self.api}{path}", **options)

    def initialize(self, name):
        return self.ask("POST", "/templates", json={"hash": name})

    def finalize(self, name):
        return self.ask("PUT", f"/templates/{name}")

    def discard(self, name):
        return self.ask("DELETE", f"/templates/{name}")

    def get(self, name, **options):
        return self.ask("GET", f"/templates/{name}/tests", **options)

    def unlock(self, name, number):
        return self.ask("POST", f"/templates/{name}/tests/{number}/unlock")

    def recreate(self, name, number):
        return self.ask("POST", f"/templates/{name}/tests/{number}/recreate")

    def build(self, name, sql="CREATE TABLE t (v int)"):
        answer = self.initialize(name)
        assert answer.status_code == 200, answer.text
        run(answer.json(), sql)
        assert self.finalize(name).status_code == 204

    def fresh(self, name):
        """An answer to get, which has to be a database."""
        answer = self.get(name)
        assert answer.status_code == 200, answer.text
        return answer.json()


def connect(answer):
    config = answer["database"]["config"]
    return psycopg2.connect(host=config["host"], port=config["port"], user=config["username"],
                            password=config["password"], dbname=config["database"])


def name_of(answer):
    return answer["database"]["config"]["database"]


def run(answer, sql):
    """Runs SQL in a session of its own; returns the rows of the last statement."""
    session = connect(answer)
    try:
        with session, session.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        session.close()


def server(sql, parameters=()):
    """The same in the home database."""
    session = psycopg2.connect("")
    session.autocommit = True
    try:
        with session.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []
    finally:
        session.close()


def state_of(answer):
    rows = server("SELECT state FROM testpool.databases WHERE database = %s", (name_of(answer),))
    return rows[0][0] if rows else None


def until(holds, what, seconds=60):
    """Waits for a condition; errors of a server that is not there yet are waited out."""
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except psycopg2.OperationalError as error:
            last = error
        time.sleep(0.05)
    raise AssertionError(f"{what} ({last})")


# --- the server itself ---------------------------------------------------------------------------

FOLDER = Path(os.environ["SERVER_FOLDER"])


def as_server(*command):
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    return subprocess.run([*prefix, *command], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_server():
    """Ends the postmaster by SIGKILL, and starts the server again."""
    os.kill(int((FOLDER / "data/postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    start = ["pg_ctl", "-D", str(FOLDER / "data"), "-l", str(FOLDER / "log"), "-w", "-s", "start"]
    until(lambda: as_server(*start).returncode == 0, "the server does not come back")
