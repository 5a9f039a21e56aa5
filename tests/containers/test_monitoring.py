"""Alert rules and dashboard: valid, and about metrics that the two tiers really show."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from serving.traffic import Traffic
from tests.containers.stack import Stack
from tests.support.servers import ROOT, wait_until

FOLDER = ROOT / "deploy" / "monitoring"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboards" / "us_bills.json").read_text())
RULES: dict[str, Any] = yaml.safe_load((FOLDER / "rules.yml").read_text())


def rules() -> list[dict[str, Any]]:
    return [rule for group in RULES["groups"] for rule in group["rules"]]


def queries() -> Iterator[str]:
    """Every question that a panel or a mark of the dashboard asks."""
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (mark["expr"] for mark in DASHBOARD["annotations"]["list"])


def promtool(*arguments: str) -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed; it comes with Prometheus")
    done = subprocess.run(
        ["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def compare_a_copy(stack: Stack) -> None:
    """Has a version on trial get a copy of a request: what was never counted is on no page."""
    traffic = stack.config / "traffic.json"
    traffic.write_text(Traffic(canary=1, shadow=True).text())
    stack.predict()
    for _ in wait_until("the copy to be counted", time.monotonic() + 30):
        if "us_bills_shadow_total" in requests.get(f"{stack.web_url}/metrics", timeout=5).text:
            break
    traffic.unlink()


def test_prometheus_accepts_its_configuration_and_the_rules() -> None:
    promtool("check", "config", "prometheus.yml")


def test_alerts_go_off_when_they_should() -> None:
    promtool("test", "rules", "rules_test.yml")


def test_prometheus_understands_every_question_of_the_dashboard(tmp_path: Path) -> None:
    asked = [
        {"record": f"panel_{number}", "expr": query.replace("$__rate_interval", "1m")}
        for number, query in enumerate(queries())
    ]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": asked}]}))
    promtool("check", "rules", str(file))


def test_every_metric_that_is_asked_for_is_on_a_real_page(stack: Stack) -> None:
    stack.predict()
    requests.post(f"{stack.web_url}/predict", data=b"no picture", timeout=20)
    compare_a_copy(stack)
    pages = [f"{stack.web_url}/metrics", f"{stack.rest_url}/monitoring/prometheus/metrics"]
    text = "\n".join(requests.get(page, timeout=5).text for page in pages)
    shown = set(re.findall(r"^([a-z:][\w:]*)[{ ]", text, re.MULTILINE))
    asked = [*queries(), *(rule["expr"] for rule in rules())]
    names = {
        name for query in asked for name in re.findall(r"(?:us_bills_|:tensorflow:)[\w:]+", query)
    }
    assert names
    assert names <= shown


def test_every_alert_has_a_row_in_the_failure_table() -> None:
    manual = (ROOT / "docs" / "operations.md").read_text()
    assert not [rule["alert"] for rule in rules() if f"`{rule['alert']}`" not in manual]


def test_panels_do_not_lie_on_each_other() -> None:
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_the_dashboard_asks_the_data_source_that_is_provided() -> None:
    provided = yaml.safe_load((FOLDER / "grafana" / "datasources" / "prometheus.yml").read_text())
    (uid,) = {source["uid"] for source in provided["datasources"]}
    used = set(re.findall(r'"uid": "([^"]+)"', json.dumps(DASHBOARD))) - {DASHBOARD["uid"]}
    assert used == {uid}
