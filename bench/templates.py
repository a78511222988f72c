"""The template databases that are measured, and what a test does in them."""

import gzip
import subprocess
from dataclasses import dataclass
from pathlib import Path

import server

ZABBIX = [Path("/usr/share/zabbix-server-pgsql"),
          server.HERE.parent / "build/zabbix/usr/share/zabbix-server-pgsql"]


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

    def build(self):
        """Makes it a finalized template of testpool, under its name; returns the database."""
        database = server.value(f"SELECT testpool.init_template('{self.name}')")
        self.fill(database)
        server.sql(f"SELECT testpool.finalize('{self.name}')")
        return database

    def fill(self, database):
        if self.rows:
            for first in range(1, self.tables + 1, 50):  # within the locks of one transaction
                server.sql(self.script(first, min(first + 49, self.tables)), database)
        else:
            load_zabbix(database)

    def script(self, first, last):
        return "".join(f"""
            CREATE TABLE orders_{n} (id bigint PRIMARY KEY, customer integer NOT NULL, note text);
            CREATE INDEX ON orders_{n} (customer);
            INSERT INTO orders_{n}
            SELECT i, i, repeat(md5(i::text), 3) FROM generate_series(1, {self.rows}) i;
            """ for n in range(first, last + 1))

    @property
    def tests(self):
        """What a test does, statement by statement; :n is a number of its own."""
        return {
            "nothing": [f"SELECT count(*) FROM {self.leaf}"],
            "20 rows": [
                f"INSERT INTO {self.table} ({self.columns}) SELECT {self.row} FROM generate_series(1, 20) i",
                f"UPDATE {self.table} SET {self.text} = 'changed ' || {self.key} "
                f"WHERE {self.key} BETWEEN :n + 1 AND :n + 10",
                f"DELETE FROM {self.table} WHERE {self.key} = :n + 20"],
            "DDL": [
                "CREATE TABLE invoice (id bigint PRIMARY KEY, total numeric NOT NULL)",
                "CREATE TABLE line (invoice bigint REFERENCES invoice, item text NOT NULL, price numeric)",
                "CREATE FUNCTION total(bigint) RETURNS numeric LANGUAGE sql AS "
                "'SELECT sum(price) FROM line WHERE invoice = $1'",
                f"CREATE INDEX ON {self.table} ({self.text})"],
            "TRUNCATE": [f"TRUNCATE {self.leaf}"],
            "50,000 rows": [self.bulk],
        }


SMALL = Template("11 MB", 50, 100)
ZABBIX_SCHEMA = Template(
    "Zabbix", 173, 0, table="hosts", columns="hostid, host, name", key="hostid", text="name",
    row=":n + i, 'host ' || (:n + i), 'Host ' || (:n + i)", leaf="widget_field",
    bulk="INSERT INTO history (itemid, clock, value, ns) SELECT 1, i, i, 0 FROM generate_series(1, 50000) i")
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
