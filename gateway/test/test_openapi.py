"""What the gateway answers is what its OpenAPI description says, whatever it is asked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import Gateway

pytestmark = pytest.mark.usefixtures("clean")
DESCRIPTION = Path(__file__).parent.parent / "openapi.yaml"
EXAMPLES = os.environ.get("GATEWAY_EXAMPLES", "25")


def test_schemathesis_finds_no_contradiction(tmp_path):
    gateway = Gateway(INTEGRESQL_TEST_DB_GET_TIMEOUT_MS="1000", INTEGRESQL_TEMPLATE_FINALIZE_TIMEOUT_MS="1000",
                      TESTPOOL_GATEWAY_TOKEN="secret")
    done = subprocess.run([Path(sys.executable).parent / "schemathesis", "run", DESCRIPTION, "--base-url", gateway.root,
                           "--checks", "all", "--header", "Authorization: Bearer secret", "--hypothesis-max-examples", EXAMPLES, "--hypothesis-seed", "1",
                           "--hypothesis-deadline", "30000", "--request-timeout", "60000", "--no-color"],
                          cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert gateway.session.get(f"{gateway.root}/healthz").status_code == 200
    gateway.stop()
