"""A real PostgreSQL database for each test, by the server's extension testpool."""

__version__ = "0.1.0"
