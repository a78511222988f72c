#!/usr/bin/env python3
"""The gateway beside IntegreSQL, in turns on one throw-away server: `bench/gateway.py INTEGRESQL'S PROGRAM`.
Prints, for each and for tests that share one database: how long GET takes when a database is ready, and tests per
second with a database each: GET, connect, insert twenty rows, leave, POST …/recreate.

IntegreSQL's program is `go build ./cmd/server` in its module, which `go mod download -json
github.com/allaboutapps/integresql@v1.1.0` brings. Needs psycopg2.

  GATEWAY   the gateway's program (default: build/gateway/testpool-gateway)
  ROUNDS    of each contestant (default: 5); SECONDS_EACH: how long one lasts (default: 3)
"""

import http.client
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import time

import psycopg2

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = float(os.environ.get("SECONDS_EACH", "3"))
CLIENTS = 4
POOL = 12
TABLES = 40
GETS = 300


class Client:
    """One connection by HTTP."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port)

    def ask(self, method, path, body=None):
        self.connection.request(method, f"/api/v1/{path}", body, {"Content-Type": "application/json"})
        reply = self.connection.getresponse()
        answer = reply.read()
        assert reply.status in (200, 204), (method, path, reply.status, answer)
        return json.loads(answer) if answer else None


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def start(program, **settings):
    port = free_port()
    environment = {"PGHOST": "127.0.0.1", "INTEGRESQL_ADDRESS": "127.0.0.1", "INTEGRESQL_PORT": str(port),
                   "INTEGRESQL_PGPASSWORD": "none"} | settings
    log = open(os.environ["SERVER_FOLDER"] + "/" + os.path.basename(program) + ".log", "w")
    process = subprocess.Popen([program], env=os.environ | environment, stdout=log, stderr=log)
    for _ in range(200):
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
        time.sleep(0.05)
    raise SystemExit(f"{program} does not start")


def schema(database):
    session = psycopg2.connect(host="127.0.0.1", dbname=database)
    with session, session.cursor() as cursor:
        for number in range(TABLES):
            cursor.execute(f"CREATE TABLE t{number} (id serial PRIMARY KEY, v text);"
                           f"INSERT INTO t{number} (v) SELECT md5(i::text) FROM generate_series(1, 500) i")
    session.close()


def build(port):
    client = Client(port)
    schema(client.ask("POST", "templates", '{"hash": "bench"}')["database"]["config"]["database"])
    client.ask("PUT", "templates/bench")
    taken = [client.ask("GET", "templates/bench/tests")["id"] for _ in range(POOL - 2)]  # the pool has grown
    for number in taken:
        client.ask("POST", f"templates/bench/tests/{number}/unlock")


def use(database):
    session = psycopg2.connect(host="127.0.0.1", dbname=database)
    with session, session.cursor() as cursor:
        cursor.execute("INSERT INTO t1 (v) SELECT 'x' FROM generate_series(1, 20)")
    session.close()


def one_client(port, until, done):
    """Tests, one after the other; without a port they share a database."""
    client = port and Client(port)
    count = 0
    while time.monotonic() < until:
        if client:
            taken = client.ask("GET", "templates/bench/tests")
            use(taken["database"]["config"]["database"])
            client.ask("POST", f"templates/bench/tests/{taken['id']}/recreate")
        else:
            use("bench_shared")
        count += 1
    done.put(count)


def tests_per_second(port):
    done = multiprocessing.Queue()
    began = time.monotonic()
    clients = [multiprocessing.Process(target=one_client, args=(port, began + SECONDS, done)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    count = sum(done.get() for _ in clients)
    for client in clients:
        client.join()
    return count / (time.monotonic() - began)


def quiet():
    """Waits until nobody makes or drops databases."""
    session = psycopg2.connect("")
    session.autocommit = True
    calm = 0
    with session.cursor() as cursor:
        while calm < 20:
            cursor.execute("""SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()
                AND (query ~ '^ *(CREATE|DROP) DATABASE' OR backend_type = 'testpool worker')""")
            calm = calm + 1 if cursor.fetchone()[0] == 0 else 0
            time.sleep(0.01)
    session.close()


def get_latency(port):
    """Of one client, in ms; each database is given back as it is, and is ready again at once."""
    client = Client(port)
    times = []
    for _ in range(GETS):
        began = time.perf_counter()
        taken = client.ask("GET", "templates/bench/tests")
        times.append((time.perf_counter() - began) * 1000)
        client.ask("POST", f"templates/bench/tests/{taken['id']}/unlock")
    return statistics.median(times)


def spread(values, form):
    return f"{form % statistics.median(values)} ({form % min(values)}–{form % max(values)})"


def main():
    rival = sys.argv[1] if len(sys.argv) > 1 else None
    if "SERVER_FOLDER" not in os.environ:
        os.environ["SERVER_CONF"] = ("max_connections = 200\nfull_page_writes = off\nsynchronous_commit = off\n"
                                     f"testpool.pool_size = {POOL}\ntestpool.pool_max = {POOL + 8}\n")
        os.execvp("test/server", ["test/server", sys.executable, *sys.argv])
    session = psycopg2.connect("")
    session.autocommit = True
    with session.cursor() as cursor:
        cursor.execute("CREATE EXTENSION testpool")
        cursor.execute("CREATE DATABASE bench_shared")
    schema("bench_shared")
    contestants = {"testpool-gateway": start(os.environ.get("GATEWAY", "build/gateway/testpool-gateway"))}
    if rival:
        contestants["IntegreSQL"] = start(rival, INTEGRESQL_TEST_INITIAL_POOL_SIZE=str(POOL),
                                          INTEGRESQL_TEST_MAX_POOL_SIZE=str(POOL + 8))
    for _, port in contestants.values():
        build(port)
    latencies = {name: [] for name in contestants}
    rates = {name: [] for name in [*contestants, "one shared database"]}
    for _ in range(ROUNDS):
        for name, (_, port) in contestants.items():
            quiet()
            latencies[name].append(get_latency(port))
        for name in rates:
            quiet()
            rates[name].append(tests_per_second(contestants[name][1] if name in contestants else None))
    print("| | GET of a ready database, ms | tests per second | tax |\n| --- | --- | --- | --- |")
    shared = statistics.median(rates["one shared database"])
    for name, rate in rates.items():
        latency = spread(latencies[name], "%.2f") if name in latencies else ""
        tax = f"{shared / statistics.median(rate):.2f}" if name in latencies else ""
        print(f"| {name} | {latency} | {spread(rate, '%.0f')} | {tax} |")
    for process, _ in contestants.values():
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
