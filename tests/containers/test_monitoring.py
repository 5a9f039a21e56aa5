"""Alert rules and dashboard are valid, and use only metrics that the two tiers expose."""

import contextlib
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

from serving.traffic import Splits, Traffic
from tests.containers.stack import Stack
from tests.support.servers import HOST, ROOT, wait_until

FOLDER = ROOT / "deploy" / "monitoring"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboards" / "us_bills.json").read_text())
RULES: dict[str, Any] = yaml.safe_load((FOLDER / "rules.yml").read_text())


def rules() -> list[dict[str, Any]]:
    return [rule for group in RULES["groups"] for rule in group["rules"]]


def queries() -> Iterator[str]:
    """Every query that a panel or a mark of the dashboard asks."""
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
    traffic.write_text(Splits({"us_bills": Traffic(canary=1, shadow=True)}).text())
    stack.predict()
    for _ in wait_until("the copy to be counted", time.monotonic() + 30):
        if "us_bills_shadow_total" in requests.get(f"{stack.web_url}/metrics", timeout=5).text:
            break
    traffic.unlink()


def test_prometheus_accepts_its_configuration_and_the_rules() -> None:
    promtool("check", "config", "prometheus.yml")


def test_alerts_go_off_when_they_should() -> None:
    promtool("test", "rules", "rules_test.yml", "drift_test.yml")


def test_prometheus_understands_every_question_of_the_dashboard(tmp_path: Path) -> None:
    asked = [
        {"record": f"panel_{number}", "expr": query.replace("$__rate_interval", "1m")}
        for number, query in enumerate(queries())
    ]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": asked}]}))
    promtool("check", "rules", str(file))


@pytest.mark.parametrize(
    ("mark", "series", "marked"),
    [
        (
            "Promoted and rolled back",
            {
                'us_bills_stable_version{model="us_bills", instance="a"}': "1x29 2x29 1x29",
                # Started after two minutes, and asked for the first time after three.
                'us_bills_stable_version{model="us_bills", instance="b"}': (
                    "_x12 0x5 1x11 2x29 1x29"
                ),
                'us_bills_stable_version{model="us_bills_count", instance="a"}': "1x88",
            },
            {
                "3m30s": {},
                "5m30s": {"model": "us_bills", "version": "2"},
                "8m": {},
                "10m30s": {"model": "us_bills", "version": "1"},
            },
        ),
        (
            "Canary's share",
            {
                'us_bills_canary_percent{model="us_bills"}': "0x88",
                'us_bills_canary_percent{model="us_bills_count"}': "0x29 10x29 0x29",
            },
            {
                "4m": {},
                "5m30s": {"model": "us_bills_count", "percent": "10"},
                "8m": {},
                "10m30s": {"model": "us_bills_count", "percent": "0"},
            },
        ),
    ],
)
def test_each_step_of_a_rollout_is_marked_and_a_start_is_not(
    tmp_path: Path, mark: str, series: dict[str, str], marked: dict[str, dict[str, str]]
) -> None:
    (expression,) = [m["expr"] for m in DASHBOARD["annotations"]["list"] if m["name"] == mark]
    moments = []
    for moment, labels in marked.items():
        written = ", ".join(f'{name}="{value}"' for name, value in labels.items())
        # Either front end may have seen it: what counts is that there is a mark, or none.
        samples = [{"labels": f"{{{written}}}", "value": 1}] if labels else []
        asked = f"group by ({', '.join(labels) or 'nothing'}) ({expression})"
        moments.append({"expr": asked, "eval_time": moment, "exp_samples": samples})
    given = [{"series": name, "values": values} for name, values in series.items()]
    test = {"interval": "10s", "input_series": given, "promql_expr_test": moments}
    file = tmp_path / "marks.yml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "10s", "tests": [test]}))
    promtool("test", "rules", str(file))


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
    # The stack keeps no photos; tests/webapp/views/test_feedback.py sees this one counted.
    assert names - {"us_bills_feedback_total"} <= shown


def test_every_alert_has_a_row_in_the_failure_table() -> None:
    manual = (ROOT / "docs" / "operations.md").read_text()
    alerts = [rule["alert"] for rule in rules() if "alert" in rule]
    assert not [name for name in alerts if f"`{name}`" not in manual]


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


def test_the_profile_gathers_from_both_tiers_and_lets_nobody_sign_in(stack: Stack) -> None:
    with stack.profile("monitoring", "prometheus", "grafana"):
        for _ in wait_until("both tiers to be gathered from", time.monotonic() + 120):
            if gathered_from(stack) == {"web": "up", "serving": "up"}:
                break
        grafana = f"http://{HOST}:{stack.ports['US_BILLS_GRAFANA_PORT']}"
        for _ in wait_until("the dashboard", time.monotonic() + 120):
            with contextlib.suppress(requests.RequestException):
                if requests.get(f"{grafana}/api/dashboards/uid/us-bills", timeout=5).ok:
                    break
        everybodys = requests.get(f"{grafana}/api/org", auth=("admin", "admin"), timeout=5)
        assert everybodys.status_code == requests.codes.unauthorized


def gathered_from(stack: Stack) -> dict[str, str]:
    """Health by job, as Prometheus sees it."""
    address = f"http://{HOST}:{stack.ports['US_BILLS_PROMETHEUS_PORT']}/api/v1/targets"
    try:
        targets = requests.get(address, timeout=5).json()["data"]["activeTargets"]
    except requests.RequestException:
        return {}
    return {target["labels"]["job"]: target["health"] for target in targets}
