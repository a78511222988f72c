"""What is left of a failed test, and what is said when something is not there."""

import re

import psycopg
from conftest import ini

FAILING = """
import psycopg, pytest

@pytest.mark.parametrize("number", range(5))
def test_fails(testpool_url, number):
    with psycopg.connect(testpool_url) as db:
        db.execute("INSERT INTO item (name) VALUES ('evidence')")
        db.execute("CREATE TABLE more (a int)")
    assert False

def test_passes(testpool_url):
    with psycopg.connect(testpool_url) as db:
        assert db.execute("SELECT count(*) FROM item").fetchone() == (1,)
"""


def kept_of(result):
    return re.findall(r"kept: (\S+)", result.stdout.str())


def test_a_failed_tests_database_is_kept_and_reported(shop, home):
    for arguments, mode in (([], "rewind"), (["-n", "2"], "rewind"), ([], "clone")):
        ini(shop, "testpool_migrations = migrations", f"testpool_mode = {mode}")
        shop.makepyfile(FAILING)
        result = shop.runpytest_subprocess(*arguments)
        result.assert_outcomes(failed=5, passed=1)
        result.stdout.fnmatch_lines(["*testpool*", "kept: postgresql://*", "the test's changes:",
                                     "  changed table public.item: *1*"])
        assert len(kept_of(result)) == 3, "no more than three of a run"
        for url in kept_of(result):
            with psycopg.connect(url) as db:
                assert db.execute("SELECT count(*) FROM item WHERE name = 'evidence'").fetchone() == (1,)
        listed = shop.runpytest_subprocess("--testpool-kept")
        assert len(re.findall(r"test_fails\[\d\]", listed.stdout.str())) == 3
        shop.runpytest_subprocess("--testpool-clean").stdout.fnmatch_lines(["released: 3"])
        assert home.execute("SELECT count(*) FROM testpool.databases WHERE state = 'kept'").fetchone() == (0,)


def test_an_engine_goes_on_after_a_failed_test(shop):
    shop.makepyfile("""
import pytest
from sqlalchemy import text

@pytest.mark.parametrize("fails", [False, True, False, True, False])
def test_engine(testpool_engine, fails):
    with testpool_engine.begin() as db:
        assert db.scalar(text("INSERT INTO item (name) VALUES ('x') RETURNING id")) == 2
    assert not fails
""")
    shop.runpytest_subprocess().assert_outcomes(passed=3, failed=2)
    shop.runpytest_subprocess("--testpool-clean")


def test_nothing_is_kept_if_nobody_wants_it(shop, monkeypatch, home):
    monkeypatch.setenv("TESTPOOL_KEEP", "0")
    shop.makepyfile(FAILING)
    result = shop.runpytest_subprocess()
    result.assert_outcomes(failed=5, passed=1)
    assert not kept_of(result)
    assert home.execute("SELECT count(*) FROM testpool.databases WHERE state IN ('kept', 'leased')").fetchone() == (0,)


def test_a_failed_migration_is_told_with_its_reason(shop, home):
    (shop.path / "migrations" / "003.sql").write_text("CREATE TABLE item (again int)")
    shop.makepyfile("def test_x(testpool_url): pass")
    result = shop.runpytest_subprocess("-n", "2")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(['*003.sql: relation "item" already exists*'])
    assert home.execute("SELECT reason FROM testpool.templates WHERE state = 'discarded'"
                        " AND reason LIKE '003.sql: relation \"item\"%'").fetchone()


def test_a_server_that_is_not_there_is_told(shop, monkeypatch):
    monkeypatch.setenv("TESTPOOL_URL", "postgresql://somebody:secret@127.0.0.1:1/postgres")
    shop.makepyfile("def test_x(testpool_url): pass")
    result = shop.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["no PostgreSQL server at postgresql://somebody@127.0.0.1:1/postgres*", "Set TESTPOOL_URL*"])
    assert "secret" not in result.stdout.str()


def test_a_server_without_testpool_is_told(shop, monkeypatch):
    monkeypatch.setenv("PGDATABASE", "template1")
    shop.makepyfile("def test_x(testpool_url): pass")
    result = shop.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["testpool is not in the database*CREATE EXTENSION testpool*"])


def test_missing_migrations_are_told(pytester):
    pytester.makepyfile("def test_x(testpool_url): pass")
    pytester.runpytest_subprocess().stdout.fnmatch_lines(["*testpool_migrations is not set*"])
