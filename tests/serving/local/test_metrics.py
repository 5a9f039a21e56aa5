"""The metrics page has the original's names, labels and counts."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import requests

from serving.client import NotServed, connect
from tests.serving import models
from tests.serving.exchanges.recorded import RECORDED, Stage, cases
from tests.serving.exchanges.stages import Stages
from tests.support.servers import ModelServer

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


def test_models_that_were_never_configured_count_under_one_name(stage: Stage) -> None:
    for number in range(20):
        requests.get(f"{stage.server.rest_url}/v1/models/made-up-{number}%ff", timeout=30)
    requests.get(f"{stage.server.rest_url}/v1/models/half", timeout=30)
    page = requests.get(f"{stage.server.rest_url}/monitoring/prometheus/metrics", timeout=30).text
    assert "made-up" not in page
    assert 'request_count{model_name="unknown",status="NOT_FOUND"} 20' in page
    assert 'request_count{model_name="half",status="OK"} 1' in page


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
    recorded = (RECORDED / "721_metrics.txt").read_text("utf-8").replace('"nope"', '"unknown"')
    assert dict(series(page, stage)) == dict(series(recorded, stage))


def values(server: ModelServer, family: str) -> dict[str, int]:
    """The page's series of one family, but for those of buckets and times."""
    url = f"{server.rest_url}/monitoring/prometheus/metrics"
    found = SERIES.findall(requests.get(url, timeout=30).text)
    timed = ("_bucket", "latency_sum")
    return {
        name.removeprefix(":tensorflow:serving:") + labels: int(value)
        for name, labels, value in found
        if family in name and not name.endswith(timed)
    }


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., ModelServer]]:
    """Starts servers of one model whose metrics are on."""
    monitoring = tmp_path / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    made: list[ModelServer] = []

    def started(base_path: Path, *flags: str) -> ModelServer:
        own = ["--model_name=m", f"--model_base_path={base_path}"]
        own += [f"--monitoring_config_file={monitoring}", *flags]
        made.append(ModelServer(tmp_path / "server", own, wait_for=["m"]).start())
        return made[-1]

    yield started
    for server in made:
        server.stop()


def test_the_examples_of_each_answered_request_are_counted(
    start: Callable[..., ModelServer], tmp_path: Path
) -> None:
    models.save_classifier(models.Classifier(), tmp_path / "m" / "1")
    server = start(tmp_path / "m")
    for count in (1, 3, 0):
        body = json.dumps({"examples": [{}] * count})
        requests.post(f"{server.rest_url}/v1/models/m:classify", body, timeout=30)
    assert values(server, "request_example") == {
        'request_example_count_total{model="m"}': 4,
        'request_example_counts_sum{model="m"}': 4,
        'request_example_counts_count{model="m"}': 2,
    }


def test_a_request_with_half_of_a_letter_counts_as_the_clients_fault(
    start: Callable[..., ModelServer], tmp_path: Path
) -> None:
    models.save_classifier(models.Classifier(), tmp_path / "m" / "1")
    server = start(tmp_path / "m")
    examples = [{"examples": [{"\ud800": 1}]}, {"signature_name": "\ud800", "examples": [{}]}]
    for body in map(json.dumps, examples):
        reply = requests.post(f"{server.rest_url}/v1/models/m:classify", body, timeout=30)
        assert reply.status_code == 400
    counted = values(server, "request_count")
    assert counted['request_count{model_name="m",status="INVALID_ARGUMENT"}'] == 2
    assert "Traceback" not in server.output()


def test_a_warm_up_is_timed(
    start: Callable[..., ModelServer], small_models: Path, tmp_path: Path
) -> None:
    version = models.publish(small_models / "half" / "1", tmp_path / "m", 1)
    models.write_warmup(version, {"x": np.array([1], np.float32)})
    server = start(tmp_path / "m")
    labels = f'{{model_path="{version}",status="OK"}}'
    assert values(server, "warmup") == {f"model_warmup_latency_count{labels}": 1}


def test_batches_are_counted_and_how_long_requests_waited_for_theirs(
    start: Callable[..., ModelServer], small_models: Path, tmp_path: Path
) -> None:
    parameters = tmp_path / "batching.config"
    parameters.write_text("max_batch_size { value: 2 } batch_timeout_micros { value: 20000000 }")
    flags = ["--enable_batching=true", f"--batching_parameters_file={parameters}"]
    server = start(small_models / "half", *flags)
    url = f"{server.rest_url}/v1/models/m:predict"
    ask = partial(requests.post, url, '{"instances": [1]}', timeout=30)
    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert values(server, "batching_session") == {
        "batching_session:wrapped_run_count{}": 2,
        'batching_session:queuing_latency_count{thread_pool_name=""}': 4,
    }
