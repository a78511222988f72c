"""The template databases that are measured, and what a test does in them."""

import gzip
import subprocess
from dataclasses import dataclass
from pathlib import Path

import server

ZABBIX = [Path("/usr/share/zabbix-server-pgsql"),
          server.HERE.parent / "build/zabbix/usr/share/zabbix-server-pgsql"]


@dataclass(frozen=True)
class Test:
    """What a test does, statement by statement; :n is a number of its own. Beside it, for those who
    clean up by hand: what deletes its rows (None: what it removed cannot be brought back so), and what
    drops what it created."""
    name: str
    work: list
    delete: str | None = ""
    drop: str = ""


@dataclass(frozen=True)
class Template:
    name: str
    tables: int
    rows: int          # of each table; 0: the schema and data of Zabbix
    table: str = "orders_7"
    columns: str = "id, customer, note"
    row: str = ":n + i, i, 'order ' || i"
    key: str = "id"
    text: str = "note"
    leaf: str = "orders_9"
    bulk: str = "INSERT INTO orders_7 SELECT -:n * 50 - i, i, 'order ' || i FROM generate_series(1, 50000) i"
    bulk_delete: str = "DELETE FROM orders_7 WHERE id < -:n * 50"

    def build(self):
        """Makes it a finalized template of testpool, under its name; returns the database."""
        database = server.value(f"SELECT testpool.init_template('{self.name}')")
        self.fill(database)
        server.sql(f"SELECT testpool.finalize('{self.name}')")
        return database

    def build_again(self, name):
        """The same once more, under another name, so that it has a pool of its own."""
        server.value(f"SELECT testpool.init_template('{name}', base => '{self.name}')")
        server.sql(f"SELECT testpool.finalize('{name}')")

    def fill(self, database):
        if self.rows:
            for first in range(1, self.tables + 1, 50):  # within the locks of one transaction
                server.sql(self.script(first, min(first + 49, self.tables)), database)
        else:
            load_zabbix(database)

    def script(self, first, last):
        return "".join(f"""
            CREATE TABLE orders_{n} (id bigint NOT NULL, customer integer NOT NULL, note text);
            INSERT INTO orders_{n}
            SELECT i, i, repeat(md5(i::text), 3) FROM generate_series(1, {self.rows}) i;
            ALTER TABLE orders_{n} ADD PRIMARY KEY (id);
            CREATE INDEX ON orders_{n} (customer);
            """ for n in range(first, last + 1))

    @property
    def tests(self):
        insert = f"INSERT INTO {self.table} ({self.columns}) SELECT {self.row} FROM generate_series(1, 20) i"
        update = (f"UPDATE {self.table} SET {self.text} = 'changed ' || {self.key} "
                  f"WHERE {self.key} BETWEEN :n + 1 AND :n + 10")
        create = [
            "CREATE TABLE invoice_:n (id bigint PRIMARY KEY, total numeric NOT NULL)",
            "CREATE TABLE line_:n (invoice bigint REFERENCES invoice_:n, item text NOT NULL, price numeric)",
            "CREATE FUNCTION total_:n(bigint) RETURNS numeric LANGUAGE sql AS "
            "'SELECT sum(price) FROM line_:n WHERE invoice = $1'",
            f"CREATE INDEX index_:n ON {self.table} ({self.text})"]
        drop = "DROP INDEX index_:n; DROP FUNCTION total_:n; DROP TABLE line_:n, invoice_:n"
        return {test.name: test for test in (
            Test("nothing", [f"SELECT count(*) FROM {self.leaf}"]),
            Test("20 rows", [insert, update, f"DELETE FROM {self.table} WHERE {self.key} = :n + 20"],
                 delete=f"DELETE FROM {self.table} WHERE {self.key} > :n"),
            Test("DDL", create, drop=drop),
            Test("TRUNCATE", [f"TRUNCATE {self.leaf}"], delete=None),
            Test("50,000 rows", [self.bulk], delete=self.bulk_delete))}


SMALL = Template("11 MB", 50, 100)
ZABBIX_SCHEMA = Template(
    "Zabbix", 173, 0, table="hosts", columns="hostid, host, name", key="hostid", text="name",
    row=":n + i, 'host ' || (:n + i), 'Host ' || (:n + i)", leaf="widget_field",
    bulk="INSERT INTO history (itemid, clock, value, ns) SELECT :n, i, i, 0 FROM generate_series(1, 50000) i",
    bulk_delete="DELETE FROM history WHERE itemid = :n")
MIDDLE = Template("155 MB", 200, 3900)
LARGE = Template("1.6 GB", 200, 43000)
ALL = [SMALL, ZABBIX_SCHEMA, MIDDLE, LARGE]


def load_zabbix(database):
    folder = next((folder for folder in ZABBIX if folder.exists()), None)
    if folder is None:
        raise FileNotFoundError("the schema of zabbix-server-pgsql is missing: test/setup demo")
    for file in ("schema", "images", "data"):
        subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", database], check=True,
                       input=gzip.decompress((folder / f"{file}.sql.gz").read_bytes()), capture_output=True)
