"""A psycopg_pool of four connections to DATABASE_URL, shared by four threads."""

import os
from concurrent.futures import ThreadPoolExecutor

from psycopg_pool import ConnectionPool


def insert(number):
    with pool.connection() as connection:
        connection.execute("INSERT INTO item (name) VALUES (%s)", [f"item {number}"])


with ConnectionPool(os.environ["DATABASE_URL"], min_size=4) as pool:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(insert, range(20)))
    with pool.connection() as connection:
        row = connection.execute("SELECT count(*), current_database() FROM item").fetchone()
        print("{} items in {}".format(*row))
