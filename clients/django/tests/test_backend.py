"""manage.py test and pytest-django on the backend."""

import re
import time

import psycopg
import pytest
from conftest import TESTS

FAILING = """
from django.test import TestCase, TransactionTestCase
from shop.models import Item

class Fails(TransactionTestCase):
    def test_a(self):
        Item.objects.create(name="evidence")
        self.fail("on purpose")

    def test_b(self):
        self.assertEqual(Item.objects.count(), 1)

class RolledBack(TestCase):
    def test_c(self):
        Item.objects.create(name="evidence")
        self.fail("on purpose")
"""


def leases(home):
    """How many are left. One that a worker leased after a failure ends with the grace, as --parallel kills its workers."""
    for _ in range(600):
        left = home.execute("SELECT count(*) FROM testpool.databases WHERE state IN ('leased', 'kept')").fetchone()[0]
        if not left:
            break
        time.sleep(0.1)
    return left


@pytest.mark.parametrize("arguments, environment", [
    ([], {}), (["--keepdb"], {}), (["--parallel", "2"], {}), (["--parallel", "2"], {"START_METHOD": "spawn"}),
], ids=["alone", "keepdb", "fork", "spawn"])
def test_tests_find_the_seed_that_migrations_made(project, home, arguments, environment):
    project.write("shop/tests.py", TESTS)
    status, output = project.run("manage.py", "test", *arguments, **environment)
    assert status == 0, output
    assert "Ran 7 tests" in output
    assert leases(home) == 0, output


def test_the_template_is_built_once_and_again_for_another_migration(project, home):
    count = "SELECT count(*) FROM testpool.templates WHERE state = 'finalized'"
    project.write("shop/tests.py", TESTS)
    before = home.execute(count).fetchone()[0]
    assert project.run("manage.py", "test")[0] == 0
    after = home.execute(count).fetchone()[0]
    assert after in (before, before + 1)
    assert project.run("manage.py", "test")[0] == 0
    assert home.execute(count).fetchone()[0] == after
    project.write("shop/migrations/0002_more.py", """
from django.db import migrations
class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.RunSQL("CREATE TABLE more (a int)")]
""")
    assert project.run("manage.py", "test")[0] == 0
    assert home.execute(count).fetchone()[0] == after + 1


@pytest.mark.parametrize("command, words", [
    (["manage.py", "test"], r"shop\.tests\.Fails\.test_a: kept: (\S+)"),
    (["manage.py", "test", "--parallel", "2"], r"shop\.tests\.Fails\.test_a: kept: (\S+)"),
    (["-m", "pytest", "-q", "--ds=site_settings", "shop/tests.py"], r"kept: (\S+)"),
], ids=["alone", "parallel", "pytest"])
def test_a_failed_tests_database_is_kept_and_told(project, home, command, words):
    project.write("shop/tests.py", FAILING)
    status, output = project.run(*command)
    assert status == 1, output
    assert re.search(r"failures=2|2 failed", output), output
    kept = re.findall(words, output)
    assert len(kept) == 1, output
    assert "changed table public.shop_item" in output
    with psycopg.connect(kept[0]) as db:
        assert db.execute("SELECT count(*) FROM shop_item WHERE name = 'evidence'").fetchone() == (1,)
        name = db.info.dbname
    home.execute("SELECT testpool.release(%s)", [name])
    assert leases(home) == 0
    assert "kept:" not in project.run(*command, TESTPOOL_KEEP="0")[1]


@pytest.mark.parametrize("arguments", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_pytest_django_is_served_unchanged(project, home, arguments):
    project.write("shop/tests.py", TESTS + """
import pytest

@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", range(3))
def test_seed(number):
    Item.objects.create(name="x")
    assert Item.objects.count() == 2

@pytest.mark.django_db
def test_in_transaction():
    assert Item.objects.count() == 1
""")
    status, output = project.run("-m", "pytest", "-q", "--ds=site_settings", *arguments, "shop/tests.py")
    assert status == 0, output
    assert "11 passed" in output
    assert leases(home) == 0


def test_a_failed_migration_is_told_and_discards_the_template(project, home):
    project.write("shop/tests.py", TESTS)
    project.write("shop/migrations/0002_fails.py", """
from django.db import migrations
class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.RunSQL("SELECT 1/0")]
""")
    status, output = project.run("manage.py", "test")
    assert status != 0
    assert "division by zero" in output
    assert home.execute("SELECT bool_or(reason LIKE 'division by zero%') FROM testpool.templates").fetchone() == (True,)


def test_a_server_without_testpool_is_told(project):
    project.write("shop/tests.py", TESTS)
    status, output = project.run("manage.py", "test", SHOP_HOME="template1")
    assert status != 0
    assert "CREATE EXTENSION testpool" in output


def test_outside_of_tests_it_is_djangos_own(project, home):
    home.execute("DROP DATABASE IF EXISTS shop")
    home.execute("CREATE DATABASE shop")
    try:
        assert project.run("manage.py", "migrate")[0] == 0
        status, output = project.run("manage.py", "flush", "--noinput")
        assert status == 0, output
        with psycopg.connect(dbname="shop") as db:
            assert db.execute("SELECT count(*) FROM shop_item").fetchone() == (0,)
    finally:
        home.execute("DROP DATABASE shop WITH (FORCE)")
