"""The server as a client sees it: connections, calls, and what may go wrong with them."""

import os
import re
import time

import psycopg2

GRACE = 3.0  # testpool.lease_grace, seconds
MARGIN = 1.0  # a client counts on a lease for so much less
PATIENCE = 45  # no call, and no outage, lasts so long

# What PostgreSQL says when it refuses a connection; psycopg2 does not tell the SQLSTATE.
REFUSALS = [(re.compile(pattern), state) for pattern, state in [
    (r"too many clients|remaining connection slots|too many connections", "53300"),
    (r"is (starting up|shutting down|in recovery mode|not yet accepting)", "57P03"),
    (r"terminating connection due to (administrator command|unexpected postmaster exit)", "57P01"),
    (r"terminating connection because of crash|terminated by unexpected", "57P02"),
    (r"canceling (authentication|statement)|due to user request", "57014"),
    (r"lock timeout", "55P03"),
    (r'no clone of template|did not answer in time', "55P03"),
    (r"launcher is not running|template .* was discarded", "55000"),
    (r'database ".*" is not currently accepting connections', "55000"),
    (r'database ".*" does not exist|database .* has disappeared|seems to belong', "3D000"),
    (r"permission denied", "42501"),
    (r"has \d+ leases already|databases already", "53400"),
    (r"timeout expired", "timeout"),
    (r"Connection refused|No such file or directory|server closed|reset by peer|Broken pipe|could not receive"
     r"|connection not open|SSL|no connection", "08006"),
]]

# What the faults bring about anywhere.
TROUBLE = {"57014", "57P01", "57P02", "57P03", "53300", "08006", "55P03"}


class Trouble(Exception):
    """A fault got in the way; the call, or the session, is lost."""


class Gone(Exception):
    """The database is not there, or closed."""


class Refused(Exception):
    """An error that the reference knows."""

    def __init__(self, state, message):
        super().__init__(f"{state} {message}")
        self.state = state
        self.message = message


def state_of(error):
    """The SQLSTATE of a psycopg2 error; that of a lost connection is 08006."""
    if error.pgcode:
        return error.pgcode
    for pattern, state in REFUSALS:
        if pattern.search(str(error)):
            return state
    if isinstance(error, psycopg2.InterfaceError):
        return "08006"
    return "unknown"


def open_session(database="postgres", user="tester", **settings):
    options = " ".join(f"-c {name}={value}" for name, value in
                       {"statement_timeout": f"{PATIENCE}s", **settings}.items())
    connection = psycopg2.connect(dbname=database, user=user, options=options, connect_timeout=PATIENCE,
                                  application_name="torture")
    connection.autocommit = True
    return connection


def run(connection, statement, *arguments):
    """The rows of a statement; [] if it has none."""
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments or None)
        return cursor.fetchall() if cursor.description else []


def value(connection, statement, *arguments):
    rows = run(connection, statement, *arguments)
    return rows[0][0] if rows else None


def close(connection):
    try:
        connection.close()
    except psycopg2.Error:
        pass


def until(condition, seconds, pause=0.1):
    """The first true value of the condition; None if it does not become true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := condition():
                return found
        except psycopg2.Error:
            pass
        time.sleep(pause)
    return None


def ask(statement, *arguments, database="postgres"):
    """A value, asked for by a superuser in a session of its own."""
    connection = open_session(database, "postgres")
    try:
        return value(connection, statement, *arguments)
    finally:
        close(connection)


VACUUMED = re.compile(r'^(\S+ \S+) \S+ \[.* automatic (?:aggressive )?vacuum.* of table "([^."]+)\.')
SEALED_AGAIN = re.compile(r'^(\S+ \S+) \S+ \[.* was resealed: database "([^"]+)"')


def vacuumed_since(moment):
    """Names, at that time, of databases that PostgreSQL itself has vacuumed since then (it freezes whoever's it is, page
    by page), and of templates that were sealed again."""
    found = set()
    with open(os.path.join(os.environ["SERVER_FOLDER"], "log"), encoding="utf-8", errors="replace") as file:
        for line in file:
            match = VACUUMED.match(line) or SEALED_AGAIN.match(line)
            if match and match[1] >= moment[:23]:
                found.add(match[2])
    return found


def is_frozen(clone, template, became_clean):
    """True if one of the two may have been vacuumed since the clone became clean; it may have had another name then."""
    others = "SELECT string_agg(datname, ' ') FROM pg_database WHERE datname NOT IN (%s, %s)"
    return bool(vacuumed_since(became_clean) - set(ask(others, clone, template).split()))


def up_for():
    """Seconds since the server came up, or began anew because one of its processes was killed; 0 while it is away."""
    try:
        return float(ask("SELECT extract(epoch FROM clock_timestamp() - backend_start) FROM pg_stat_activity"
                         " WHERE backend_type = 'checkpointer'") or 0)
    except psycopg2.Error:
        return 0.0


def data_folder():
    return os.path.join(os.environ["SERVER_FOLDER"], "data")
