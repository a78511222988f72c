"""Each route of IntegreSQL's REST API: what it answers, and when it refuses."""

import re
from urllib.parse import quote

import pytest

from gateway import Gateway, name_of, run, server, until

pytestmark = pytest.mark.usefixtures("clean")


def message_of(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert answer.text.endswith("\n")
    body = answer.json()
    assert list(body) == ["message"]
    return body["message"]


def test_a_template_is_initialized_once(gateway):
    answer = gateway.initialize("h")
    assert answer.status_code == 200
    database = answer.json()["database"]
    assert database["templateHash"] == "h"
    assert set(database["config"]) == {"host", "port", "username", "password", "database"}
    assert isinstance(database["config"]["port"], int)
    assert message_of(gateway.initialize("h"), 423) == "template is already initialized"
    assert gateway.finalize("h").status_code == 204
    assert message_of(gateway.initialize("h"), 423) == "template is already initialized"


@pytest.mark.parametrize("options", [
    {"json": {"hash": ""}}, {"json": {}}, {"json": {"hash": None}}, {}, {"json": {"Hash": "h"}},
    {"data": "null", "headers": {"Content-Type": "application/json"}},
    {"data": {"other": "h"}}, {"headers": {"Content-Type": "application/json"}},
], ids=str)
def test_without_a_hash_nothing_is_initialized(gateway, options):
    assert message_of(gateway.ask("POST", "/templates", **options), 400) == "hash is required"


@pytest.mark.parametrize("body, message", [
    ("{", "Syntax error"), ('"h"', "Unmarshal type error"), ('{"hash": 1}', "Unmarshal type error"),
    ('{"hash": "a\\u0000b"}', "NUL"), (b'{"hash": "\xff"}', "Syntax error"), ("[" * 100_000, "Syntax error"),
], ids=lambda value: str(value)[:20])
def test_what_is_no_hash_is_refused(gateway, body, message):
    answer = gateway.ask("POST", "/templates", data=body, headers={"Content-Type": "application/json"})
    assert message in message_of(answer, 400)


def test_forms_are_taken_and_other_types_are_not(gateway):
    assert gateway.ask("POST", "/templates", data={"hash": "a form & more"}).status_code == 200
    answer = gateway.ask("POST", "/templates", data="hash=h", headers={"Content-Type": "text/plain"})
    message_of(answer, 415)


def test_a_body_of_null_does_no_harm_where_none_is_wanted(gateway):
    null = {"data": "null", "headers": {"Content-Type": "application/json"}}
    gateway.build("h")
    assert gateway.ask("PUT", "/templates/h", **null).status_code == 204
    number = gateway.ask("GET", "/templates/h/tests", **null).json()["id"]
    assert gateway.ask("POST", f"/templates/h/tests/{number}/unlock", **null).status_code == 204
    assert gateway.ask("DELETE", "/templates/h", **null).status_code == 204


def test_a_slash_at_the_end_counts_for_nothing(gateway):
    assert gateway.ask("POST", "/templates/", json={"hash": "h"}).status_code == 200
    assert gateway.ask("PUT", "/templates/h/").status_code == 204
    assert gateway.ask("GET", "/templates/h/tests/").status_code == 200


def test_finalize_may_be_repeated(gateway):
    assert message_of(gateway.finalize("h"), 404) == "template not found"
    gateway.initialize("h")
    assert [gateway.finalize("h").status_code for _ in range(2)] == [204, 204]
    assert gateway.finalize("h").content == b""


def test_a_discarded_template_is_gone_and_can_be_built_again(gateway):
    assert message_of(gateway.discard("h"), 404) == "template not found"
    gateway.build("h")
    assert gateway.discard("h").status_code == 204
    assert "was discarded" in message_of(gateway.get("h"), 410)
    message_of(gateway.finalize("h"), 404)
    message_of(gateway.discard("h"), 404)
    gateway.build("h", "CREATE TABLE other (v int)")
    assert run(gateway.fresh("h"), "SELECT count(*) FROM other") == [(0,)]


def test_tests_get_a_database_each(gateway):
    assert message_of(gateway.get("h"), 404) == "template not found"
    gateway.build("h")
    answers = [gateway.fresh("h") for _ in range(6)]
    assert len({name_of(each) for each in answers}) == 6
    assert len({each["id"] for each in answers}) == 6
    for each in answers:
        assert isinstance(each["id"], int)
        assert run(each, "INSERT INTO t VALUES (1) RETURNING v") == [(1,)]


@pytest.mark.parametrize("way", ["unlock", "delete"])
def test_a_returned_database_comes_back_as_it_is(gateway, way):
    gateway.build("h")
    first = gateway.fresh("h")
    run(first, "INSERT INTO t VALUES (7)")
    inside = "SELECT sessions FROM testpool.databases WHERE database = %s"
    until(lambda: server(inside, (name_of(first),)) == [(0,)], "nobody is in it any more")
    for _ in range(2):  # returning it twice does no harm
        if way == "unlock":
            assert gateway.unlock("h", first["id"]).status_code == 204
        else:
            assert gateway.ask("DELETE", f"/templates/h/tests/{first['id']}").status_code == 204
    second = gateway.fresh("h")
    assert second == first
    assert run(second, "SELECT v FROM t") == [(7,)]
    assert gateway.fresh("h")["id"] != first["id"]


def test_a_recreated_database_is_clean_for_whoever_comes_next(gateway):
    gateway.build("h")
    used = gateway.fresh("h")
    run(used, "INSERT INTO t VALUES (7)")
    assert gateway.recreate("h", used["id"]).status_code == 204
    assert gateway.recreate("h", used["id"]).status_code == 204
    for _ in range(8):
        assert run(gateway.fresh("h"), "SELECT count(*) FROM t") == [(0,)]


@pytest.mark.parametrize("action", ["unlock", "recreate"])
def test_ids_are_checked(gateway, action):
    gateway.build("h")
    path = f"/templates/h/tests/%s/{action}"
    for bad in ("x", "1.5", "1x", "99999999999999999999", "%20"):
        assert message_of(gateway.ask("POST", path % bad), 400) == "invalid test database ID"
    for unknown in (-1, 10 ** 9):
        assert message_of(gateway.ask("POST", path % unknown), 404) == "test database not found"
    assert message_of(gateway.ask("POST", f"/templates/no/tests/1/{action}"), 404) == "template not found"


def test_everything_can_be_forgotten(gateway):
    assert gateway.ask("DELETE", "/admin/templates").status_code == 204
    gateway.build("h")
    gateway.fresh("h")
    assert gateway.ask("DELETE", "/admin/templates").status_code == 204
    assert message_of(gateway.get("h"), 404) == "template not found"
    gateway.build("h")


@pytest.mark.parametrize("name", [
    "a/b", "a b", 'a"b', "ü", "UPPER", "h/tests/1", "%41", "..", ".", "a?b#c", "x" * 64, "x" * 1024, "y" * 2500,
    "tests", "'; DROP TABLE t; --",
], ids=lambda name: name[:12])
def test_a_hash_is_any_text_of_any_length(gateway, name):
    path = f"{gateway.api}/templates/{quote(name, safe='').replace('.', '%2E')}"

    def ask(method, suffix=""):
        import http.client
        from urllib.parse import urlsplit
        parts = urlsplit(gateway.root)
        client = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        client.request(method, path.removeprefix(gateway.root) + suffix)
        return client.getresponse().status

    answer = gateway.initialize(name)
    assert answer.status_code == 200 and answer.json()["database"]["templateHash"] == name
    assert ask("PUT") == 204
    assert ask("GET", "/tests") == 200
    assert ask("DELETE") == 204


def test_similar_hashes_are_different_templates(gateway):
    for name in ("z" * 2000 + "1", "z" * 2000 + "2", "Z" * 2000 + "1"):
        gateway.build(name, f"CREATE TABLE t AS SELECT '{name}'::text v")
        assert run(gateway.fresh(name), "SELECT v FROM t") == [(name,)]


def test_other_methods_and_paths_are_refused(gateway):
    answer = gateway.ask("PATCH", "/templates/h")
    assert message_of(answer, 405) == "Method Not Allowed"
    assert answer.headers["Allow"] == "PUT, DELETE"
    message_of(gateway.ask("GET", "/templates"), 405)
    assert message_of(gateway.ask("GET", "/nothing"), 404) == "Not Found"
    assert message_of(gateway.ask("GET", "/templates//tests"), 404) == "template not found"
    assert message_of(gateway.ask("GET", "/templates/%ff/tests"), 400)


def test_a_request_has_an_id(gateway):
    assert gateway.get("no", headers={"X-Request-Id": "mine"}).headers["X-Request-Id"] == "mine"
    assert re.fullmatch("[0-9a-f]{16}", gateway.get("no").headers["X-Request-Id"])


def test_too_long_a_body_is_refused(gateway):
    answer = gateway.ask("POST", "/templates", data="x" * (2 << 20), headers={"Content-Type": "application/json"})
    assert message_of(answer, 413)


def test_clients_are_told_the_public_address():
    gateway = Gateway(TESTPOOL_GATEWAY_PUBLIC_HOST="db.example", TESTPOOL_GATEWAY_PUBLIC_PORT="6432",
                      INTEGRESQL_PGPASSWORD="not needed here")
    config = gateway.initialize("h").json()["database"]["config"]
    assert (config["host"], config["port"], config["password"]) == ("db.example", 6432, "not needed here")
    gateway.stop()
    assert "not needed here" not in "\n".join(gateway.log)


def test_a_token_is_asked_for_if_there_is_one():
    gateway = Gateway(TESTPOOL_GATEWAY_TOKEN="secret")
    for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": "Bearer secre"},
                    {"Authorization": "Bearer secrets"}, {"Authorization": "Basic secret"}):
        assert message_of(gateway.get("h", headers=headers), 401) == "Unauthorized"
    message_of(gateway.get("h", headers={"Authorization": "Bearer secret"}), 404)
    assert gateway.session.get(f"{gateway.root}/healthz").status_code == 200
    gateway.stop()
    assert "secret" not in "\n".join(gateway.log)
