"""GET / and GET /events, as a program sees them: what may be seen and done, by whom, and that nothing of what
stands in the page can run."""

import json
import re
from html import unescape

import pytest
import requests

from fake import Fake, each_state
from gateway import Gateway, connect, name_of, run, server, state_of, until

pytestmark = pytest.mark.usefixtures("clean")
EVIL = """<script>alert("x")</script>' onload='y & "z" """


@pytest.fixture
def fake():
    one = Fake("fake_home")
    yield one
    one.drop()


@pytest.fixture
def gateway_of_fake(fake):
    gateway = Gateway(INTEGRESQL_PGDATABASE=fake.name)
    yield gateway
    gateway.stop()


@pytest.fixture(scope="module")
def locked():
    gateway = Gateway(TESTPOOL_GATEWAY_TOKEN="open sesame")
    yield gateway
    gateway.stop()


def page(gateway, query="", **options):
    answer = gateway.session.get(f"{gateway.root}/{query}", timeout=30, **options)
    assert answer.status_code == 200, answer.text
    return answer.text


def words(markup):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", markup)))


def events(gateway, query="", **options):
    """The events of one who follows the page."""
    with requests.get(f"{gateway.root}/events{query}", stream=True, timeout=30, **options) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        for line in stream.iter_lines():
            if line.startswith(b"data: "):
                yield json.loads(line[6:])


def keep(gateway, reason="test_refund: 3 is not 4"):
    gateway.build("h", "CREATE TABLE t (v int)")
    kept = gateway.fresh("h")
    run(kept, "INSERT INTO t SELECT generate_series(1, 3)")
    server("SELECT testpool.keep(%s, %s)", (name_of(kept), reason))
    return kept


def test_nothing_from_elsewhere_is_loaded_and_nothing_inline_runs(gateway):
    answer = gateway.session.get(f"{gateway.root}/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|https?://", answer.text)
    for address in re.findall(r'(?:src|href)="(/page/[^"]*)"', answer.text):
        assert gateway.session.get(gateway.root + address).status_code == 200


def test_what_others_wrote_is_text(gateway_of_fake, fake):
    fake.template(EVIL, EVIL, owner=EVIL, builder_application_name=EVIL, reason=EVIL)
    for state in ("kept", "leased"):
        fake.database(f"{state}{EVIL}"[:60], state, EVIL, template=EVIL, role=EVIL, application_name=EVIL, client=EVIL,
                      reason=EVIL, leased_at="now")
    fake.insert("sentences", sentence=EVIL)
    fake.insert("stats", hash=EVIL, last_error=EVIL, last_refusal=EVIL)
    name = requests.utils.quote(f"kept{EVIL}"[:60])
    for query in ("", f"?template={requests.utils.quote(EVIL)}", f"?database={name}"):
        markup = page(gateway_of_fake, query)
        assert "<script>" not in markup and "onload='" not in markup
        assert EVIL.strip() in words(markup)
        changes = next(events(gateway_of_fake, query))["sections"]
        blocks = [block for each in changes.values() for block in each["blocks"].values()]
        assert blocks and not any("<script>" in block or "onload='" in block for block in blocks)


def test_what_is_asked_for_is_text_too(gateway):
    for query in ("?database=<script>", "?template=<script>", "?database=%00%FF<script>", "?database=&template="):
        assert "<script>" not in page(gateway, query)
        assert "<script>" not in json.dumps(next(events(gateway, query)))


def test_each_state_is_shown(gateway_of_fake, fake):
    each_state(fake)
    markup = page(gateway_of_fake)
    for number, state in enumerate(("ready", "cloning", "recycling", "failed", "leased", "kept")):
        assert re.search(rf'class="{state}"[^>]*aria-label="testpool_1_{number}, {state}', markup)
    said = words(markup)
    for what in ("building by migrate", "a new migration", "test_refund failed", "app · pytest · process 4711",
                 "copying files", "2.9 MB of 7.6 MB", "raise testpool.pool_size from 2 to 12", "1 worker has nothing to do",
                 "76 GB"):
        assert what in said, what
    assert "no space left on device" in words(page(gateway_of_fake, "?database=testpool_1_3"))
    history = words(page(gateway_of_fake, "?template=h1"))
    assert "discarded, a new migration: h0" in history and "build claimed by app" in history


def test_waits_are_counted_from_the_start_of_the_gateway(fake):
    fake.template("h", "orders")
    fake.insert("waits", hash="h", up_to_ms=1000, acquires=500)
    gateway = Gateway(INTEGRESQL_PGDATABASE=fake.name)
    assert "handed out 0" in words(page(gateway))
    fake.sql("INSERT INTO testpool.waits (hash, up_to_ms, acquires) VALUES ('h', 0.25, 90), ('h', 40, 9), ('h', 3000, 1)")
    until(lambda: "handed out 100" in words(page(gateway)), "the waits are sampled")
    said = words(page(gateway))
    assert "half 0.2 ms 95 % 40 ms 99 % 40 ms longest 3.0 s" in said
    assert "this minute 100 0.2 ms 40 ms 40 ms 3.0 s" in said or "1 minute ago 100" in said
    fake.sql("UPDATE testpool.waits SET acquires = 1")  # reset_stats, and one each since
    until(lambda: "handed out 104" in words(page(gateway)), "counts that are set back are counted on")
    gateway.stop()


