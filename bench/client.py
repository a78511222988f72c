"""Runs client.cpp, which is compiled when it is first needed."""

import subprocess
from pathlib import Path

import server

SOURCE = server.HERE / "client.cpp"
PROGRAM = server.HERE.parent / "build" / "bench-client"
STEPS = ["take_us", "connect_us", "work_us", "clean_us", "give_us"]
TIMES = ["client", "began_us", *STEPS]


def program():
    if not PROGRAM.exists() or PROGRAM.stat().st_mtime < SOURCE.stat().st_mtime:
        config = subprocess.run(["pg_config", "--includedir", "--libdir"], check=True,
                                capture_output=True, text=True).stdout.split()
        PROGRAM.parent.mkdir(exist_ok=True)
        subprocess.run(["g++", "-O2", "-std=gnu++20", "-I" + config[0], str(SOURCE), "-o", str(PROGRAM),
                        "-L" + config[1], "-lpq", "-pthread"], check=True)
    return str(PROGRAM)


def run(steps, clients=1, tests=None, seconds=None, note=()):
    """Runs tests of these steps, a dict of lists of SQL. Returns a dict for each test, with the columns
    of its note under the names given, and the µs that the whole run took."""
    command = [program(), "--clients", str(clients)]
    command += ["--seconds", str(seconds)] if tests is None else ["--tests", str(tests)]
    for step, statements in steps.items():
        for statement in statements:
            command += ["--" + step, statement]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    *lines, (_, took) = (line.split("\t") for line in done.stdout.splitlines())
    tests = [dict(zip(TIMES, map(int, line))) | dict(zip(note, line[len(TIMES):])) for line in lines]
    return tests, int(took)
