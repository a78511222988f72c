"""The page in Chromium: it is live, leads from a failed test to what the test did and back, works by keyboard, without
scripts, on a telephone and with a thousand databases."""

import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from fake import Fake, each_state
from gateway import Gateway, name_of, run, server, state_of, until

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PICTURE = Path(__file__).parent.parent.parent / "docs" / "gateway.png"
pytestmark = [pytest.mark.usefixtures("clean"), pytest.mark.skipif(not CHROMIUM, reason="chromium is not there")]
expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def chromium():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """Opens a page; nothing in it may fail or be refused."""
    contexts, wrong = [], []

    def open_page(gateway, query="", **options):
        context = chromium.new_context(
            http_credentials={"username": "anybody", "password": "secret"},
            permissions=["clipboard-read", "clipboard-write"], **({"viewport": {"width": 1200, "height": 900}} | options))
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        # That the gateway is away, a test that ends it need not be told.
        page.on("console", lambda message: wrong.append(message.text)
                if message.type == "error" and "net::ERR_" not in message.text else None)
        page.goto(f"{gateway.root}/{query}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture(scope="module")
def locked():
    gateway = Gateway(TESTPOOL_GATEWAY_TOKEN="secret")
    gateway.session.headers["Authorization"] = "Bearer secret"
    yield gateway
    gateway.stop()


@pytest.fixture(scope="module")
def fake():
    one = Fake("fake_browser")
    yield one
    one.drop()


@pytest.fixture(scope="module")
def of_fake(fake):
    gateway = Gateway(INTEGRESQL_PGDATABASE=fake.name)
    yield gateway
    gateway.stop()


@pytest.fixture(autouse=True)
def empty(fake):
    fake.sql("TRUNCATE testpool.templates, testpool.databases, testpool.stats, testpool.waits, testpool.progress,"
             " testpool.sentences")


def a_failed_test(gateway):
    gateway.build("a hash", "CREATE TABLE invoice AS SELECT generate_series(1, 100) AS id")
    failed = gateway.fresh("a hash")
    run(failed, "DELETE FROM invoice WHERE id < 10")
    server("SELECT testpool.keep(%s, %s)", (name_of(failed), "test_refund: 91 invoices instead of 100"))
    return failed


def test_a_failed_test_is_found_understood_and_released(visit, locked):
    failed = a_failed_test(locked)
    page = visit(locked)
    card = page.get_by_role("article").filter(has_text="test_refund: 91 invoices instead of 100")
    card.get_by_role("link", name="What did the test do?").click()
    row = page.locator(".difference tbody tr").filter(has_text="public.invoice")
    expect(row).to_contain_text("−9")
    expect(row).to_contain_text("9 deleted")
    expect(page.get_by_role("heading", name=name_of(failed), level=2)).to_be_focused()

    card.get_by_role("button", name="Copy").click()
    expect(card.get_by_role("button", name="Copied")).to_be_visible()
    line = page.evaluate("navigator.clipboard.readText()")
    done = subprocess.run(f"{line} -Atc 'SELECT count(*) FROM invoice'", shell=True, capture_output=True, text=True)
    assert done.stdout == "91\n", done.stderr

    page.keyboard.press("Escape")
    expect(page.locator("#inspected")).to_have_count(0)
    assert page.url == f"{locked.root}/"
    card.get_by_text("Release …").click()
    card.get_by_role("button", name="Release it: what the test left is lost").click()
    expect(page.get_by_text("No database is kept.")).to_be_visible()
    until(lambda: state_of(failed) != "kept", "it is released")


def test_the_page_is_live(visit, locked):
    page = visit(locked)
    expect(page.locator("#live")).to_have_text("live")
    expect(page.get_by_text("There is no template yet")).to_be_visible()
    locked.build("h")
    held = locked.fresh("h")
    expect(page.locator(f".cells a.leased[aria-label^='{name_of(held)},']")).to_be_visible()
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name_of(held), exact=True))
    expect(row).to_contain_text("testpool-gateway")
    expect(row.locator("time")).to_contain_text("ago")
    locked.recreate("h", held["id"])
    expect(page.get_by_text("Nobody holds a database.")).to_be_visible()


def test_what_is_open_stays_open_and_what_has_the_focus_keeps_it(visit, of_fake, fake):
    each_state(fake)
    fake.sql("INSERT INTO testpool.waits (hash, up_to_ms, acquires) VALUES ('h1', 1, 5)")
    page = visit(of_fake)
    cell = page.locator(".cells a").nth(2)
    cell.focus()
    expect(page.locator("#live")).to_have_text("live")
    label = cell.get_attribute("aria-label")
    fake.sql("UPDATE testpool.databases SET state = 'ready' WHERE database = 'testpool_1_1'")
    expect(page.locator(".cells a.ready[aria-label='testpool_1_1, ready']")).to_be_visible()
    assert page.evaluate("document.activeElement.ariaLabel") == label


def test_it_comes_back_when_the_gateway_does(visit):
    gateway = Gateway()
    page = visit(gateway)
    expect(page.locator("#live")).to_have_text("live")
    page.evaluate("window.same = true")
    gateway.restart()
    gateway.build("h")
    expect(page.get_by_role("rowheader", name="h", exact=True)).to_be_visible()
    assert page.evaluate("window.same")
    gateway.stop()


