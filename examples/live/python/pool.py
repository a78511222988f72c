"""Pools of psycopg, asyncpg and SQLAlchemy that stay open over fifty rewinds each."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import sqlalchemy
from psycopg_pool import ConnectionPool

URL = os.environ["DATABASE_URL"]
ROUNDS = 50
REWIND = "SET testpool.rewind = now"
DDL = ["ALTER TYPE mood ADD VALUE 'mad'", "ALTER TABLE item ADD COLUMN more text DEFAULT 'x'", "CREATE TABLE other (a int)",
       "TRUNCATE item", "DROP TABLE item"]


def psycopg_pool():
    with ConnectionPool(URL, min_size=4, kwargs={"autocommit": True, "prepare_threshold": 1}) as pool, \
            ThreadPoolExecutor(4) as threads:
        def run(sql, *values):
            with pool.connection() as connection:
                cursor = connection.execute(sql, values)
                return cursor.fetchone()[0] if cursor.description else None
        for number in range(ROUNDS):
            list(threads.map(lambda i: run("INSERT INTO item (name) VALUES (%s)", f"item {i}"), range(20)))
            assert run("SELECT count(*) FROM item WHERE m = %s::mood", "sad") == 120
            run(DDL[number % len(DDL)])
            run(REWIND)
            assert run("SELECT max(id) FROM item") == 100
    return "psycopg"


def engine():
    pool = sqlalchemy.create_engine(URL.replace("postgresql:", "postgresql+psycopg:"), pool_size=4)
    for number in range(ROUNDS):
        with pool.begin() as connection:
            connection.execute(sqlalchemy.text("INSERT INTO item (name) SELECT 'new' FROM generate_series(1, 20)"))
            assert connection.execute(sqlalchemy.text("SELECT count(*) FROM item")).scalar() == 120
        with pool.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sqlalchemy.text(DDL[number % len(DDL)]))
            connection.execute(sqlalchemy.text(REWIND))
        with pool.begin() as connection:
            assert connection.execute(sqlalchemy.text("SELECT count(*) FROM item")).scalar() == 100
    return "SQLAlchemy"


async def asyncpg_pool():
    async with asyncpg.create_pool(URL, min_size=4, max_size=4) as pool:
        for number in range(ROUNDS):
            await asyncio.gather(*(pool.execute("INSERT INTO item (name) VALUES ($1)", f"item {i}") for i in range(20)))
            assert await pool.fetchval("SELECT count(*) FROM item WHERE m = $1", "sad") == 120
            await pool.execute(DDL[number % len(DDL)])
            await pool.execute(REWIND)
            assert await pool.fetchval("SELECT max(id) FROM item") == 100
    return "asyncpg"


for done in (psycopg_pool(), engine(), asyncio.run(asyncpg_pool())):
    print(f"{done}: {ROUNDS} tests on one pool")
