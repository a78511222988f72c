"""A database of its own for each test that asks for `db`. The template is built by whichever
process comes first, also under pytest-xdist."""

import hashlib
from pathlib import Path

import psycopg
import pytest

MIGRATIONS = sorted((Path(__file__).parent.parent / "migrations").glob("*.sql"))
HASH = hashlib.sha256(b"".join(path.read_bytes() for path in MIGRATIONS)).hexdigest()


@pytest.fixture(scope="session")
def home():
    with psycopg.connect("dbname=postgres", autocommit=True) as home:
        [template] = home.execute("SELECT testpool.init_template(%s, name => 'shop')", [HASH]).fetchone()
        if template:
            with psycopg.connect(dbname=template) as db:
                for path in MIGRATIONS:
                    db.execute(path.read_text())
            home.execute("SELECT testpool.finalize(%s)", [HASH])
        yield home


@pytest.fixture
def db(home):
    [name] = home.execute("SELECT testpool.acquire(%s)", [HASH]).fetchone()
    with psycopg.connect(dbname=name) as db:
        yield db
    home.execute("SELECT testpool.release(%s)", [name])
