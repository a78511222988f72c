"""What the template is made of: the migrations and models of all apps, and what else decides what `migrate` does."""

import hashlib
import inspect
from pathlib import Path

import django
from django.apps import apps
from django.conf import settings

SETTINGS = ("DATABASE_ROUTERS", "MIGRATION_MODULES", "DEFAULT_AUTO_FIELD", "AUTH_USER_MODEL", "INSTALLED_APPS", "CACHES")


def of(connection):
    digest = hashlib.sha256(f"django {django.get_version()} {connection.alias}".encode())
    for name in SETTINGS:
        digest.update(f"\0{name} {getattr(settings, name, None)!r}".encode())
    digest.update(repr(sorted(connection.settings_dict["TEST"].items(), key=str)).encode())
    for name, path in files():
        contents = path.read_bytes()
        digest.update(f"\0{name}\0{len(contents)}\0".encode() + contents)
    return digest.hexdigest()


def files():
    found = []
    for app in apps.get_app_configs():
        folder = Path(app.path)
        paths = [path for path in folder.glob("migrations/**/*") if path.suffix in (".py", ".sql", ".json")]
        if app.models_module:
            source = Path(inspect.getsourcefile(app.models_module))
            paths += source.parent.rglob("*.py") if source.name == "__init__.py" else [source]
        found += [(f"{app.label}/{path.relative_to(folder).as_posix()}", path) for path in paths if folder in path.parents]
    for pattern in getattr(settings, "TESTPOOL_FILES", ()):
        paths = [path for path in Path.cwd().glob(pattern) if path.is_file()]
        if not paths:
            raise ValueError(f"TESTPOOL_FILES: nothing matches {pattern!r} below {Path.cwd()}")
        found += [(path.relative_to(Path.cwd()).as_posix(), path) for path in paths]
    return sorted(found, key=lambda each: each[0])
