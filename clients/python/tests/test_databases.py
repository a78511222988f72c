"""What a test finds in its database, whatever ran before it."""

from conftest import ini

ITS_OWN_ROWS = """
import psycopg, pytest

@pytest.mark.parametrize("name", ["pear", "plum", "fig", "date"])
def test_its_own_rows(testpool_url, name):
    with psycopg.connect(testpool_url, autocommit=True) as db:
        assert db.execute("INSERT INTO item (name) VALUES (%s) RETURNING id", [name]).fetchone() == (2,)
        db.execute("CREATE TABLE more (a int)")
"""


def test_is_the_template_for_each_test(shop):
    shop.makepyfile(ITS_OWN_ROWS)
    shop.runpytest_subprocess().assert_outcomes(passed=4)


def test_is_the_template_for_each_test_of_several_workers(shop):
    shop.makepyfile(ITS_OWN_ROWS)
    shop.runpytest_subprocess("-n", "3").assert_outcomes(passed=4)


def test_is_another_one_for_each_test_if_clones_are_wanted(shop):
    ini(shop, "testpool_migrations = migrations", "testpool_mode = clone")
    shop.makepyfile(ITS_OWN_ROWS + """
seen = set()

@pytest.mark.parametrize("number", range(3))
def test_is_another(testpool_url, number):
    assert testpool_url not in seen
    seen.add(testpool_url)
""")
    shop.runpytest_subprocess().assert_outcomes(passed=7)


def test_stays_under_an_applications_connections(shop):
    shop.makepyfile("""
import psycopg, pytest

@pytest.fixture(scope="session")
def application(testpool_worker_url):
    with psycopg.connect(testpool_worker_url, autocommit=True) as connection:
        yield connection

@pytest.mark.parametrize("number", range(5))
def test_on_one_connection(testpool_url, application, number):
    assert application.execute("INSERT INTO item (name) VALUES ('x') RETURNING id").fetchone() == (2,)
""")
    shop.runpytest_subprocess().assert_outcomes(passed=5)


def test_is_in_the_environment_before_the_application_loads(shop):
    ini(shop, "testpool_migrations = migrations", "testpool_env = SHOP_URL", "usefixtures = testpool_url")
    shop.makepyfile(application="import os\nURL = os.environ['SHOP_URL']\n")
    shop.makeconftest("import application")
    shop.makepyfile("""
import application, psycopg, pytest

@pytest.mark.parametrize("number", range(2))
def test_uses_the_application(number):
    with psycopg.connect(application.URL) as db:
        assert db.execute("INSERT INTO item (name) VALUES ('x') RETURNING id").fetchone() == (2,)
""")
    shop.runpytest_subprocess("-n", "2").assert_outcomes(passed=2)
    shop.runpytest_subprocess().assert_outcomes(passed=2)


def test_may_be_several_and_of_several_templates(shop):
    ini(shop, "testpool_migrations = migrations", "testpool_templates = ", "    mail = mail.sql")
    shop.makefile(".sql", mail="CREATE TABLE letter (body text)")
    shop.makepyfile("""
import psycopg, pytest

def run(url, sql):
    with psycopg.connect(url) as db:
        return db.execute(sql).fetchone()

def test_two_of_one_template(testpool_url, testpool_new):
    other = testpool_new()
    run(testpool_url, "INSERT INTO item (name) VALUES ('x') RETURNING 1")
    assert run(other, "SELECT count(*) FROM item") == (1,)

def test_one_of_each(testpool_url, testpool_new):
    assert run(testpool_url, "SELECT count(*) FROM item") == (1,)
    assert run(testpool_new("mail"), "SELECT count(*) FROM letter") == (0,)

@pytest.mark.testpool("mail")
def test_marked(testpool_url):
    assert run(testpool_url, "SELECT count(*) FROM letter") == (0,)

@pytest.mark.testpool(template="nothing")
def test_unknown(testpool_url):
    pass
""")
    result = shop.runpytest_subprocess()
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*testpool_templates has no line 'nothing = *"])


def test_may_be_shared_by_tests_that_only_read(shop):
    shop.makepyfile("""
import psycopg, pytest
pytestmark = pytest.mark.testpool(shared=True)

@pytest.mark.parametrize("number", range(4))
def test_reads(testpool_url, number):
    with psycopg.connect(testpool_url) as db:
        assert db.execute("SELECT count(*) FROM item").fetchone() == (1,)
        assert "~shared-" in db.info.dbname
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            db.execute("DELETE FROM item")
""")
    shop.runpytest_subprocess("-n", "2").assert_outcomes(passed=4)


def test_serves_every_driver(shop):
    shop.makepyfile("""
import asyncio, asyncpg, pytest, sqlalchemy
from sqlalchemy import text

@pytest.mark.parametrize("number", range(3))
def test_connection(testpool_connection, number):
    assert testpool_connection.execute("INSERT INTO item (name) VALUES ('x') RETURNING id").fetchone() == (2,)
    testpool_connection.commit()

@pytest.mark.parametrize("number", range(3))
def test_engine(testpool_engine, number):
    with testpool_engine.begin() as db:
        assert db.scalar(text("INSERT INTO item (name) VALUES ('x') RETURNING id")) == 2
    assert testpool_engine.pool.checkedin() == 1

@pytest.mark.parametrize("number", range(3))
def test_async_engine(testpool_async_engine, number):
    async def run():
        async with testpool_async_engine.begin() as db:
            return await db.scalar(text("INSERT INTO item (name) VALUES ('x') RETURNING id"))
    assert asyncio.run(run()) == 2

@pytest.mark.parametrize("number", range(3))
def test_asyncpg(testpool_url, number):
    async def run():
        db = await asyncpg.connect(testpool_url)
        try:
            return await db.fetchval("INSERT INTO item (name) VALUES ('x') RETURNING id")
        finally:
            await db.close()
    assert asyncio.run(run()) == 2
""")
    shop.runpytest_subprocess().assert_outcomes(passed=12)


def test_comes_without_psycopg_where_there_is_asyncpg(shop, monkeypatch):
    shop.makepyfile(sitecustomize="""
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "psycopg" else find(name, *more)
""")
    monkeypatch.setenv("PYTHONPATH", str(shop.path))
    shop.makepyfile("""
import pytest
from pytest_testpool import drivers

@pytest.mark.parametrize("number", range(2))
def test_asyncpg(testpool_url, number):
    db = drivers.connect(testpool_url)
    assert isinstance(db, drivers.Asyncpg)
    assert db.query("INSERT INTO item (name) VALUES (%s) RETURNING id", "x") == [(2,)]
    db.close()
""")
    shop.runpytest_subprocess().assert_outcomes(passed=2)
