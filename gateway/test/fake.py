"""A home database without testpool, whose views say what a test wants: states that pass too quickly, and a
thousand databases, which would take a while to make. The gateway cannot tell it from a real one."""

import psycopg2

from gateway import server

VIEWS = ["templates", "databases", "stats", "waits", "progress"]
COLUMNS = """SELECT string_agg(format('%%I %%s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum)
               FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"""


class Fake:
    """`sql` changes what it says. Its columns are those of the real views."""

    def __init__(self, name):
        self.name = name
        server(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        server(f"CREATE DATABASE {name}")
        self.session = psycopg2.connect(dbname=name)
        self.session.autocommit = True
        self.sql("CREATE SCHEMA testpool")
        for view in VIEWS:
            columns = server(COLUMNS, (f"testpool.{view}",))[0][0]
            self.sql(f"CREATE TABLE testpool.{view} ({columns})")
        self.sql("""CREATE TABLE testpool.sentences (sentence text);
            CREATE FUNCTION testpool.advice() RETURNS SETOF text BEGIN ATOMIC SELECT sentence FROM testpool.sentences; END;
            CREATE FUNCTION testpool.version() RETURNS text RETURN '0.1.0';
            CREATE FUNCTION testpool.free_space() RETURNS bigint RETURN 81604378624""")

    def sql(self, sql, parameters=None):
        with self.session.cursor() as cursor:
            cursor.execute(sql, parameters)

    def template(self, value, name=None, state="finalized", **more):
        known = {"owner": "app", "claimed_at": "now", "finalized_at": None if state == "building" else "now"}
        self.insert("templates", hash=value, name=name, state=state, **(known | more))

    def database(self, database, state, value, **more):
        known = {"generation": 1, "sessions": 0, "created_at": "now"}
        self.insert("databases", database=database, state=state, hash=value, **(known | more))

    def insert(self, view, **values):
        columns = ", ".join(values)
        places = ", ".join(["%s"] * len(values))
        self.sql(f"INSERT INTO testpool.{view} ({columns}) VALUES ({places})", list(values.values()))

    def drop(self):
        self.session.close()
        server(f"DROP DATABASE {self.name} WITH (FORCE)")


def each_state(fake):
    """One database in each state, and a template in each."""
    fake.template("h1", "orders", bytes=8_000_000, files=310)
    for number, state in enumerate(("ready", "cloning", "recycling", "failed", "leased", "kept")):
        fake.database(f"testpool_1_{number}", state, "h1", template="orders",
                      **({"role": "app", "leased_at": "now", "pid": 4711, "application_name": "pytest"}
                         if state in ("leased", "kept") else {}),
                      **({"error": "no space left on device"} if state == "failed" else {}),
                      **({"reason": "test_refund failed"} if state == "kept" else {}))
    fake.template("h2", "billing", "building", builder_application_name="migrate")
    fake.template("h0", "orders", "discarded", discarded_at="now", reason="a new migration")
    fake.insert("progress", pid=100, database="testpool_1_1", hash="h1", template="orders", task="create",
                phase="copying files", bytes_done=3_000_000, bytes_total=8_000_000, started_at="now")
    fake.insert("stats", hash="h1", template="orders", acquires=40, bytes=56_000_000, wait_p95_ms=1.5,
                wait_p50_ms=0.2, wait_p99_ms=20, last_used_at="now", last_error="no space left on device", failures=1)
    fake.insert("sentences", sentence="1.4 s were waited for template orders: raise testpool.pool_size from 2 to 12.")
