"""IntegreSQL, as a contestant: a service that runs somewhere, given by its URL, or a program that is started
here, on the server that all contestants use.

What is started here gets the same template, copied, and a pool as large as testpool's: as many databases
as there are clients, and two. Its other settings are its defaults.
"""

import atexit
import json
import os
import re
import socket
import subprocess
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path

import server

# It does not tell when it has made all databases anew; the server does.
SETTLE = """DO $$
DECLARE quiet integer := 0;
BEGIN
    WHILE quiet < 10 LOOP
        PERFORM pg_stat_clear_snapshot(), pg_sleep(0.002);
        quiet := CASE WHEN EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active'
            AND query ~ '^ *(CREATE|DROP) DATABASE') THEN 0 ELSE quiet + 1 END;
    END LOOP;
END $$"""


processes = []  # ids of those that were started here


@dataclass(frozen=True)
class Service:
    tests: str  # URL of the template's test databases
    here: bool  # it was started here, and uses this server


def serve(where, template, database, clients):
    """Has a service ready to give out clones of the template. `where`: a URL or a program."""
    started = "://" not in where
    url = start(where, database, clients + 2) if started else where
    templates = f"{url.rstrip('/')}/api/v1/templates"
    key = "bench-" + uuid.uuid4().hex
    config = ask(templates, "POST", {"hash": key})["database"]["config"]
    if not started:
        template.fill("postgresql://{username}:{password}@{host}:{port}/{database}".format(**config))
    ask(f"{templates}/{key}", "PUT")
    tests = f"{templates}/{key}/tests"
    if started:
        fill(tests, clients + 2)
    return Service(tests, started)


def start(program, database, pool):
    port = free_port()
    log = Path(os.environ["SERVER_FOLDER"]) / "integresql.log"
    settings = {"ADDRESS": "127.0.0.1", "PORT": port, "PGHOST": os.environ["PGHOST"],
                "PGPORT": os.environ["PGPORT"], "PGUSER": os.environ["PGUSER"],
                "ROOT_TEMPLATE": database, "TEST_MAX_POOL_SIZE": pool}
    process = subprocess.Popen([program], stdout=log.open("w"), stderr=subprocess.STDOUT,
                               env=os.environ | {f"INTEGRESQL_{name}": str(value)
                                                 for name, value in settings.items()})
    atexit.register(process.wait)
    atexit.register(process.terminate)
    server.until(lambda: answers(port), 20)
    processes.append(process.pid)
    return f"http://127.0.0.1:{port}"


def fill(tests, pool):
    """Its pool grows with each database that is asked for; the measured ones find it full."""
    ids = [ask(tests, "GET")["id"] for _ in range(pool)]
    for number in ids:
        ask(f"{tests}/{number}/unlock", "POST")  # nobody used it: it is clean


def version():
    """What a program that was started here says of itself."""
    log = Path(os.environ["SERVER_FOLDER"]) / "integresql.log"
    found = re.search(r'"version":"[^"@]*@ ([^ "]+)', log.read_text()) if log.exists() else None
    return found[1] if found else ""


def answers(port):
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def ask(url, method, body=None):
    request = urllib.request.Request(url, json.dumps(body or {}).encode(), {"Content-Type": "application/json"},
                                     method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request) as answer:
        return json.loads(answer.read() or "null")
