"""What this package needs of a driver: `query` and `script`, whichever driver the project has."""

import asyncio
import importlib.util
import itertools
import threading


def connect(url):
    """A connection in autocommit. Its errors are the driver's own; `reason` reads them."""
    if importlib.util.find_spec("psycopg"):
        return Psycopg(url)
    if importlib.util.find_spec("asyncpg"):
        return Asyncpg(url)
    raise RuntimeError("pytest-testpool needs psycopg (3) or asyncpg: pip install 'psycopg[binary]'")


def reason(error):
    """What the server said, with its detail."""
    detail = getattr(getattr(error, "diag", error), "message_detail", None) or getattr(error, "detail", None)
    return f"{error}".strip() if not detail or detail in str(error) else f"{error}: {detail}".strip()


class Psycopg:
    def __init__(self, url):
        import psycopg
        self.connection = psycopg.connect(url, autocommit=True, application_name="pytest-testpool")

    def query(self, sql, *values):
        cursor = self.connection.execute(sql, values)
        return cursor.fetchall() if cursor.description else []

    def script(self, sql):
        self.connection.execute(sql)  # without values: as many statements as there are, in one transaction

    def close(self):
        self.connection.close()


class Asyncpg:
    """asyncpg on an event loop of its own, for a project that has no other driver."""

    def __init__(self, url):
        import asyncpg
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.connection = self.run(asyncpg.connect(url, server_settings={"application_name": "pytest-testpool"}))

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def query(self, sql, *values):
        numbers = itertools.count(1)
        while "%s" in sql:
            sql = sql.replace("%s", f"${next(numbers)}", 1)
        return [tuple(row) for row in self.run(self.connection.fetch(sql, *values))]

    def script(self, sql):
        self.run(self.connection.execute(sql))

    def close(self):
        self.run(self.connection.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
