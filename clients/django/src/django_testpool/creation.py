"""Test databases: leased instead of created, rewound instead of flushed, released instead of dropped."""

import os
import re
import secrets

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.postgresql import creation

from . import failures, hashing


class DatabaseCreation(creation.DatabaseCreation):
    leased = None  # the name of the database that tests use in this process
    is_worker = False  # of `test --parallel`
    kept = None    # the report of a failed test, whose database that is

    # ---- the home database: a session of each process ---------------------------------------------

    def query(self, sql, *values):
        if getattr(self, "home_of", None) != os.getpid():  # a fork inherits its parent's
            self.home, self.home_of = self.connect_home(), os.getpid()
        with self.home.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchone()

    def connect_home(self):
        settings_dict = self.connection.settings_dict
        name = settings_dict["TEST"].get("HOME") or "postgres"
        options = {key: value for key, value in settings_dict["OPTIONS"].items() if key != "pool"}
        home = type(self.connection)({**settings_dict, "NAME": name, "OPTIONS": options, "CONN_MAX_AGE": None}, alias="testpool")
        home.inc_thread_sharing()
        with home.cursor() as cursor:
            cursor.execute("SELECT to_regprocedure('testpool.keep_failed(text, text, text, integer)') IS NOT NULL,"
                           " set_config('testpool.template_timeout', '10min', false)")
            if not cursor.fetchone()[0]:
                raise ImproperlyConfigured(
                    f"testpool is not in the database {name!r}: load it with shared_preload_libraries = 'testpool', then "
                    "CREATE EXTENSION testpool there; DATABASES['…']['TEST']['HOME'] names another home database")
        return home

    # ---- the template -----------------------------------------------------------------------------

    def build(self, verbosity):
        """Sees that the template is there, and returns its hash. Of all processes that come, one migrates."""
        original = self.connection.settings_dict["NAME"]
        hash = hashing.of(self.connection)
        label = re.sub(r"[^a-z0-9_]+", "_", str(original).lower())[:20]
        (database,) = self.query("SELECT testpool.init_template(%s, name => %s)", hash, f"{label}-{hash[:12]}")
        if not database:
            return hash
        self.being_built = database
        try:
            super().create_test_db(verbosity=verbosity, autoclobber=True, serialize=False)
        except BaseException as error:
            self.connection.close()
            self.query("SELECT testpool.discard(%s, %s)", hash, (str(error) or repr(error))[:1000])
            raise
        finally:
            self.being_built = None
            self.enter(original)
        self.query("SELECT testpool.finalize(%s)", hash)
        return hash

    def _get_test_db_name(self):
        return getattr(self, "being_built", None) or super()._get_test_db_name()

    def _create_test_db(self, verbosity, autoclobber, keepdb=False):
        return self._get_test_db_name()  # it is there

    # ---- test databases ---------------------------------------------------------------------------

    def create_test_db(self, verbosity=1, autoclobber=False, serialize=True, keepdb=False):
        os.environ.setdefault("TESTPOOL_RUN", os.environ.get("PYTEST_XDIST_TESTRUNUID", secrets.token_hex(4))[:8])
        failures.watch()
        test = self.connection.settings_dict["TEST"]
        test["HASH"] = None  # of no template yet
        hash = self.build(verbosity)
        test["HASH"] = hash  # spawned workers are given these settings
        self.leased = self.acquire()
        self.enter(self.leased)
        if verbosity >= 1:
            self.log(f"Leased test database for alias {self._get_database_display_str(verbosity, self.leased)}...")
        self.connection.ensure_connection()
        return self.leased

    def acquire(self):
        return self.query("SELECT testpool.acquire(%s)", self.connection.settings_dict["TEST"]["HASH"])[0]

    def enter(self, database):
        self.connection.close()
        settings.DATABASES[self.connection.alias]["NAME"] = database
        self.connection.settings_dict["NAME"] = database

    def renew(self):
        """The database is new for the next test."""
        if self.kept:
            self.kept = None
            self.leased = self.acquire()
            self.enter(self.leased)
        else:
            self.query("SELECT testpool.rewind(%s)", self.leased)

    def keep(self, test):
        """Keeps the database of a failed test, and returns what is to be told. A TestCase leaves nothing: it rolls back."""
        parent = not self.is_worker and self.connection.settings_dict["TEST"].get("CLONES")  # of workers, which tell
        if not self.leased or self.kept or parent or self.connection.in_atomic_block:
            return None
        most = int(os.environ.get("TESTPOOL_KEEP") or getattr(settings, "TESTPOOL_KEEP", 3))
        url, changes = self.query("SELECT url, changes FROM testpool.keep_failed(%s, %s, %s, %s::integer)",
                                  self.leased, test, os.environ["TESTPOOL_RUN"], most)
        self.kept = url and f"kept: {url}\nthe test's changes:\n  " + changes.replace("\n", "\n  ")
        return self.kept

    def _destroy_test_db(self, test_database_name, verbosity):
        self.connection.close()
        (ours,) = self.query("SELECT count(*) FROM testpool.databases WHERE database = %s AND state = 'leased'", test_database_name)
        if ours:
            self.query("SELECT testpool.release(%s)", test_database_name)

    def destroy_test_db(self, old_database_name=None, verbosity=1, keepdb=False, suffix=None):
        """Also with --keepdb: the template is what stays."""
        super().destroy_test_db(old_database_name, verbosity, keepdb=False, suffix=suffix)
        if suffix is None:
            self.leased = None

    # ---- parallel workers -------------------------------------------------------------------------

    def _clone_test_db(self, suffix, verbosity, keepdb=False):
        self.connection.settings_dict["TEST"].setdefault("CLONES", {})[str(suffix)] = self.acquire()

    def get_test_db_clone_settings(self, suffix):
        settings_dict = self.connection.settings_dict
        clones = settings_dict["TEST"].get("CLONES", {})
        return {**settings_dict, "NAME": clones.get(str(suffix), settings_dict["NAME"])}

    def setup_worker_connection(self, _worker_id):
        super().setup_worker_connection(_worker_id)
        self.is_worker = True
        self.leased = self.connection.settings_dict["NAME"]
        failures.watch()
