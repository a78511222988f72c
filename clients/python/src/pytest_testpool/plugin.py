"""The pytest plugin: options, fixtures, and what the report of a failed test shows."""

import importlib.util
import os
import secrets

import pytest

from . import drivers, migrations, urls
from .pool import Pool, Template, Unavailable

STATE = pytest.StashKey()
LEASES = pytest.StashKey()
MAIN = "main"  # the template of `testpool_migrations`


def pytest_addoption(parser):
    parser.addini("testpool_migrations", "what builds the template: a folder of .sql files, schema.sql, alembic.ini, "
                                         "module:function, or '$ command'")
    parser.addini("testpool_files", "globs of more files that the template is made of", "linelist")
    parser.addini("testpool_templates", "more templates, a line each: name = what builds it", "linelist")
    parser.addini("testpool_project", "what the template's name begins with (default: the root folder's name)")
    parser.addini("testpool_mode", "rewind: one database for each worker, rewound after each test; "
                                   "clone: each test another database", default="rewind")
    parser.addini("testpool_env", "a variable that is set to the worker's URL before conftest.py loads, such as DATABASE_URL")
    parser.addini("testpool_keep", "how many failed tests' databases a run keeps", default="3")
    group = parser.getgroup("testpool")
    group.addoption("--testpool-kept", action="store_true", help="list the kept databases of failed tests, and exit")
    group.addoption("--testpool-clean", action="store_true", help="release the kept databases of failed tests, and exit")


class State:
    """What one test process has."""

    def __init__(self, config):
        self.config = config
        run = os.environ.get("TESTPOOL_RUN") or os.environ.get("PYTEST_XDIST_TESTRUNUID", secrets.token_hex(4))[:8]
        self.pool = Pool(urls.home_url(), run, os.environ.get("PYTEST_XDIST_WORKER", "main"))
        self.keep_at_most = int(os.environ.get("TESTPOOL_KEEP") or config.getini("testpool_keep"))
        self.templates = {}
        self.own = {}      # template → the database of this process
        self.shared = {}   # template → the database that read-only tests of all processes share
        self.engines = {}  # URL → SQLAlchemy's engine on such a database

    def template(self, name):
        if name not in self.templates:
            config, files = self.config, self.config.getini("testpool_files")
            text = config.getini("testpool_migrations") if name == MAIN else self.more_templates().get(name)
            if not text:
                raise pytest.UsageError("testpool_migrations is not set: it says what builds the template" if name == MAIN
                                        else f"testpool_templates has no line '{name} = …'")
            project = config.getini("testpool_project") or config.rootpath.name
            project = project if name == MAIN else f"{project}_{name}"
            self.templates[name] = Template(project, migrations.of(text, config.rootpath, files if name == MAIN else ()))
        return self.templates[name]

    def more_templates(self):
        pairs = (line.partition("=") for line in self.config.getini("testpool_templates"))
        return {name.strip(): text.strip() for name, _, text in pairs}

    def own_database(self, name):
        if name not in self.own:
            self.own[name] = self.pool.own(self.template(name))
        return self.own[name]

    def shared_database(self, name):
        if name not in self.shared:
            database = self.pool.own(self.template(name), f"shared-{self.pool.run}")
            database.url = urls.with_database(database.url, database.name, options="-c default_transaction_read_only=on")
            self.shared[name] = database
        return self.shared[name]

    def renew(self, name):
        """The process's own database is new for the next test. If that fails, the next test leases another."""
        try:
            self.own[name].renew()
        except BaseException:
            self.own.pop(name).release()
            raise

    def close(self):
        for engine in self.engines.values():
            engine.dispose()
        for database in self.own.values():
            database.release()
        self.pool.close()


def state_of(config):
    if STATE not in config.stash:
        config.stash[STATE] = State(config)
    return config.stash[STATE]


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config):
    if variable := early_config.getini("testpool_env"):
        state = state_of(early_config)
        os.environ[variable] = state.pool.url(state.pool.named(state.template(MAIN)))


