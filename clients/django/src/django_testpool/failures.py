"""Hears of failed tests, and keeps their databases."""

import functools
import sys
import unittest

from django.db import connections

watching = False


def watch():
    """From unittest's results, of which every runner's is one."""
    global watching
    if not watching:
        watching = True
        listen(unittest.TestResult, lambda result, test, lines: print(f"\n{test.id()}: {lines}", file=sys.stderr))


def listen(result_class, tell):
    """A failure is told before the test's tearDown, and before Django's own."""
    def listening(method):
        @functools.wraps(method)
        def add(result, test, *error):
            method(result, test, *error)
            for lines in keep(test.id()):
                tell(result, test, lines)
        return add

    for name in ("addFailure", "addError"):
        setattr(result_class, name, listening(getattr(result_class, name)))


def keep(test):
    """Keeps the databases of a failed test, and returns what is to be told of each."""
    for connection in connections.all(initialized_only=True):
        creation = connection.creation
        if hasattr(creation, "keep"):
            try:
                lines = creation.keep(test)
            except Exception as error:
                lines = f"not kept: {error}"
            if lines:
                yield lines
