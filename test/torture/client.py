"""A process of clients, each a thread: it takes databases in every way there is, uses them, lets go of
them or does not, and writes down what it saw. It asks the extension for nothing but the service."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import traceback

import psycopg2

import clean
import server
from ledger import Ledger, now
from misuse import MISUSES
from server import GRACE, MARGIN, PATIENCE, Gone, Refused, Trouble, run, value

FAULT = re.compile(r"launcher is not running|^point |(ERROR|FATAL): +point ")
NAMES = {"plain": "plain", "rich": "rich"}  # of the templates, by hash


class Holding:
    """A database that a client holds, as far as it knows."""

    def __init__(self, template, database, user, session=None):
        self.template = template
        self.database = database
        self.user = user
        self.session = session  # the one that acquired it, while that lives
        self.seen = now()  # somebody who holds it was certainly there
        self.on_disk = False  # the lease is: until something is that came later, a crash may forget it
        self.kept = False
        self.token = None
        self.left_open = []

    def is_certain(self):
        """True if nobody may have taken it away, at the time of the call."""
        at = now()
        return self.kept or self.session_lives() or (self.on_disk and at < self.seen + GRACE - MARGIN)

    def session_lives(self):
        at = now()
        try:
            if self.session is None or value(self.session, "SELECT 1") != 1:
                return False
        except psycopg2.Error:
            server.close(self.session)
            self.session = None
            return False
        self.seen = max(self.seen, at)
        return True

    def leave(self, session):
        """Ends a session in it. One that had ended before proves nothing."""
        at = now()
        try:
            value(session, "SELECT 1")
            self.seen = max(self.seen, at)
        except psycopg2.Error:
            pass
        server.close(session)

    def end_session(self):
        if self.session_lives():
            server.close(self.session)
        self.session = None


class Client(threading.Thread):
    def __init__(self, name, seed, setup, ledger):
        super().__init__(name=name, daemon=True)
        self.random = random.Random(f"{seed} {name}")
        self.setup = setup
        self.ledger = ledger
        self.number = 0
        self.user = self.random.choice(["tester", "tester", "other_tester"])

    # --- the clock --------------------------------------------------------------------------------

    def run(self):
        ways = {self.as_runner: 30, self.as_script: 15, self.by_name: 18, self.as_crowd: 4,
                self.rolled_back: 7, self.as_builder: 10, self.in_error: 6, self.several_at_once: 3}
        while now() < self.setup["end"]:
            way = self.random.choices(list(ways), ways.values())[0]
            self.number += 1
            try:
                way()
                self.ledger.count(f"cycles {way.__name__}")
            except (Trouble, Gone, Refused) as stop:
                self.ledger.count(f"cycles cut short by {type(stop).__name__}")
                self.pause(0.1)
            except psycopg2.Error as error:
                self.note(error, f"{way.__name__}: a plain statement")
                self.pause(0.1)
            except Exception:
                self.ledger.wrong("working", f"{way.__name__}: {traceback.format_exc()}")

    def pause(self, most):
        time.sleep(self.random.uniform(0, most))

    def chance(self, probability):
        return self.random.random() < probability

    # --- calls ------------------------------------------------------------------------------------

    def note(self, error, what, documented=()):
        """Judges an error; returns what to raise."""
        state = server.state_of(error)
        message = " ".join(str(error).split())
        self.ledger.count(f"errors {state}")
        if state in documented:
            return Refused(state, message)
        if state in server.TROUBLE or FAULT.search(message):
            return Trouble(message)
        self.ledger.wrong("errors", f"{what}: {state} {message}")
        return Trouble(message)

    def call(self, session, function, *arguments):
        places = ", ".join(["%s"] * len(arguments))
        began = now()
        try:
            return value(session, f"SELECT testpool.{function}({places})", *arguments)
        except psycopg2.Error as error:
            if now() - began > PATIENCE - 1:
                self.ledger.wrong("time", f"{function}{arguments} took {now() - began:.0f} s: {error}")
            raise self.note(error, function, self.setup["documented"][function]) from error

    def home(self, **settings):
        return self.enter("postgres", **settings)

    def enter(self, database, user=None, **settings):
        """A session; waits while the server is away or full."""
        began = now()
        while True:
            try:
                return server.open_session(database, user or self.user, **settings)
            except psycopg2.Error as error:
                state = server.state_of(error)
                if state == "3D000" or (state == "55000" and "accepting connections" in str(error)):
                    raise Gone(str(error)) from error
                stop = self.note(error, f"connecting to {database}", ("42501", "53400", "55P03"))
                if isinstance(stop, Refused):
                    raise stop from error
                if self.is_too_long(now() - began):
                    self.ledger.wrong("time", f"no connection to {database} in {now() - began:.0f} s: {error}")
                    raise stop from error
                self.pause(0.3)

    # Who waits for a clone while its client is not let in yet is hung up on without a word when the server
    # stops or one of its processes is killed: PostgreSQL says nothing to a client before that. It comes
    # back as the last of all, and what it waited for has to be made again. So the clock starts anew with
    # each outage, as the server tells of it, not as the client guesses. Who is hung up on for any other
    # reason is found out all the same, and so is who comes too late again and again.
    def is_too_long(self, waited):
        if waited <= PATIENCE:
            return False
        if waited <= 4 * PATIENCE and server.up_for() <= PATIENCE:
            self.ledger.count("tries to connect after an outage cut the wait")
            return False
        return True

    # --- holdings ---------------------------------------------------------------------------------

    def took(self, template, database, session=None):
        holding = Holding(template, database, self.user, session)
        holding.uid = f"{self.name}-{self.number}-{database}"
        self.ledger.write("taken", holding=holding.uid, database=database)
        return holding

    def gives_up(self, holding):
        """Written before it is given up, or when it may have been lost: then with the last certain time."""
        self.ledger.write("given up", holding=holding.uid, until=holding.seen)

    def is_clean(self, holding):
        """Looks at a database that was just handed out."""
        if self.chance(self.setup["compared"]):
            self.compare_pages(holding)
        try:
            session = self.enter(holding.database)
        except Gone as gone:
            self.is_lost(holding, gone)
        if "~" not in holding.database and not holding.is_certain():
            server.close(session)
            self.gives_up(holding)
            raise Gone("the grace is over")
        try:
            oid = value(session, "SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()")
            found = clean.description(session)
        except psycopg2.Error as error:
            raise self.note(error, "looking at a new database") from error
        differences = clean.differences(found, self.setup["clean"][holding.template])
        if differences and (holding.session is None or holding.session_lives()):
            self.ledger.wrong("clean", f"{holding.database} was dirty at hand-out: {differences[:20]}")
        self.ledger.write("entered", holding=holding.uid, oid=oid, named="~" in holding.database)
        self.ledger.count("hand-outs looked at")
        return session

    def compare_pages(self, holding):
        """Page by page, as it lies on disk; a clone that was recovered lacks what is not logged of it."""
        statement = """CHECKPOINT; SELECT concat_ws(' ', t.oid, d.oid, t.database, d.name, d.ready_at AT TIME ZONE 'UTC')
                         FROM testpool.database d JOIN testpool.template t ON t.id = d.template
                        WHERE d.name = %s AND d.state = 'leased'"""
        try:
            oids = server.ask(statement, holding.database)
        except psycopg2.Error as error:
            raise self.note(error, "a checkpoint") from error
        if oids is None:
            return
        *oids, template, database, date, time_of_day = oids.split()
        tool = ["test/tools/compare-databases", "--replayed", server.data_folder(), *oids]
        found = subprocess.run(tool, capture_output=True, text=True, check=False)
        self.ledger.count("hand-outs compared page by page")
        if found.returncode != 0 and server.is_frozen(database, template, f"{date} {time_of_day}"):
            return
        if found.returncode != 0 and holding.session_lives():
            self.ledger.wrong("clean", f"{holding.database} differs from its template: {found.stdout}{found.stderr[-500:]}")

    def write_token(self, holding, session):
        holding.token = holding.uid
        try:
            run(session, "CREATE SCHEMA torture CREATE TABLE token (token text)")
            run(session, "INSERT INTO torture.token VALUES (%s)", holding.token)
        except psycopg2.Error as error:
            raise self.note(error, "writing a token") from error
        holding.on_disk = True
        holding.leave(session)

    def tokens(self, session):
        try:
            return [token for (token,) in run(session, "SELECT token FROM torture.token")]
        except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName):
            return []
        except psycopg2.Error as error:
            raise self.note(error, "reading tokens") from error

    def come_back(self, holding):
        """A session in a database that the client left, with its data and no other's in it."""
        try:
            session = self.enter(holding.database)
        except Gone as gone:
            self.is_lost(holding, gone)
        certain = holding.is_certain()
        found = self.tokens(session)
        if found and found != [holding.token]:
            self.ledger.wrong("one holder", f"{holding.database} has {found}, not {holding.token}")
        if not certain or (found != [holding.token] and not holding.is_certain()):
            server.close(session)
            self.gives_up(holding)
            raise Gone("the grace is over")
        if not found:
            self.ledger.wrong("kept", f"{holding.database} lost the data of {holding.token}")
        holding.seen = max(holding.seen, now())
        self.ledger.write("seen", holding=holding.uid)
        self.ledger.count("returns to own data")
        return session

    def is_lost(self, holding, gone):
        if holding.is_certain():
            self.ledger.wrong("kept", f"{holding.database} was taken from a live holder: {gone}")
        self.gives_up(holding)
        raise gone

    def use(self, holding):
        session = self.is_clean(holding)
        self.write_token(holding, session)
        for _ in range(self.random.randint(0, 3)):
            self.away(holding)
            session = self.come_back(holding)
            if self.chance(0.5):
                self.misuse(holding, session)
            if "~" not in holding.database and self.chance(0.3):
                session = self.rewind(holding, session)
            if self.chance(0.1):
                self.leave_open(holding, session)
            else:
                holding.leave(session)

    def away(self, holding):
        if holding.session is not None and self.chance(0.05):
            time.sleep(GRACE + 1)  # its session holds it, and nobody is inside
        else:
            self.pause(GRACE - MARGIN - 0.8)

    def misuse(self, holding, session):
        if self.chance(0.3):
            run(session, f"SET {self.random.choice(['statement_timeout', 'lock_timeout'])} = '50ms'")
        text = self.random.choice(MISUSES).format(n=self.random.randint(2, 9), db=holding.database,
                                                  k=self.random.randint(100, 3000))
        if "~" in holding.database:
            text = text.replace(holding.database, f'"{holding.database}"')
        self.ledger.count("misuses")
        try:
            for statement in text.split("; "):
                run(session, statement)
        except psycopg2.Error as error:
            if (server.state_of(error)[:2] == "XX"):
                self.ledger.wrong("errors", f"{text} in {holding.database}: {error}")

    def rewind(self, holding, session):
        """From inside or from home; returns a session in it, the same one if that was not ended."""
        try:
            if self.chance(0.5):
                run(session, "ROLLBACK")
                run(session, "RESET ROLE; RESET statement_timeout; RESET lock_timeout")
                run(session, "SET testpool.rewind = now")
            else:
                self.call(self.session_for(holding), "rewind", holding.database)
        except (Refused, Trouble):
            self.gives_up(holding)
            raise
        except psycopg2.Error as error:
            self.gives_up(holding)
            raise self.note(error, "SET testpool.rewind", self.setup["documented"]["rewind"]) from error
        self.ledger.count("rewound live")
        try:
            run(session, "ROLLBACK")
            found = clean.description(session)
            self.ledger.count("rewound live under a session that stayed")
        except psycopg2.Error:
            server.close(session)
            try:
                session = self.enter(holding.database)
                found = clean.description(session)
            except Gone as gone:
                self.is_lost(holding, gone)
            except psycopg2.Error as error:
                raise self.note(error, "looking at a rewound database") from error
        differences = clean.differences(found, self.setup["clean"][holding.template])
        if differences and holding.is_certain():
            self.ledger.wrong("clean", f"{holding.database} was dirty after a live rewind: {differences[:20]}")
        self.write_token(holding, session)
        return self.come_back(holding)

    def leave_open(self, holding, session):
        """A forgotten session in a transaction."""
        try:
            run(session, "BEGIN")
            # Under a name of its own: who shares the database must not wait for this transaction.
            run(session, f"CREATE TABLE forgotten_{self.random.randrange(10**9)} AS SELECT 1 AS a")
        except psycopg2.Error:
            pass
        holding.left_open.append(session)
        self.ledger.count("sessions left open")

    # --- ways to let go ---------------------------------------------------------------------------

    def let_go(self, holding):
        ways = {self.release: 60, self.release_later: 12, self.release_all: 6, self.recreate: 10,
                self.keep: 5, self.abandon: 10}
        try:
            self.random.choices(list(ways), ways.values())[0](holding)
        finally:
            for session in [*holding.left_open, holding.session]:
                if session is not None:
                    server.close(session)

    def session_for(self, holding):
        return holding.session if holding.session_lives() else self.home()

    def release(self, holding):
        session = self.session_for(holding)
        certain = holding.is_certain()
        self.gives_up(holding)
        try:
            self.call(session, "release", holding.database)
        except Refused as refused:
            if certain and holding.seen > now() - GRACE + MARGIN:
                self.ledger.wrong("kept", f"{holding.database} is held and cannot be released: {refused}")
        finally:
            server.close(session)

    def release_later(self, holding):
        """First in a transaction that rolls back."""
        session = self.session_for(holding)
        try:
            run(session, f"BEGIN ISOLATION LEVEL {self.random.choice(['READ COMMITTED', 'SERIALIZABLE'])}")
            self.call(session, "release", holding.database)
            run(session, "ROLLBACK")
        except psycopg2.Error as error:
            raise self.note(error, "a transaction") from error
        holding.leave(self.come_back(holding))
        self.ledger.count("releases rolled back")
        self.release(holding)

    def release_all(self, holding):
        if not holding.session_lives():
            return self.release(holding)
        self.gives_up(holding)
        return self.call(holding.session, "release")

    def recreate(self, holding):
        session = self.session_for(holding)
        try:
            self.call(session, "recreate", holding.database)
        except (Refused, Trouble):
            self.gives_up(holding)
            raise
        holding.seen = max(holding.seen, now())
        self.ledger.count("recreated")
        if session is holding.session and holding.token:
            holding.token = None
            inside = self.is_clean(holding)
            self.write_token(holding, inside)
            holding.leave(self.come_back(holding))
        self.release(holding)

    def keep(self, holding):
        """Nobody holds it any more, and it stays."""
        session = self.session_for(holding)
        self.ledger.write("keeps", database=holding.database)
        url = self.call(session, "keep", holding.database, "torture")
        holding.database = url.rsplit("/", 1)[1].split("?")[0]  # what a client had named moves aside
        holding.kept = True
        server.close(session)
        holding.session = None
        time.sleep(self.random.choice([0.2, GRACE + 1]))
        holding.leave(self.come_back(holding))
        self.ledger.count("kept, and found again")
        self.release(holding)

    def abandon(self, holding):
        """Vanishes."""
        self.gives_up(holding)
        self.ledger.count("abandoned")

    # --- ways to take -----------------------------------------------------------------------------

    def template(self):
        return self.random.choices(["plain", "rich"], [3, 2])[0]

    def acquire(self, session, template):
        timeout = self.random.choice(["2 s", "5 s", "10 s"])
        return self.call(session, "acquire", template, timeout)

    def as_runner(self):
        """One session holds the database for the whole test."""
        settings = {"statement_timeout": "200ms"} if self.chance(0.05) else {}
        session = self.home(**settings)
        template = self.template()
        holding = self.took(template, self.acquire(session, template), session)
        self.use(holding)
        self.let_go(holding)

    def as_script(self):
        """Each step is a session of its own, as with psql -c."""
        session = self.home()
        template = self.template()
        database = self.acquire(session, template)
        holding = self.took(template, database, session)
        run(session, "SELECT pg_logical_emit_message(true, 'torture', '')")
        holding.on_disk = True
        holding.end_session()
        self.use(holding)
        self.let_go(holding)

    def by_name(self):
        """The connection string is the whole interface."""
        template = self.template()
        holding = self.took(template, f"{NAMES[template]}~{self.name}-{self.number}")
        self.use(holding)
        self.let_go(holding)

    def as_crowd(self):
        """Several connect to one name at once, and meet."""
        database = f"plain~crowd-{self.name}-{self.number}"
        number = self.random.randint(2, 5)
        found, all_there = set(), threading.Barrier(number)

        def come():
            session = None
            try:
                session = self.enter(database)
                oid = value(session, "SELECT oid FROM pg_database WHERE datname = current_database()")
                all_there.wait(GRACE - MARGIN)
                found.add(oid)
            except (psycopg2.Error, Trouble, Gone, Refused, threading.BrokenBarrierError):
                all_there.abort()
            finally:
                if session is not None:
                    server.close(session)

        threads = [threading.Thread(target=come, daemon=True) for _ in range(number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if len(found) > 1 and not all_there.broken:
            self.ledger.wrong("one holder", f"{database} was several databases: {found}")
        elif not all_there.broken:
            self.ledger.count("crowds that met")

    def several_at_once(self):
        """Databases of one session, some given back by a savepoint."""
        session = self.home()
        run(session, "BEGIN")
        mine = self.took("plain", self.acquire(session, "plain"), session)
        run(session, "SAVEPOINT s")
        other = self.took("plain", self.acquire(session, "plain"), session)
        self.gives_up(other)
        run(session, "ROLLBACK TO s")
        run(session, "COMMIT")
        self.use(mine)
        self.let_go(mine)

    def rolled_back(self):
        session = self.home()
        template = self.template()
        run(session, "BEGIN ISOLATION LEVEL REPEATABLE READ")
        holding = self.took(template, self.acquire(session, template), session)
        inside = self.is_clean(holding)
        self.write_token(holding, inside)
        self.gives_up(holding)
        run(session, "ROLLBACK")
        server.close(session)
        self.ledger.count("acquires rolled back")

    # --- templates --------------------------------------------------------------------------------

    def as_builder(self):
        """Builds one of few templates, whose hashes differ in their last bytes only, or uses it."""
        hash_ = "f" * 63 + str(self.random.randint(0, 2))
        session = self.home(**{"testpool.template_timeout": "5s"})
        run(session, "BEGIN")
        database = self.call(session, "init_template", hash_)
        if database is None:
            run(session, "COMMIT")
            return self.use_built(session, hash_)
        return self.build(session, hash_, database)

    def build(self, session, hash_, database):
        token = f"{self.name}-{self.number}"
        self.ledger.write("build", hash=hash_, token=token)
        end = self.random.choices(["finalize", "discard", "roll back", "vanish"], [6, 2, 1, 1])[0]
        if end != "roll back":
            run(session, "COMMIT")
        inside = self.enter(database)
        run(inside, "CREATE TABLE built AS SELECT %s::text AS by", token)
        if self.chance(0.7):
            server.close(inside)
        self.ledger.count(f"builds: {end}")
        self.ledger.write("build ends", token=token, how=end)
        if end == "finalize":
            self.call(session, "finalize", hash_)
        elif end == "discard":
            self.call(session, "discard", hash_, "torture")
            self.is_discarded(session, hash_)
        elif end == "roll back":
            run(session, "ROLLBACK")
        server.close(session)

    def is_discarded(self, session, hash_):
        pass  # somebody else may build it at once

    def use_built(self, session, hash_):
        """What is in a clone was written by one builder, who finalized it."""
        database = self.acquire(session, hash_)
        inside = self.enter(database)
        (builders,) = zip(*run(inside, "SELECT by FROM built")) or ((),)
        server.close(inside)
        self.ledger.write("built by", builders=builders)
        if self.chance(0.4):
            self.call(session, "discard", hash_, "torture")
        self.call(session, "release", database)
        server.close(session)

    # --- errors -----------------------------------------------------------------------------------

    def in_error(self):
        session = self.home()
        nobody = f"nobody-{self.number}"
        for function, arguments, state in [
                ("acquire", ("",), "22023"), ("acquire", (nobody,), "42704"), ("release", (nobody,), "42704"),
                ("release", (None,), "22023"), ("finalize", (nobody,), "55000"), ("discard", (nobody,), "42704"),
                ("keep", (nobody,), "42704"), ("recreate", (nobody,), "42704"), ("prewarm", ("plain", -1), "22023"),
                ("init_template", (None,), "22023"), ("alias", ("", "plain"), "22023"), ("reset", (), "42501")]:
            if self.chance(0.4):
                continue
            try:
                self.call(session, function, *arguments)
                if (function, arguments) != ("release", (None,)):
                    self.ledger.wrong("errors", f"{function}{arguments} raised no error")
            except Refused as refused:
                if refused.state != state:
                    self.ledger.wrong("errors", f"{function}{arguments} raised {refused}, not {state}")
        self.somebody_elses(session)
        server.close(session)
        self.ledger.count("wrong calls refused")

    def somebody_elses(self, session):
        statement = """SELECT database FROM testpool.databases
                        WHERE state = 'leased' AND role <> current_user AND database !~ '~' LIMIT 1"""
        database = value(session, statement)
        if database is None:
            return
        function = self.random.choice(["release", "recreate", "keep"])
        try:
            self.call(session, function, database)
            self.ledger.wrong("errors", f"{function} of {database}, which is another role's, raised no error")
        except Refused as refused:
            if refused.state not in ("42501", "42704", "55000"):
                self.ledger.wrong("errors", f"{function} of {database}, which is another role's, raised {refused}")


def main():
    folder, name, seed, threads = sys.argv[1:]
    with open(os.path.join(folder, "setup.json"), encoding="utf-8") as file:
        setup = json.load(file)
    ledger = Ledger(folder, name)
    clients = [Client(f"{name}.{n}", seed, setup, ledger) for n in range(int(threads))]
    for client in clients:
        client.start()
    for client in clients:
        client.join()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main()
