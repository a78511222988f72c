"""The server as a test process sees it: templates, databases, and what becomes of them. Knows nothing of pytest."""

import hashlib
import re
import secrets

from . import drivers, urls


class Unavailable(Exception):
    """There is no server, or it has no testpool: the message says what to do."""


def fit(name, most=63):
    """A name of any length, as one that PostgreSQL takes; different names stay different."""
    if len(name.encode()) <= most:
        return name
    tail = "-" + hashlib.sha256(name.encode()).hexdigest()[:12]
    return name.encode()[:most - len(tail)].decode(errors="ignore") + tail


class Template:
    def __init__(self, project, migrations):
        self.migrations = migrations
        label = re.sub(r"[^a-z0-9_]+", "_", project.lower()).strip("_")[:20] or "tests"
        self.hash = migrations.hash(label)
        self.name = f"{label}-{self.hash[:12]}"


class Database:
    """A leased database. Its URL stays what it is, also if a failed test's contents are kept aside."""

    def __init__(self, pool, template, name, named):
        self.pool, self.template, self.name, self.named = pool, template, name, named
        self.url = pool.url(name)
        self.kept = None  # the URI of what was kept

    def keep(self, test, at_most):
        """Keeps it for a person; returns the lines of a report, or none if enough are kept."""
        [(url, changes)] = self.pool.home.query("SELECT url, changes FROM testpool.keep_failed(%s, %s, %s, %s::integer)",
                                                self.name, test, self.pool.run, at_most)
        self.kept = url
        return url and f"kept: {url}\nthe test's changes:\n  " + changes.replace("\n", "\n  ")

    def renew(self):
        """Makes it as the template is. Sessions stay, but those in what is kept."""
        if not self.kept:
            self.pool.home.query("SELECT testpool.rewind(%s)", self.name)
            return
        self.pool.home.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                             urls.database_of(self.kept))
        self.kept = None
        self.pool.enter(self.name)

    def release(self):
        if not self.kept:
            self.pool.home.query("SELECT testpool.release(%s)", self.name)


class Pool:
    def __init__(self, home_url, run, worker):
        self.home_url, self.run = home_url, run
        self.token = f"{worker}-{secrets.token_hex(4)}"
        self._home = None
        self.built = set()

    @property
    def home(self):
        if not self._home:
            self._home = self.connect()
        return self._home

    def connect(self):
        where = urls.without_password(self.home_url)
        try:
            home = drivers.connect(self.home_url)
        except RuntimeError:
            raise
        except Exception as error:
            raise Unavailable(f"no PostgreSQL server at {where}: {drivers.reason(error)}\n"
                              "Set TESTPOOL_URL, or PGHOST, PGPORT and PGUSER, to a server that has testpool.") from error
        if home.query("SELECT to_regprocedure('testpool.keep_failed(text, text, text, integer)')")[0][0] is None:
            home.close()
            raise Unavailable(f"testpool is not in the database {where}, or is too old: "
                              "load it with shared_preload_libraries = 'testpool', then CREATE EXTENSION testpool there.")
        home.query("SELECT set_config('testpool.template_timeout', '10min', false)")
        return home

    def url(self, database):
        return urls.with_database(self.home_url, database)

    def named(self, template, token=None):
        """The name that this process uses for a clone of the template: known before the server is asked."""
        return fit(f"{template.name}~{token or self.token}")

    def build(self, template):
        """Sees that the template is there. Of all processes that come, one builds."""
        if template.hash in self.built:
            return
        [(database,)] = self.home.query("SELECT testpool.init_template(%s, name => %s)", template.hash, template.name)
        if database:
            try:
                template.migrations.apply(self.url(database))
            except BaseException as error:
                self.home.query("SELECT testpool.discard(%s, %s)", template.hash, drivers.reason(error)[:1000] or repr(error))
                raise
            self.home.query("SELECT testpool.finalize(%s)", template.hash)
        self.built.add(template.hash)

    def enter(self, name):
        """Leases the clone of this name for the home session: the lease lasts as long as this process."""
        visitor = drivers.connect(self.url(name))
        self.home.query("SELECT testpool.renew(%s)", name)
        visitor.close()

    def own(self, template, token=None):
        """One database that this process rewinds between tests."""
        self.build(template)
        name = self.named(template, token)
        self.enter(name)
        return Database(self, template, name, named=True)

    def acquire(self, template):
        """A clone for one test."""
        self.build(template)
        [(name,)] = self.home.query("SELECT testpool.acquire(%s)", template.hash)
        return Database(self, template, name, named=False)

    def kept(self):
        return self.home.query("SELECT testpool.url(database), reason, leased_at::text FROM testpool.databases"
                               " WHERE state = 'kept' ORDER BY leased_at")

    def clean(self):
        return self.home.query("SELECT database, testpool.release(database) FROM testpool.databases"
                               " WHERE state = 'kept' AND pg_has_role(role, 'MEMBER')")

    def close(self):
        if self._home:
            self._home.close()
            self._home = None
