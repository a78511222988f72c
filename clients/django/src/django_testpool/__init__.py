"""ENGINE = "django_testpool": Django's PostgreSQL backend, with test databases of the extension testpool."""

__version__ = "0.1.0"