def pytest_configure(config):
    config.addinivalue_line("markers", "testpool(template='main', clone=False, shared=False): which template; a clone of the "
                                       "test's own; or a database that read-only tests share")


def pytest_cmdline_main(config):
    if not (config.option.testpool_kept or config.option.testpool_clean):
        return None
    pool = state_of(config).pool
    try:
        for url, reason, since in pool.kept():
            print(f"{url}\t{since}\t{reason}")
        if config.option.testpool_clean:
            print(f"released: {len(pool.clean())}")
    except Unavailable as error:
        raise pytest.UsageError(str(error)) from None
    return 0


def pytest_unconfigure(config):
    if STATE in config.stash:
        config.stash[STATE].close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test's databases are kept before its fixtures end, and its report tells of them."""
    report = (yield).get_result()
    if not report.failed or call.when == "teardown":
        return
    state = state_of(item.config)
    for database in item.stash.get(LEASES, []):
        try:
            lines = None if database.kept else database.keep(item.nodeid, state.keep_at_most)
        except Exception as error:
            lines = f"not kept: {drivers.reason(error)}"
        if lines:
            report.sections.append(("testpool", lines))
            report.user_properties.append(("testpool", database.kept or ""))


def leased(request, database):
    request.node.stash.setdefault(LEASES, []).append(database)
    return database


def available(get, *arguments):
    try:
        return get(*arguments)
    except Unavailable as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def testpool_database(request):
    """The test's database, as an object with `url` and `name`."""
    state = state_of(request.config)
    marker = request.node.get_closest_marker("testpool")
    wanted = {"template": MAIN, "clone": state.config.getini("testpool_mode") == "clone", "shared": False}
    if marker:
        wanted |= dict(zip(wanted, marker.args)) | marker.kwargs
    name = wanted["template"]
    if wanted["shared"]:
        yield available(state.shared_database, name)
    elif wanted["clone"]:
        database = leased(request, available(state.pool.acquire, state.template(name)))
        yield database
        database.release()
    else:
        yield leased(request, available(state.own_database, name))
        state.renew(name)


@pytest.fixture
def testpool_url(testpool_database):
    """The URL of a database that is as the template."""
    return testpool_database.url


@pytest.fixture(scope="session")
def testpool_worker_url(request):
    """The URL of this process's own database, for an application that lives longer than a test."""
    return available(state_of(request.config).own_database, MAIN).url


@pytest.fixture
def testpool_new(request):
    """`testpool_new()` or `testpool_new('orders')` gives the test one more database, and returns its URL."""
    state, databases = state_of(request.config), []

    def new(template=MAIN):
        databases.append(leased(request, available(state.pool.acquire, state.template(template))))
        return databases[-1].url

    yield new
    for database in databases:
        database.release()


@pytest.fixture
def testpool_connection(testpool_url):
    """A connection of psycopg 3."""
    import psycopg
    connection = psycopg.connect(testpool_url)
    yield connection
    connection.close()


@pytest.fixture
def testpool_engine(request, testpool_database):
    """An engine of SQLAlchemy. On the worker's own database it is one for all tests, with its pool."""
    import sqlalchemy
    engines = state_of(request.config).engines
    driver = "psycopg" if importlib.util.find_spec("psycopg") else "psycopg2"
    url = urls.for_sqlalchemy(testpool_database.url, driver)
    engine = engines.get(url) or sqlalchemy.create_engine(url)
    if testpool_database.named:
        engines[url] = engine
    yield engine
    if testpool_database.kept or not testpool_database.named:
        engine.dispose()


@pytest.fixture
def testpool_async_engine(testpool_database):
    """An AsyncEngine of SQLAlchemy. It has no pool, as each test may have an event loop of its own."""
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool
    driver = "asyncpg" if importlib.util.find_spec("asyncpg") else "psycopg"
    return create_async_engine(urls.for_sqlalchemy(testpool_database.url, driver), poolclass=NullPool)
