"""The gateway does not grow, however much it is asked: GATEWAY_REQUESTS=100000 asks four times as often."""

import json
import os
import socket
from pathlib import Path

import pytest
import requests

pytestmark = pytest.mark.usefixtures("clean")
REQUESTS = int(os.environ.get("GATEWAY_REQUESTS", "25000"))


class Wire:
    """One connection, and no more work for each request than it takes: many are to be sent."""

    def __init__(self, gateway):
        self.socket = socket.create_connection(("127.0.0.1", int(gateway.port)))
        self.input = self.socket.makefile("rb")

    def ask(self, method, path, body=""):
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                            f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        status = int(self.input.readline().split()[1])
        length = 0
        while (line := self.input.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return status, self.input.read(length)


def resident_kb(gateway):
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


@pytest.mark.skipif("sanitized" in os.environ["GATEWAY"], reason="a sanitizer keeps what is freed for a while")
def test_memory_is_flat(gateway):
    gateway.build("h")
    wire = Wire(gateway)

    def ask(times):
        for number in range(times // 5):
            status, taken = wire.ask("GET", "/api/v1/templates/h/tests")
            assert status == 200
            assert wire.ask("POST", f"/api/v1/templates/h/tests/{json.loads(taken)['id']}/unlock")[0] == 204
            assert wire.ask("GET", f"/api/v1/templates/none{number}/tests")[0] == 404
            assert wire.ask("POST", "/api/v1/templates", '{"hash": "h"}')[0] == 423
            assert wire.ask("GET", "/" if number % 50 == 0 else "/healthz")[0] == 200

    with requests.get(f"{gateway.root}/events", stream=True, timeout=60):  # one follows the page
        ask(REQUESTS // 5)
        before = resident_kb(gateway)
        ask(REQUESTS - REQUESTS // 5)
        assert resident_kb(gateway) - before < 2048
