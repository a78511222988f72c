"""Runs client.cpp, which is compiled when it is first needed: with libcurl only for services."""

import subprocess

import server

SOURCE = server.HERE / "client.cpp"
BUILD = server.HERE.parent / "build"
STEPS = ["take_us", "connect_us", "work_us", "clean_us", "give_us"]
TIMES = ["client", "began_us", *STEPS]


def program(http):
    path = BUILD / ("bench-client-http" if http else "bench-client")
    if not path.exists() or path.stat().st_mtime < SOURCE.stat().st_mtime:
        config = subprocess.run(["pg_config", "--includedir", "--libdir"], check=True,
                                capture_output=True, text=True).stdout.split()
        BUILD.mkdir(exist_ok=True)
        subprocess.run(["g++", "-O2", "-std=gnu++20", "-I" + config[0], str(SOURCE), "-o", str(path),
                        "-L" + config[1], "-lpq", "-pthread", *(["-DWITH_HTTP", "-lcurl"] if http else [])],
                       check=True)
    return str(path)


def run(steps, clients=1, tests=None, seconds=None, rate=None, note=()):
    """Runs tests of these steps, a dict of lists of SQL, at most `rate` a second by each client. Returns a
    dict for each test, with the columns of its note under the names given, and the µs that the whole run
    took. It ends after so many tests or seconds, whichever comes first."""
    http = any("://" in statement for statement in steps.get("take", []))
    command = [program(http), "--clients", str(clients)]
    command += ["--tests", str(tests)] if tests is not None else []
    command += ["--seconds", str(seconds)] if seconds is not None else []
    command += ["--rate", str(rate)] if rate is not None else []
    for step, statements in steps.items():
        for statement in statements:
            command += ["--" + step, statement]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    *lines, (_, took) = (line.split("\t") for line in done.stdout.splitlines())
    tests = [dict(zip(TIMES, map(int, line))) | dict(zip(note, line[len(TIMES):])) for line in lines]
    return tests, int(took)


def percentiles(numbers):
    """Those of which there are enough numbers; the largest."""
    ordered = sorted(numbers)
    found = {f"p{100 * share:g}_us": ordered[int(share * len(ordered))] if len(ordered) * (1 - share) >= 1 else ""
             for share in (0.5, 0.95, 0.99, 0.999)}
    return found | {"largest_us": ordered[-1]}
