"""Where IntegreSQL fails: the same cases, over HTTP."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
import requests

from gateway import Gateway, connect, kill_server, name_of, run, server, state_of, until

pytestmark = pytest.mark.usefixtures("clean")


@pytest.fixture
def pool_of_8():
    server("ALTER SYSTEM SET testpool.pool_max = 8")
    server("SELECT pg_reload_conf()")
    yield
    server("ALTER SYSTEM RESET testpool.pool_max")
    server("SELECT pg_reload_conf()")


def runner(gateway, who, tests, recreates):
    """One that does `tests` tests: connects, writes, leaves for a while, comes back. Returns its failures."""
    failures = []
    for number in range(tests):
        answer = requests.get(f"{gateway.api}/templates/h/tests", timeout=120)
        if answer.status_code != 200:
            failures.append(answer.text)
            continue
        try:
            if run(answer.json(), "SELECT v FROM t"):
                failures.append("somebody else's data")
            mark = f"{who}/{number}"
            run(answer.json(), f"INSERT INTO t VALUES ('{mark}')")
            time.sleep(0.3)
            if run(answer.json(), "SELECT v FROM t") != [(mark,)]:
                failures.append("own data gone")
        except psycopg2.Error as error:
            failures.append(str(error))
        if recreates:
            requests.post(f"{gateway.api}/templates/h/tests/{answer.json()['id']}/recreate", timeout=60)
    return failures


@pytest.mark.parametrize("recreates", [False, True], ids=["never returned", "recreated"])
def test_16_runners_share_a_pool_of_8(pool_of_8, recreates):
    gateway = Gateway(TESTPOOL_GATEWAY_GRACE_MS="1500")
    gateway.build("h", "CREATE TABLE t (v text)")
    with ThreadPoolExecutor(16) as runners:
        failures = list(runners.map(lambda who: runner(gateway, who, 6 if recreates else 3, recreates), range(16)))
    assert failures == [[]] * 16
    gateway.stop()


def test_a_discard_with_a_connected_client_wedges_nothing(gateway):
    gateway.build("h")
    mine = gateway.fresh("h")
    session = connect(mine)
    assert gateway.discard("h").status_code == 204
    assert gateway.discard("h").status_code == 404
    gateway.build("other")
    gateway.fresh("other")
    with session.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM t")  # it is usable to its end
    session.close()
    gateway.build("h")
    session = connect(gateway.fresh("h"))
    assert [gateway.ask("DELETE", "/admin/templates").status_code for _ in range(2)] == [204, 204]
    gateway.build("h")
    session.close()


def test_a_session_left_open_in_the_template_is_no_obstacle(gateway):
    answer = gateway.initialize("h")
    session = connect(answer.json())
    assert gateway.finalize("h").status_code == 204
    gateway.fresh("h")
    session.close()


def test_no_wake_up_is_lost_between_gets_and_finalize(gateway):
    failed = []
    for round_number in range(10):
        name = f"round {round_number}"
        gateway.initialize(name)
        with ThreadPoolExecutor(9) as clients:
            answers = [clients.submit(requests.get, f"{gateway.api}/templates/{name}/tests", timeout=60)
                       for _ in range(8)]
            assert gateway.finalize(name).status_code == 204
            failed += [each.result().text for each in answers if each.result().status_code != 200]
        gateway.discard(name)
    assert failed == []


def test_eleven_workers_build_once_when_cold_and_never_when_warm(gateway):
    def worker(_):
        answer = requests.post(f"{gateway.api}/templates", json={"hash": "h"}, timeout=60)
        built = answer.status_code == 200
        if built:
            run(answer.json(), "CREATE TABLE t (v int)")
            assert requests.put(f"{gateway.api}/templates/h", timeout=60).status_code == 204
        else:
            assert answer.status_code == 423
        mine = requests.get(f"{gateway.api}/templates/h/tests", timeout=60)
        assert run(mine.json(), "SELECT count(*) FROM t") == [(0,)]
        return built

    for builds in (1, 0):
        with ThreadPoolExecutor(11) as workers:
            assert sum(workers.map(worker, range(11))) == builds


def test_more_waiting_than_connections_keep_nobody_from_finalizing():
    gateway = Gateway(TESTPOOL_GATEWAY_CONNECTIONS="4")
    gateway.initialize("h")
    with ThreadPoolExecutor(20) as clients:
        answers = [clients.submit(requests.get, f"{gateway.api}/templates/h/tests", timeout=60) for _ in range(20)]
        until(lambda: server("SELECT count(*) = 2 FROM pg_stat_activity WHERE query LIKE 'SELECT testpool.acquire%%'"
                             " AND state = %s", ("active",)) == [(True,)], "two wait in the server")
        assert gateway.finalize("h").status_code == 204
        assert [each.result().status_code for each in answers] == [200] * 20
    gateway.stop()


def test_a_restart_of_the_server_forgets_no_template(gateway):
    gateway.build("h", "CREATE TABLE t AS SELECT 1 v")
    gateway.fresh("h")
    kill_server()
    answer = gateway.initialize("h")
    assert answer.status_code == 423, answer.text
    assert run(gateway.fresh("h"), "SELECT v FROM t") == [(1,)]


def test_a_server_that_is_away_is_told_in_json():
    gateway = Gateway(INTEGRESQL_PGPORT="1")
    answer = gateway.get("h")
    assert answer.status_code == 503 and "refused" in answer.json()["message"]
    assert gateway.session.get(f"{gateway.root}/readyz").status_code == 503
    assert gateway.session.get(f"{gateway.root}/healthz").status_code == 200
    gateway.stop()


def client(gateway, who, until_time, seen):
    """Takes databases, writes its mark, and looks whether it stays alone. Failures of the network are none."""
    wrong, done = [], 0
    number = 0
    while time.monotonic() < until_time:
        number += 1
        try:
            answer = requests.get(f"{gateway.api}/templates/h/tests", timeout=30)
            if answer.status_code == 503:
                continue
            if answer.status_code != 200:
                wrong.append(answer.text)
                continue
            session = connect(answer.json())
        except (requests.RequestException, psycopg2.OperationalError):
            continue
        mark = f"{who}/{number}"
        try:
            with session, session.cursor() as cursor:
                cursor.execute("INSERT INTO t VALUES (%s)", (mark,))
            with session, session.cursor() as cursor:
                cursor.execute("SELECT v FROM t")
                if (rows := cursor.fetchall()) != [(mark,)]:
                    wrong.append(f"{mark} found {rows} in {name_of(answer.json())}")
            done += 1
        except psycopg2.Error:
            pass  # the server was killed
        finally:
            session.close()
        try:
            requests.post(f"{gateway.api}/templates/h/tests/{answer.json()['id']}/recreate", timeout=30)
        except requests.RequestException:
            pass
    seen.append((wrong, done))


def test_64_clients_and_kills_of_gateway_and_server():
    gateway = Gateway(TESTPOOL_GATEWAY_GRACE_MS="1000", TESTPOOL_GATEWAY_ARRIVAL_MS="10000")
    gateway.build("h", "CREATE TABLE t (v text)")
    seen = []
    end = time.monotonic() + 16
    clients = [threading.Thread(target=client, args=(gateway, who, end, seen)) for who in range(64)]
    for thread in clients:
        thread.start()
    for kill in (gateway.restart, kill_server, gateway.restart):
        time.sleep(3)
        kill()
    for thread in clients:
        thread.join()
    assert [wrong for wrong, _ in seen if wrong] == []
    assert len(seen) == 64 and sum(done for _, done in seen) > 64
    leased = "SELECT database, pid, leased_at, sessions FROM testpool.databases WHERE state = 'leased'"
    until(lambda: server(leased) == [], "every lease ends")
    gateway.stop()
    server("SELECT testpool.reset()")
    assert server("SELECT count(*) FROM pg_database WHERE datname LIKE 'testpool%'") == [(0,)]
