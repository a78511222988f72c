"""Who else is on the server, and means no harm: pools of a running application that reconnect at once, reports
with a long snapshot, clients that never answer the server's question for a password, and writers who use
up transaction ids until autovacuum must freeze every database."""

import os
import socket
import struct
import threading
import time

import psycopg2

import server
from faults import Faults
from ledger import now
from server import ask, run

SILENT = "silent"  # a role that is asked for a password
POOL = 12  # sessions


def set_up():
    """A role with a password; all others are trusted."""
    ask(f"CREATE ROLE {SILENT} LOGIN PASSWORD 'never given'")
    path = os.path.join(server.data_folder(), "pg_hba.conf")
    with open(path, encoding="utf-8") as file:
        rules = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"local all {SILENT} scram-sha-256\n{rules}")
    ask("SELECT pg_reload_conf()")


class Company(Faults):
    """Several at a time: each stays for a while."""

    pauses = (0.1, 0.6)

    def __init__(self, *common):
        super().__init__("company", *common)
        self.faults = {self.pool: 6, self.long_snapshot: 4, self.silent_client: 4, self.burn_xids: 6}
        self.guests = []

    def run(self):
        super().run()
        for guest in self.guests:
            guest.join()

    def beside(self, what, *arguments):
        def stay():
            try:
                what(*arguments)
            except (psycopg2.Error, OSError):  # the server, or the database, is gone
                pass
        guest = threading.Thread(target=stay, daemon=True)
        guest.start()
        self.guests.append(guest)

    def until(self, least, most):
        return min(self.end, now() + self.random.uniform(least, most))

    def some_database(self):
        """One that somebody works in, if there is one."""
        return ask("""SELECT datname FROM pg_database WHERE datallowconn AND datname NOT IN ('template0', 'template1')
                      ORDER BY datname = 'postgres', random() LIMIT 1""")

    # An application's pool: ten and more sessions, each of which is opened again as soon as it ends,
    # whoever ended it, and whatever becomes of the database meanwhile.
    def pool(self):
        database, end = self.some_database(), self.until(1, 5)
        for _ in range(POOL):
            self.beside(self.reconnect, database, end)
        self.count("pools that reconnect")

    def reconnect(self, database, end):
        while now() < end:
            try:
                session = server.open_session(database)
                try:
                    while now() < end:
                        run(session, "SELECT count(*) FROM pg_class")
                        time.sleep(0.05)
                finally:
                    server.close(session)
            except psycopg2.Error:
                time.sleep(0.005)

    def long_snapshot(self):
        self.beside(self.look_for_long, self.until(3, 15))
        self.count("long snapshots")

    def look_for_long(self, end):
        session = server.open_session(user="postgres")
        try:
            run(session, "BEGIN ISOLATION LEVEL REPEATABLE READ")
            while now() < end:
                run(session, "SELECT count(*) FROM pg_database")
                time.sleep(0.5)
        finally:
            server.close(session)

    def silent_client(self):
        self.beside(self.stay_silent, self.some_database(), self.until(2, 12))
        self.count("silent clients")

    def stay_silent(self, database, end):
        path = os.path.join(os.environ["PGHOST"], f".s.PGSQL.{os.environ['PGPORT']}")
        words = b"".join(word.encode() + b"\0" for word in ("user", SILENT, "database", database)) + b"\0"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            client.sendall(struct.pack("!ii", len(words) + 8, 3 << 16) + words)
            time.sleep(max(0.0, end - now()))

    def burn_xids(self):
        """A good part of autovacuum_freeze_max_age."""
        ask("""DO $$ BEGIN
                   FOR i IN 1 .. 20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP;
               END $$""")
        self.count("20,000 transaction ids used up")