def test_each_state_has_a_mark_of_its_own(visit, of_fake, fake):
    each_state(fake)
    page = visit(of_fake)
    cells = page.locator(".cells a")
    expect(cells).to_have_count(6)
    looks = {cell.evaluate("""cell => { const at = (which) => { const style = getComputedStyle(cell, which);
        return style.backgroundImage + style.backgroundColor + style.content }; return at(null) + at('::after') }""")
        for cell in cells.all()}
    assert len(looks) == 6
    assert sorted(page.locator(".legend li").all_inner_texts()) == sorted(
        ["kept", "leased", "recycling", "cloning", "ready", "failed"])


def test_by_keyboard(visit, of_fake, fake):
    each_state(fake)
    page = visit(of_fake)
    expect(page.locator("#live")).to_have_text("live")
    assert page.locator(".cells a[tabindex='0']").count() == 1
    page.get_by_role("link", name="orders").first.focus()
    page.keyboard.press("Tab")
    for key, label in (("ArrowRight", "testpool_1_1"), ("End", "testpool_1_5"), ("ArrowLeft", "testpool_1_4"), ("Home", "testpool_1_0")):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.ariaLabel").startswith(label)
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="testpool_1_5", level=2)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#inspected")).to_have_count(0)
    expect(page.locator(".cells a.kept")).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("testpool_1_4 pytest")
    expect(page.locator("#kept article")).to_be_hidden()
    expect(page.locator("#leases tr")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="testpool_1_5", level=2)).to_be_visible()


def test_a_templates_history(visit, of_fake, fake):
    each_state(fake)
    page = visit(of_fake)
    page.get_by_role("rowheader", name="orders").first.get_by_role("link").click()
    panel = page.locator("#inspected")
    expect(panel.get_by_role("listitem").filter(has_text="build claimed by app: h0")).to_be_visible()
    expect(panel).to_contain_text("discarded, a new migration")
    expect(panel.get_by_role("img", name="Databases by state")).to_be_visible()


def test_without_scripts_it_is_complete(visit, locked):
    failed = a_failed_test(locked)
    page = visit(locked, java_script_enabled=False)
    expect(page.get_by_role("row").filter(has_text="a hash")).to_contain_text("1")
    expect(page.locator("noscript p")).to_be_visible()
    expect(page.locator("#find, button.copy").locator("visible=true")).to_have_count(0)
    page.get_by_role("link", name="What did the test do?").click()
    expect(page.locator(".difference")).to_contain_text("9 deleted")
    page.get_by_role("link", name="Close").click()
    page.get_by_text("Release …").click()
    page.get_by_role("button", name="Release it").click()
    expect(page.get_by_text("No database is kept.")).to_be_visible()
    until(lambda: state_of(failed) != "kept", "it is released")


def crowd(fake):
    """A thousand databases of ten templates, 300 of them leased; names and reasons are as long as they may be."""
    for number in range(10):
        fake.template(f"h{number}", f"{'long name' * 6} {number}", reason="x")
    fake.sql("""INSERT INTO testpool.databases (database, hash, template, state, role, application_name, leased_at, created_at, reason, sessions)
        SELECT 'testpool_' || n, 'h' || least(n / 50, 9), 'template', s, 'role' || repeat('x', 59), repeat('y', 63), now(), now(), repeat('z', 1024), 1
          FROM generate_series(1, 1000) n, LATERAL (SELECT CASE WHEN n % 10 < 3 THEN 'leased' WHEN n % 100 = 5 THEN 'kept' ELSE 'ready' END) AS x(s)""")


LOOKS = {"all": "", "one database": "?database=testpool_5", "one template": "?template=h9"}


