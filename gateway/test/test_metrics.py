"""What is counted, in a form that Prometheus reads; the dashboard and the alerts ask for what there is."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from gateway import run, until

pytestmark = pytest.mark.usefixtures("clean")
GRAFANA = Path(__file__).parent.parent / "grafana"
PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool")
needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="promtool is not there")


def families(gateway):
    answer = gateway.session.get(f"{gateway.root}/metrics", timeout=30)
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def value(family, sample=None, **labels):
    found = [each.value for each in family.samples
             if each.name == (sample or each.name) and labels.items() <= each.labels.items()]
    assert len(found) == 1, family
    return found[0]


def test_what_happens_is_counted(gateway):
    gateway.build('a "hash"\n\\')
    used = gateway.fresh('a "hash"%0A%5C')
    run(used, "INSERT INTO t VALUES (1)")
    gateway.recreate('a "hash"%0A%5C', used["id"])
    of = {"hash": 'a "hash"\n\\'}
    until(lambda: value(families(gateway)["testpool_rewinds"], **of) == 1, "the rewind is counted")
    all_of = families(gateway)
    assert value(all_of["testpool_acquires"], **of) == 1
    assert value(all_of["testpool_clones"], **of) >= 1
    assert value(all_of["testpool_wait_seconds"], "testpool_wait_seconds_count", **of) == 1
    assert value(all_of["testpool_wait_seconds"], "testpool_wait_seconds_bucket", le="+Inf", **of) == 1
    assert value(all_of["testpool_templates"], state="finalized") == 1
    assert value(all_of["testpool_free_bytes"]) > 0
    assert value(all_of["testpool_size_bytes"], **of) > 0
    assert value(all_of["testpool_gateway_requests"], route="/api/v1/templates/:hash/tests/:id/recreate",
                 method="POST", status="204") >= 1
    assert value(all_of["testpool_gateway_connections"], state="open") >= 1


def test_leases_are_told_by_role(gateway):
    gateway.build("h")
    gateway.fresh("h")
    assert value(families(gateway)["testpool_leases"], role="postgres") == 1
    assert value(families(gateway)["testpool_databases"], hash="h", state="leased") == 1


@needs_promtool
def test_promtool_takes_the_alerts():
    checked = subprocess.run([PROMTOOL, "check", "rules", GRAFANA / "alerts.yml"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def expressions():
    dashboard = json.loads((GRAFANA / "testpool.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "1m").replace("$hash", ".*")


@needs_promtool
def test_promtool_takes_what_the_dashboard_asks(tmp_path):
    rules = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(expressions())]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))  # JSON is YAML, too
    checked = subprocess.run([PROMTOOL, "check", "rules", file], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_dashboard_and_alerts_ask_for_what_there_is(gateway):
    gateway.build("h")
    names = {sample for family in families(gateway).values()
             for sample in (family.name, family.name + "_total", family.name + "_bucket")}
    asked = set(re.findall(r"\btestpool_[a-z_]+", " ".join(expressions()) + (GRAFANA / "alerts.yml").read_text()))
    assert len(asked) > 10 and asked <= names
