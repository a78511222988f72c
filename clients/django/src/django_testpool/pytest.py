"""pytest's plugin: a failed test's report tells where its database is."""

import sys

import pytest
from _pytest.unittest import TestCaseFunction

KEPT = pytest.StashKey()


def pytest_sessionstart():
    """For unittest's tests pytest itself is the result, and hears of a failure before Django tears down."""
    if "django" in sys.modules:
        from . import failures
        failures.listen(TestCaseFunction, lambda item, test, lines: item.stash.setdefault(KEPT, []).append(lines))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed and call.when != "teardown" and "django_testpool.creation" in sys.modules:
        from . import failures
        kept = item.stash.get(KEPT, []) if isinstance(item, TestCaseFunction) else failures.keep(item.nodeid)
        report.sections += [("testpool", lines) for lines in kept]