@pytest.mark.parametrize("query", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("width", [360, 768, 1200])
def test_nothing_is_wider_than_the_screen(visit, of_fake, fake, width, query):
    crowd(fake)
    page = visit(of_fake, query, viewport={"width": width, "height": 780})
    expect(page.locator("#live")).to_have_text("live")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate("""width => [...document.querySelectorAll('main *')].filter((each) =>
        each.getBoundingClientRect().right > width + 1 && !each.closest('.scroll, thead')).map((each) => each.outerHTML.slice(0, 200))""", width)
    assert outside == []


def test_a_thousand_databases(visit, of_fake, fake):
    crowd(fake)
    page = visit(of_fake)
    expect(page.locator("#live")).to_have_text("live")
    expect(page.locator(".cells a")).to_have_count(1000)
    expect(page.locator("#leases tr")).to_have_count(300)
    fake.sql("UPDATE testpool.databases SET state = 'failed' WHERE database = 'testpool_777'")
    expect(page.locator(".cells a.failed")).to_have_attribute("aria-label", "testpool_777, failed")
    page.locator("#find").fill("testpool_777")
    expect(page.locator("#templates tbody").locator("visible=true")).to_have_count(1)


CONTRAST = """() => {
  const channel = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  const parsed = (color) => color.match(/[\\d.]+/g).map(Number)
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b)
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const color = parsed(getComputedStyle(node).backgroundColor)
      if (color.length === 3 || color[3] === 1) return color
    }
  }
  const weak = []
  for (const node of document.querySelectorAll('body *')) {
    if (![...node.childNodes].some((each) => each.nodeType === 3 && each.data.trim()) || !node.checkVisibility()) continue
    const [a, b] = [luminance(parsed(getComputedStyle(node).color)), luminance(behind(node))]
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    if (ratio < 4.5) weak.push(`${ratio.toFixed(2)} ${node.outerHTML.slice(0, 120)}`)
  }
  return weak
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_its_ground(visit, of_fake, fake, scheme):
    each_state(fake)
    for query in ("", "?database=testpool_1_5", "?database=testpool_1_3", "?template=h1"):
        page = visit(of_fake, query, color_scheme=scheme)
        expect(page.locator("#live")).to_have_text("live")
        ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert ground == {"light": "rgb(247, 247, 244)", "dark": "rgb(19, 20, 22)"}[scheme]
        assert page.evaluate(CONTRAST) == []


def suite(fake, stop):
    """What ten minutes of a suite leave behind, in five: the clock goes twice as fast."""
    began = time.monotonic()
    while not stop.wait(0.5):
        passed = (time.monotonic() - began) * 2
        busy = 4 + int(8 * abs(((passed / 200) % 2) - 1))
        slow = 1 if passed % 180 > 130 else 0
        fake.sql(f"""UPDATE testpool.waits SET acquires = acquires + CASE WHEN up_to_ms < 1 THEN 40 + (random() * 30)::int
                WHEN up_to_ms < 10 THEN (random() * 5)::int + {slow} * 8 ELSE {slow} * (random() * 2)::int END;
            UPDATE testpool.stats SET last_used_at = testpool.clock_timestamp();
            UPDATE testpool.databases d SET state = CASE WHEN n < {busy} THEN 'leased' WHEN n = {busy} THEN 'recycling' ELSE 'ready' END,
                   leased_at = testpool.clock_timestamp()
              FROM (SELECT database, row_number() OVER (PARTITION BY hash ORDER BY database) + (random() * 2)::int AS n
                      FROM testpool.databases) x WHERE x.database = d.database AND state IN ('ready', 'leased', 'recycling')""")


def picture(fake):
    for value, name, count in (("3f9a41c07d", "orders", 26), ("b81e6608aa", "billing", 14), ("07cc54e19f", "search", 9)):
        fake.template(value, name, bytes=8_000_000, files=310, clone_strategy="file_copy")
        for number in range(count):
            fake.database(f"testpool_{1 + len(name)}_{number + 10}", "ready", value, template=name, role="app", leased_at="now",
                          application_name=f"pytest-gw{number % 8}", client="10.0.4.17", pid=4200 + number, sessions=1)
        fake.insert("stats", hash=value, template=name, acquires=4000, bytes=count * 8_000_000, wait_p95_ms=2.3, last_used_at="now")
        for wait in (0.06, 0.25, 0.8, 2.5, 9, 48, 210):
            fake.insert("waits", hash=value, up_to_ms=wait, acquires=0)
    fake.database("testpool_7_41", "kept", "3f9a41c07d", template="orders", role="app", leased_at="now", pid=4711, client="10.0.4.17",
                  application_name="pytest tests/test_refund.py",
                  reason="test_refund_is_booked_once: expected 1 row in ledger, found 2")
    fake.insert("progress", pid=100, database="testpool_8_13", hash="b81e6608aa", task="create", phase="copying files",
                bytes_done=5_100_000, bytes_total=8_000_000, started_at="now")
    fake.insert("sentences", sentence="41 s were waited for template orders in the last 10 minutes: raise testpool.pool_size from 2 to 12.")


def test_the_picture_for_the_documentation(visit, tmp_path):
    """GATEWAY_PICTURE=1 makes the one in docs/, which takes five minutes."""
    lasting = "GATEWAY_PICTURE" in os.environ
    made = PICTURE if lasting else tmp_path / PICTURE.name
    fake = Fake("fake_picture")
    picture(fake)
    # What stands before pg_catalog in the path is found first.
    fake.sql("""CREATE FUNCTION testpool.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
        $$SELECT now() + (now() - pg_postmaster_start_time())$$;
        ALTER DATABASE fake_picture SET search_path = testpool, pg_catalog""")
    gateway = Gateway(INTEGRESQL_PGDATABASE=fake.name)
    stop = threading.Event()
    runs = threading.Thread(target=suite, args=(fake, stop))
    runs.start()
    page = visit(gateway, viewport={"width": 1200, "height": 1040})
    if lasting:
        time.sleep(305)
    expect(page.locator("#waits-plot rect.p95")).not_to_have_count(0)
    page.screenshot(path=made)
    stop.set()
    runs.join()
    gateway.stop()
    fake.drop()
    assert 10_000 < made.stat().st_size < 200_000


def test_the_documentation_has_its_picture():
    assert 10_000 < PICTURE.stat().st_size < 200_000
    assert "gateway.png" in (PICTURE.parent / "gateway.md").read_text()
