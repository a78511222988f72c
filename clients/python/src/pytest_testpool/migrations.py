"""What builds a template: the files that its hash is made of, and the way to apply them.

`of(text, root, files)` reads one line of configuration:
    migrations/                    a folder: its *.sql files, by name
    schema.sql                     a file
    alembic.ini                    Alembic, to the head
    package.module:function        is called with the URL of the database to fill
    $ command                      is run with DATABASE_URL and PGDATABASE set
"""

import hashlib
import importlib
import inspect
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from . import drivers, urls


@dataclass
class Migrations:
    tool: str                   # with its version: another one may build another schema
    files: list                 # of (name, path)
    apply: Callable             # is called with the URL of the database to fill

    def hash(self, project):
        """Of the project, too: a template has one name, and processes connect by it."""
        digest = hashlib.sha256(f"{project}\0{self.tool}".encode())
        for name, path in self.files:
            contents = Path(path).read_bytes()
            digest.update(f"\0{name}\0{len(contents)}\0".encode() + contents)
        return digest.hexdigest()


def of(text, root, files=()):
    text, root = text.strip(), Path(root)
    more = matching(root, files)
    path = root / text
    if text.startswith("$"):
        return command(text[1:].strip(), root, more)
    if path.is_dir():
        return scripts(sorted(path.rglob("*.sql")), path, more)
    if path.suffix == ".sql" and path.is_file():
        return scripts([path], path.parent, more)
    if path.suffix == ".ini" and path.is_file():
        return alembic(path, more)
    if ":" in text:
        return function(text, root, more)
    raise ValueError(f"testpool_migrations: {text!r} is no folder, no .sql file, no alembic.ini, "
                     f"no module:function and no '$ command' (below {root})")


def matching(root, patterns):
    found = []
    for pattern in patterns:
        paths = sorted(path for path in root.glob(pattern) if path.is_file())
        if not paths:
            raise ValueError(f"testpool_files: nothing matches {pattern!r} below {root}")
        found += [(path.relative_to(root).as_posix(), path) for path in paths]
    return found


def scripts(paths, folder, more):
    if not paths:
        raise ValueError(f"testpool_migrations: there is no .sql file in {folder}")

    def apply(url):
        connection = drivers.connect(url)
        try:
            for path in paths:
                try:
                    connection.script(path.read_text(encoding="utf-8"))
                except Exception as error:
                    raise RuntimeError(f"{path.name}: {drivers.reason(error)}") from error
        finally:
            connection.close()

    return Migrations("sql", [(path.relative_to(folder).as_posix(), path) for path in paths] + more, apply)


def alembic(ini, more):
    from alembic import __version__, command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    def config():
        # A session that collects output would lose pytest's handlers to fileConfig() in env.py.
        return Config(str(ini), attributes={"configure_logger": False, "testpool": True})

    folder = Path(ScriptDirectory.from_config(config()).dir)
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in (".py", ".sql", ".mako")]

    def apply(url):
        settings = config()
        configured = settings.get_main_option("sqlalchemy.url") or ""
        driver = configured.partition("+")[2].partition(":")[0] if "+" in configured.partition(":")[0] else own_driver()
        address = urls.for_sqlalchemy(url, driver)
        settings.set_main_option("sqlalchemy.url", address.replace("%", "%%"))
        with environment(DATABASE_URL=address):
            command.upgrade(settings, "head")

    return Migrations(f"alembic {__version__}",
                      [(path.relative_to(folder).as_posix(), path) for path in files] + more, apply)


def own_driver():
    for driver in ("psycopg", "asyncpg", "psycopg2"):
        if importlib.util.find_spec(driver):
            return driver
    return "psycopg"


def function(text, root, more):
    module, _, name = text.partition(":")
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    called = getattr(importlib.import_module(module), name)
    source = Path(inspect.getsourcefile(called))
    return Migrations(f"function {text}", [(source.name, source)] + more, called)


def command(text, root, more):
    if not more:
        raise ValueError(f"testpool_files must name the files that '$ {text}' reads: the template is built again when they change")

    def apply(url):
        done = subprocess.run(text, shell=True, cwd=root, capture_output=True, text=True,
                              env=os.environ | {"DATABASE_URL": url, "PGDATABASE": urls.database_of(url)})
        if done.returncode:
            raise RuntimeError(f"{text}: exit status {done.returncode}\n{done.stdout}{done.stderr}".strip())

    return Migrations(f"command {text}", more, apply)


class environment:
    """Sets variables for a while."""

    def __init__(self, **variables):
        self.variables = variables

    def __enter__(self):
        self.before = {name: os.environ.get(name) for name in self.variables}
        os.environ.update(self.variables)

    def __exit__(self, *_):
        for name, value in self.before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
