"""What builds a template, and what its hash is made of."""

from pathlib import Path

import pytest
from conftest import ini
from pytest_testpool import migrations, urls
from pytest_testpool.pool import fit

TEST = """
import psycopg

def test_x(testpool_url):
    with psycopg.connect(testpool_url) as db:
        assert db.execute("SELECT count(*) FROM item").fetchone() == (0,)
"""


def test_alembic(pytester, monkeypatch):
    env = """
from alembic import context
from sqlalchemy import create_engine
engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
    pytester.makefile(".ini", alembic="[alembic]\nscript_location = %(here)s/db\nsqlalchemy.url = postgresql+psycopg://nowhere/x\n")
    (pytester.path / "db" / "versions").mkdir(parents=True)
    (pytester.path / "db" / "env.py").write_text(env)
    (pytester.path / "db" / "versions" / "one.py").write_text(
        "from alembic import op\nrevision, down_revision = 'one', None\n"
        "def upgrade(): op.execute('CREATE TABLE item (id int)')\n")
    ini(pytester, "testpool_migrations = alembic.ini")
    pytester.makepyfile(TEST)
    pytester.runpytest_subprocess("-n", "2").assert_outcomes(passed=1)


def test_a_function(pytester):
    pytester.makepyfile(build="import psycopg\n\ndef schema(url):\n"
                              "    with psycopg.connect(url) as db: db.execute('CREATE TABLE item (id int)')\n")
    ini(pytester, "testpool_migrations = build:schema")
    pytester.makepyfile(TEST)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_command(pytester):
    pytester.makefile(".sql", schema="CREATE TABLE item (id int)")
    ini(pytester, "testpool_migrations = $ psql -XqAt -d \"$DATABASE_URL\" -v ON_ERROR_STOP=1 -f schema.sql", "testpool_files = *.sql")
    pytester.makepyfile(TEST)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_command_needs_files_for_its_hash(pytester):
    ini(pytester, "testpool_migrations = $ true")
    pytester.makepyfile(TEST)
    pytester.runpytest_subprocess().stdout.fnmatch_lines(["*testpool_files must name the files*"])


def test_a_command_that_fails_is_told(pytester):
    pytester.makefile(".sql", schema="SELECT 1 +")
    ini(pytester, "testpool_migrations = $ echo no way; exit 3", "testpool_files = *.sql")
    pytester.makepyfile(TEST)
    pytester.runpytest_subprocess().stdout.fnmatch_lines(["*exit status 3", "*no way"])


def hash_of(folder, **files):
    folder.mkdir()
    for name, contents in files.items():
        (folder / f"{name}.sql").write_text(contents)
    return migrations.of(folder.name, folder.parent).hash("shop")


def test_the_hash_is_of_names_and_contents_and_not_of_the_place(tmp_path):
    first = hash_of(tmp_path / "first", a="1", b="2")
    assert first == hash_of(tmp_path / "second", a="1", b="2")
    assert first != hash_of(tmp_path / "third", a="1", b="3")
    assert first != hash_of(tmp_path / "fourth", a="1", c="2")
    assert first != hash_of(tmp_path / "fifth", a="12", b="")


@pytest.mark.parametrize("text, message", [("nothing", "is no folder"), ("empty", "there is no .sql file")])
def test_what_cannot_build_is_told(tmp_path, text, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=message):
        migrations.of(text, tmp_path)


def test_names_fit_and_stay_different():
    long = "shop~" + "ä" * 60
    assert len(fit(long).encode()) <= 63
    assert fit(long + "1") != fit(long + "2")
    assert fit("shop~gw0") == "shop~gw0"


@pytest.mark.parametrize("environment, url", [
    ({"TESTPOOL_URL": "postgresql://a@h1:1,h2:2/home?sslmode=require"}, "postgresql://a@h1:1,h2:2/home?sslmode=require"),
    ({"TESTPOOL_URL": "postgresql://a@h"}, "postgresql://a@h/postgres"),
    ({"PGHOST": "h1,h2", "PGPORT": "5433", "PGUSER": "a b", "PGPASSWORD": "p@ss"}, "postgresql://a%20b:p%40ss@h1:5433,h2:5433/postgres"),
    ({"PGHOST": "/run/pg", "PGUSER": "a"}, "postgresql://a@/postgres?host=%2Frun%2Fpg&port=5432"),
    ({"PGHOST": "::1", "PGUSER": "a", "PGDATABASE": "home"}, "postgresql://a@[::1]:5432/home"),
])
def test_where_the_home_database_is(environment, url):
    assert urls.home_url(environment) == url


def test_urls_of_other_databases():
    assert urls.with_database("postgresql://a@h/x?sslmode=require", "s~1", options="-c a=b") == \
        "postgresql://a@h/s~1?sslmode=require&options=-c%20a%3Db"
    assert urls.for_sqlalchemy("postgresql://a@h1:1,h2:2/x?sslmode=require", "psycopg") == \
        "postgresql+psycopg://a@/x?host=h1:1&host=h2:2&sslmode=require"
    assert urls.database_of("postgresql://a@h/s~%C3%A4") == "s~ä"


def test_the_package_has_the_version_of_its_metadata():
    import pytest_testpool
    assert f'\nversion = "{pytest_testpool.__version__}"\n' in (Path(__file__).parent.parent / "pyproject.toml").read_text()
