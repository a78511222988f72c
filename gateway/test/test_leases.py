"""When a database is whose, though clients seldom say that they are done."""

import threading
import time

import pytest
import requests

from gateway import Gateway, connect, name_of, run, server, state_of, until

pytestmark = pytest.mark.usefixtures("clean")


@pytest.fixture(scope="module")
def hasty():
    """Its leases are over as soon as nobody is there; the first client may take its time."""
    one = Gateway(TESTPOOL_GATEWAY_GRACE_MS="0")
    yield one
    one.stop()


def waiting_sessions():
    return server("SELECT count(*) FROM pg_stat_activity"
                  " WHERE query LIKE 'SELECT testpool.acquire%' AND state = 'active'")[0][0]


def test_it_waits_for_the_first_client(hasty):
    hasty.build("h")
    waiting, visited = hasty.fresh("h"), hasty.fresh("h")
    run(visited, "SELECT 1")
    until(lambda: state_of(visited) != "leased", "a lease ends when its client has left")
    assert state_of(waiting) == "leased"


def test_nobody_loses_a_database_while_in_it(hasty):
    hasty.build("h")
    mine, other = hasty.fresh("h"), hasty.fresh("h")
    session = connect(mine)
    with session.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (1)")
        session.commit()
        run(other, "SELECT 1")
        until(lambda: state_of(other) != "leased", "the other lease ends")
        cursor.execute("SELECT v FROM t")
        assert cursor.fetchall() == [(1,)]
    assert state_of(mine) == "leased"
    session.close()
    until(lambda: state_of(mine) != "leased", "the lease ends when its client has left")


def test_the_first_client_may_not_take_for_ever():
    gateway = Gateway(TESTPOOL_GATEWAY_GRACE_MS="0", TESTPOOL_GATEWAY_ARRIVAL_MS="200")
    gateway.build("h")
    forgotten = gateway.fresh("h")
    until(lambda: state_of(forgotten) != "leased", "a lease to which nobody came ends")
    gateway.stop()


def test_a_lease_lasts_as_testpools_grace_by_default(gateway):
    gateway.build("h")
    mine = gateway.fresh("h")
    run(mine, "INSERT INTO t VALUES (1)")
    assert run(mine, "SELECT v FROM t") == [(1,)]  # within the grace
    until(lambda: state_of(mine) != "leased", "it ends a grace after the last client has left")


def test_leases_and_ids_outlive_the_gateway(gateway):
    gateway.build("h")
    mine, other = gateway.fresh("h"), gateway.fresh("h")
    run(mine, "INSERT INTO t VALUES (1)")
    gateway.restart()
    assert gateway.initialize("h").status_code == 423
    assert run(mine, "SELECT v FROM t") == [(1,)]
    assert gateway.unlock("h", mine["id"]).status_code == 204
    assert gateway.fresh("h") == mine
    assert gateway.recreate("h", other["id"]).status_code == 204
    until(lambda: state_of(other) != "leased", "recreate after a restart ends the lease")
    assert gateway.discard("h").status_code == 204


def test_a_build_outlives_the_gateway(gateway):
    template = gateway.initialize("h").json()
    gateway.restart()
    assert gateway.initialize("h").status_code == 423
    run(template, "CREATE TABLE t (v int)")
    assert gateway.finalize("h").status_code == 204
    assert run(gateway.fresh("h"), "SELECT count(*) FROM t") == [(0,)]


def test_a_dead_builder_is_replaced():
    gateway = Gateway(INTEGRESQL_TEMPLATE_FINALIZE_TIMEOUT_MS="500")
    gateway.initialize("h")
    until(lambda: gateway.initialize("h").status_code == 200, "a build that nobody comes to is given up")
    gateway.stop()


def test_waiting_ends_with_the_build(gateway):
    template = gateway.initialize("h").json()
    answers = []
    waiting = [threading.Thread(target=lambda: answers.append(requests.get(
        f"{gateway.api}/templates/h/tests", timeout=60))) for _ in range(12)]
    for thread in waiting:
        thread.start()
    until(lambda: waiting_sessions() == 12, "twelve wait")
    run(template, "CREATE TABLE t (v int)")
    assert gateway.finalize("h").status_code == 204
    for thread in waiting:
        thread.join()
    assert [answer.status_code for answer in answers] == [200] * 12
    assert len({name_of(answer.json()) for answer in answers}) == 12


def test_waiting_ends_with_a_discard(gateway):
    gateway.initialize("h")
    answers = []
    waiting = [threading.Thread(target=lambda: answers.append(requests.get(
        f"{gateway.api}/templates/h/tests", timeout=60))) for _ in range(5)]
    for thread in waiting:
        thread.start()
    until(lambda: waiting_sessions() == 5, "five wait")
    began = time.monotonic()
    assert gateway.discard("h").status_code == 204
    for thread in waiting:
        thread.join()
    assert [answer.status_code for answer in answers] == [410] * 5
    assert time.monotonic() - began < 30


def test_waiting_has_an_end():
    gateway = Gateway(INTEGRESQL_TEST_DB_GET_TIMEOUT_MS="100", INTEGRESQL_TEMPLATE_FINALIZE_TIMEOUT_MS="300")
    builder = connect(gateway.initialize("h").json())
    answer = gateway.get("h")
    assert answer.status_code == 503 and "became ready in time" in answer.json()["message"]
    builder.close()
    gateway.stop()


def test_who_goes_away_leaves_nothing_behind(gateway):
    template = gateway.initialize("h").json()
    for _ in range(3):
        with pytest.raises(requests.Timeout):
            requests.get(f"{gateway.api}/templates/h/tests", timeout=0.3)
    until(lambda: waiting_sessions() == 0, "their requests are cancelled")
    run(template, "CREATE TABLE t (v int)")
    gateway.finalize("h")
    assert server("SELECT count(*) FROM testpool.databases WHERE state = 'leased'") == [(0,)]


def test_a_returned_database_with_somebody_inside_is_not_handed_out(gateway):
    gateway.build("h")
    mine = gateway.fresh("h")
    session = connect(mine)
    gateway.unlock("h", mine["id"])
    assert gateway.fresh("h")["id"] != mine["id"]
    session.close()
    until(lambda: state_of(mine) != "leased" or gateway.fresh("h")["id"] == mine["id"],
          "it is handed out, or made clean, when they have left")


def test_who_waits_gets_what_is_returned(gateway):
    gateway.build("h")
    server("ALTER SYSTEM SET testpool.pool_max = 2")
    server("SELECT pg_reload_conf()")
    try:
        gateway.build("full")
        held = [gateway.fresh("full") for _ in range(2)]
        sessions = [connect(each) for each in held]
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(requests.get(
            f"{gateway.api}/templates/full/tests", timeout=60)))
        waiting.start()
        until(lambda: waiting_sessions() == 1, "one waits")
        gateway.unlock("full", held[0]["id"])
        waiting.join()
        assert answers[0].status_code == 200
        for session in sessions:
            session.close()
    finally:
        server("ALTER SYSTEM RESET testpool.pool_max")
        server("SELECT pg_reload_conf()")
