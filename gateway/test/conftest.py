import pytest

from gateway import Gateway, server


@pytest.fixture(scope="session", autouse=True)
def extension():
    server("CREATE EXTENSION IF NOT EXISTS testpool")


@pytest.fixture(scope="module")
def gateway():
    """One for each file of tests; it is asked to end well."""
    one = Gateway()
    yield one
    one.stop()


@pytest.fixture
def clean():
    """Nothing is left of earlier tests."""
    server("SELECT testpool.reset()")
