"""Each test runs a small Django project in a folder of its own, on the server that the environment names."""

import os
import subprocess
import sys

import psycopg
import pytest

FILES = {
    "manage.py": """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
if __name__ == "__main__":
    if os.environ.get("START_METHOD"):
        import multiprocessing
        multiprocessing.set_start_method(os.environ["START_METHOD"])
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
""",
    "site_settings.py": """
import os
SECRET_KEY = "x"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "shop"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django_testpool", "NAME": "shop", "HOST": os.environ["PGHOST"], "PORT": os.environ["PGPORT"],
                         "USER": os.environ["PGUSER"], "TEST": {"HOME": os.environ.get("SHOP_HOME")}}}
""",
    "shop/__init__.py": "",
    "shop/models.py": """
from django.db import models
class Item(models.Model):
    name = models.TextField()
""",
    "shop/migrations/__init__.py": "",
    "shop/migrations/0001_initial.py": """
from django.db import migrations, models
def seed(apps, editor):
    apps.get_model("shop", "Item").objects.create(name="apple")
class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel("Item", [("id", models.AutoField(primary_key=True)), ("name", models.TextField())]),
        migrations.RunPython(seed),
    ]
""",
}

TESTS = """
from django.test import TestCase, TransactionTestCase
from shop.models import Item

class InTransaction(TestCase):
    def test_seed(self):
        self.assertEqual([each.name for each in Item.objects.all()], ["apple"])
        Item.objects.create(name="x")
"""
for number in range(3):
    TESTS += f"""
class Committed{number}(TransactionTestCase):
    def test_seed_stays(self):
        self.add("x")

    def test_seed_stays_again(self):
        self.add("y")

    def add(self, name):
        Item.objects.create(name=name)
        self.assertEqual([each.name for each in Item.objects.order_by("id")], ["apple", name])
"""


class Project:
    def __init__(self, folder):
        self.folder = folder
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)

    def run(self, *command, **environment):
        done = subprocess.run([sys.executable, *command], cwd=self.folder, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60, env=os.environ | environment)
        return done.returncode, done.stdout


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.fixture
def home():
    with psycopg.connect(autocommit=True) as connection:
        yield connection
