"""The gateway does not grow, however much it is asked."""

import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("clean")
REQUESTS = int(os.environ.get("GATEWAY_REQUESTS", "4000"))


def resident_kb(gateway):
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


@pytest.mark.skipif("sanitized" in os.environ["GATEWAY"], reason="a sanitizer keeps what is freed for a while")
def test_memory_is_flat(gateway):
    gateway.build("h")

    def ask(times):
        for number in range(times // 4):
            taken = gateway.fresh("h")
            gateway.unlock("h", taken["id"])
            gateway.get(f"no template {number}")
            gateway.initialize("h")

    ask(1000)
    before = resident_kb(gateway)
    ask(REQUESTS)
    assert resident_kb(gateway) - before < 2048