def test_an_event_tells_what_has_changed_and_nothing_else(gateway_of_fake, fake):
    for number in range(300):
        fake.template(f"h{number}", f"template {number}")
        fake.database(f"testpool_{number}_1", "ready", f"h{number}")
    stream = events(gateway_of_fake)
    first = next(stream)["sections"]
    assert len(first["templates"]["blocks"]) == 300
    fake.sql("UPDATE testpool.databases SET state = 'leased', leased_at = now(), role = 'app' WHERE hash = 'h7'")
    changes = next(each for each in stream if each["sections"])["sections"]
    assert list(changes) == ["leases", "summary", "templates"]
    assert len(changes["templates"]["blocks"]) == 1
    assert list(changes["leases"]["blocks"]) == changes["leases"]["order"]
    fake.sql("DELETE FROM testpool.databases WHERE hash = 'h7'")
    changes = next(each for each in stream if each["sections"])["sections"]
    assert changes["leases"]["order"] == ["leases-none"]
    stream.close()


def test_the_difference_that_a_test_made_is_told(gateway):
    kept = keep(gateway)
    said = words(page(gateway, f"?database={name_of(kept)}"))
    assert "test_refund: 3 is not 4" in said
    assert re.search(r"changed table public\.t .*\+3 3 inserted", said)
    assert f"psql -h 127.0.0.1 -p {server('SHOW port')[0][0]} -U postgres -d {name_of(kept)}" in said


def test_who_has_no_token_only_looks(gateway):
    kept = keep(gateway)
    assert "Release" not in words(page(gateway))
    answer = gateway.session.post(f"{gateway.root}/databases/{name_of(kept)}/release", allow_redirects=False)
    assert answer.status_code == 403 and "TESTPOOL_GATEWAY_TOKEN" in answer.json()["message"]
    assert state_of(kept) == "kept"


def test_with_a_token_the_page_asks_for_it(locked):
    for path in ("/", "/events", "/metrics", "/api/v1/templates/h/tests"):
        answer = requests.get(locked.root + path, timeout=30)
        assert answer.status_code == 401 and "Basic" in answer.headers["WWW-Authenticate"]
        for wrong in (("", "open"), ("open sesame", ""), ("x", "open sesame!")):
            assert requests.get(locked.root + path, auth=wrong, timeout=30).status_code == 401
    for wrong in ("Basic", "Basic ", "Basic ====", "Basic b3Blbg==", "Bearer", "Basic " + "A" * 5000, "Basic \x7f"):
        assert requests.get(locked.root, headers={"Authorization": wrong}, timeout=30).status_code == 401
    assert "Templates and their pools" in page(locked, auth=("whoever", "open sesame"))
    assert "Templates and their pools" in page(locked, headers={"Authorization": "Bearer open sesame"})


def test_a_kept_database_is_released_and_no_other(locked):
    locked.session.headers["Authorization"] = "Bearer open sesame"
    kept = keep(locked)
    leased = locked.fresh("h")
    release = f"{locked.root}/databases/%s/release"
    assert "Release" in words(page(locked))
    for other in (name_of(leased), "postgres", "x' OR true --", "%00"):
        assert locked.session.post(release % other, allow_redirects=False).status_code == 303
    assert state_of(leased) == "leased" and state_of(kept) == "kept"
    answer = locked.session.post(release % name_of(kept), allow_redirects=False)
    assert answer.status_code == 303 and answer.headers["Location"] == "/"
    until(lambda: state_of(kept) != "kept", "it is released")


@pytest.mark.parametrize("site, status", [("cross-site", 403), ("same-site", 403), ("same-origin", 303), ("none", 303)])
def test_another_sites_page_changes_nothing(locked, site, status):
    locked.session.headers["Authorization"] = "Bearer open sesame"
    answer = locked.session.post(f"{locked.root}/databases/x/release", headers={"Sec-Fetch-Site": site}, allow_redirects=False)
    assert answer.status_code == status
    if status == 403:
        refused = locked.session.post(f"{locked.api}/templates", data={"hash": "h"}, headers={"Sec-Fetch-Site": site})
        assert refused.status_code == 403


def test_without_the_server_the_page_says_so():
    gateway = Gateway(INTEGRESQL_PGPORT="1")
    answer = gateway.session.get(f"{gateway.root}/", timeout=60)
    assert answer.status_code == 503 and "PostgreSQL does not answer" in words(answer.text)
    assert "refused" in next(events(gateway))["error"]
    gateway.stop()


def test_those_who_follow_do_not_keep_the_gateway_from_ending(gateway_of_fake):
    streams = [events(gateway_of_fake) for _ in range(5)]
    for stream in streams:
        next(stream)
    gateway_of_fake.stop()
    for stream in streams:
        stream.close()


def test_no_more_than_a_hundred_follow(gateway_of_fake):
    streams = [requests.get(f"{gateway_of_fake.root}/events", stream=True, timeout=30) for _ in range(100)]
    refused = requests.get(f"{gateway_of_fake.root}/events", timeout=30)
    assert refused.status_code == 503 and "have the page open" in refused.json()["message"]
    assert gateway_of_fake.session.get(f"{gateway_of_fake.root}/").status_code == 200
    for stream in streams:
        stream.close()
    until(lambda: requests.get(f"{gateway_of_fake.root}/events", stream=True, timeout=30).status_code == 200,
          "who has left is forgotten")


def test_a_session_inside_is_told(gateway):
    gateway.build("h")
    mine = gateway.fresh("h")
    session = connect(mine)
    until(lambda: re.search(rf"{name_of(mine)} h postgres .* 1 session", words(page(gateway))), "one is inside")
    session.close()
