"""The metrics page has the original's names, labels and counts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import numpy as np
import pytest
import requests

from serving.client import NotServed, connect
from tests.serving.recorded import RECORDED, Stage, cases
from tests.serving.stages import Stages

SERIES = re.compile(r"^(:tensorflow:\S*?)(\{[^ ]*?\}) (\d+)$", re.MULTILINE)


def series(page: str, stage: Stage) -> Iterator[tuple[str, int | None]]:
    """Each series by name and labels, with its value where that is no time."""
    page = stage.recorded_paths(page.encode()).decode()
    for name, labels, value in SERIES.findall(page):
        if "serving" in name or "load_" in name:
            timed = name.endswith(("_bucket", "_sum", "load_latency"))
            yield name + labels, None if timed else int(value)


@pytest.fixture
def stage(stages: Stages) -> Stage:
    (case,) = cases(lambda c: c.number == 720)
    made = stages.prepare(case)
    made.server.start()
    return made


def test_a_model_named_in_bytes_that_are_no_text_leaves_the_page_readable(stage: Stage) -> None:
    assert requests.get(f"{stage.server.rest_url}/v1/models/%ff", timeout=30).status_code == 404
    page = requests.get(f"{stage.server.rest_url}/monitoring/prometheus/metrics", timeout=30)
    assert page.status_code == 200
    assert r'{model_name="\\udcff",status="NOT_FOUND"} 1' in page.text


def test_after_the_recorded_requests_the_page_is_as_recorded(stage: Stage) -> None:
    """The requests that the note of case 721 tells."""
    url = f"{stage.server.rest_url}/v1/models"
    one, both = json.dumps({"instances": [1]}), json.dumps({"inputs": {"a": [1], "b": [1]}})
    for path, body in [("half", one)] * 3 + [("multi", both), ("half", "{"), ("nope", one)]:
        requests.post(f"{url}/{path}:predict", body, timeout=30)
    for path in ("/half", "/half/metadata", "/a/b/c"):
        requests.get(url + path, timeout=30)
    client = connect(stage.server.grpc_url)
    client.predict("half", {"x": np.array([1], np.float32)})
    with pytest.raises(NotServed):
        client.predict("nope", {"x": np.array([1], np.float32)})
    client.close()
    page = requests.get(f"{stage.server.rest_url}/monitoring/prometheus/metrics", timeout=30).text
    recorded = (RECORDED / "721_metrics.txt").read_text("utf-8")
    assert dict(series(page, stage)) == dict(series(recorded, stage))
