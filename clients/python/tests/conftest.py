"""Each test runs pytest on a small suite in a folder of its own, on the server that the environment names."""

import psycopg
import pytest

pytest_plugins = ["pytester"]


@pytest.fixture
def home():
    with psycopg.connect(autocommit=True) as connection:
        yield connection


@pytest.fixture
def shop(pytester):
    """A suite with migrations of SQL files."""
    folder = pytester.mkdir("migrations")
    (folder / "001.sql").write_text("CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);")
    (folder / "002.sql").write_text("INSERT INTO item (name) VALUES ('apple'); SELECT 1;")
    pytester.makeini("[pytest]\ntestpool_migrations = migrations\n")
    return pytester


def ini(pytester, *lines):
    pytester.makeini("\n".join(["[pytest]", *lines]))
