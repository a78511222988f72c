"""The gateway does not grow, however much it is asked: GATEWAY_REQUESTS=100000 asks four times as often."""

import http.client
import json
import os
from pathlib import Path

import pytest
import requests

pytestmark = pytest.mark.usefixtures("clean")
REQUESTS = int(os.environ.get("GATEWAY_REQUESTS", "25000"))


def resident_kb(gateway):
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


@pytest.mark.skipif("sanitized" in os.environ["GATEWAY"], reason="a sanitizer keeps what is freed for a while")
def test_memory_is_flat(gateway):
    gateway.build("h")
    client = http.client.HTTPConnection("127.0.0.1", int(gateway.port))  # less work for each request than `requests`

    def answer(method, path, body=None):
        client.request(method, path, body, {"Content-Type": "application/json"})
        reply = client.getresponse()
        return reply.status, reply.read()

    def ask(times):
        for number in range(times // 5):
            status, taken = answer("GET", "/api/v1/templates/h/tests")
            assert status == 200
            assert answer("POST", f"/api/v1/templates/h/tests/{json.loads(taken)['id']}/unlock")[0] == 204
            assert answer("GET", f"/api/v1/templates/none{number}/tests")[0] == 404
            assert answer("POST", "/api/v1/templates", '{"hash": "h"}')[0] == 423
            assert answer("GET", "/" if number % 50 == 0 else "/healthz")[0] == 200

    with requests.get(f"{gateway.root}/events", stream=True, timeout=60):  # one follows the page
        ask(REQUESTS // 5)
        before = resident_kb(gateway)
        ask(REQUESTS - REQUESTS // 5)
        assert resident_kb(gateway) - before < 2048
