"""Django with persistent connections, over fifty rewinds: one for each of four threads."""

import os
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.db import close_old_connections, connection, models

ROUNDS = 50
DDL = ["ALTER TYPE mood ADD VALUE 'mad'", "ALTER TABLE item ADD COLUMN more text DEFAULT 'x'", "CREATE TABLE other (a int)",
       "TRUNCATE item", "DROP TABLE item"]

url = urlsplit(os.environ["DATABASE_URL"])
settings.configure(DATABASES={"default": {
    "ENGINE": "django.db.backends.postgresql", "NAME": url.path.lstrip("/"), "USER": url.username,
    "HOST": url.hostname, "PORT": url.port, "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True,
    "OPTIONS": {"server_side_binding": True}}})
django.setup()


class Item(models.Model):
    id = models.AutoField(primary_key=True)
    name = models.TextField()

    class Meta:
        app_label = "live"
        db_table = "item"


def request(work):
    """As Django wraps a request: a connection of the last one is used again."""
    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()


def process():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def insert(number):
    Item.objects.create(name=f"item {number}")
    return process()


def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


with ThreadPoolExecutor(4) as threads:
    def run(work, *values):
        return threads.submit(request, lambda: work(*values)).result()

    processes = set()
    for number in range(ROUNDS):
        processes.update(threads.map(lambda i: request(lambda: insert(i)), range(20)))
        assert run(Item.objects.count) == 120
        run(execute, DDL[number % len(DDL)])
        run(execute, "SET testpool.rewind = now")
        assert run(lambda: Item.objects.aggregate(models.Max("id"))["id__max"]) == 100
    assert len(processes) <= 4, processes
    for _ in range(4):
        threads.submit(connection.close)
print(f"Django: {ROUNDS} tests on connections that stay")
