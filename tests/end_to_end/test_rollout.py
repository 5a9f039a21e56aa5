"""A rollout on both running tiers: clients send photos all the time, and no request fails.

The models are as small as possible, for speed; `python -m bench.rollout` measures that the shipped
model behaves alike.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import tensorflow as tf

from bench.rollout.__main__ import sequence
from bench.rollout.clients import Load
from bench.rollout.local import PHOTO, LocalDeployment, local_deployment
from serving.rollout.state.config import ConfigFile
from serving.traffic import BUCKETS
from tests.serving import models
from training.export.guards import guarded_image
from webapp.inference.traffic_split import COOKIE


class Bills(tf.Module):  # type: ignore[misc]
    """Says the same of every picture, in the shape of the contract."""

    def __init__(self, *classes: str) -> None:
        super().__init__()
        self.classes = list(classes)
        self.probabilities = tf.Variable([0.9] + [0.1 / (len(classes) - 1)] * (len(classes) - 1))

    @tf.function(input_signature=[tf.TensorSpec([None, 224, 224, 3], tf.uint8, "image")])  # type: ignore[untyped-decorator]
    def call(self, image: Any) -> dict[str, Any]:
        """The serving signature."""
        count = tf.shape(guarded_image(image))[0]
        return {
            "classes": tf.tile(tf.constant([self.classes]), [count, 1]),
            "probabilities": tf.tile(self.probabilities[None], [count, 1]),
            "accepted": tf.fill([count], True),
        }


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDeployment]:
    """Both tiers with version 1; version 2 has a class more and lies elsewhere."""
    folder = tmp_path_factory.mktemp("rollout_stage")
    stable = models.save(Bills("20", "5", "Other"), folder / "stable" / "1")
    candidate = models.save(Bills("20", "2", "5", "Other"), folder / "candidate" / "1")
    with local_deployment(folder / "deployment", candidate, stable) as running:
        yield running


def test_no_request_fails_and_no_version_answers_that_was_not_asked_for(
    deployment: LocalDeployment,
) -> None:
    load = Load([deployment.webapp.url], clients=4)
    load.start()
    try:
        sequence(deployment, load, hold=0.5)
    finally:
        load.stop()
    assert load.failures == []
    assert load.wrong == []
    assert {number for _, number in load.answers} == {1, 2}
    asked = sum(load.shares.values())
    assert load.shares[True] / asked == pytest.approx(0.10, abs=0.04)
    reply = ask(deployment, "0")
    assert reply["model"] == {"name": "us_bills", "version": 2, "label": "stable"}
    assert reply["predictions"][0]["probabilities"].keys() == {"20", "2", "5", "Other"}


def test_status_tells_what_the_front_end_counted_in_the_last_minutes(
    deployment: LocalDeployment,
) -> None:
    ask(deployment, "0")
    found = json.loads(deployment.rollout("status", "--json").stdout)
    rows = {row["version"]: row for row in found["rows"]}
    assert rows[2]["figures"]["requests"] > 0
    assert rows[2]["figures"]["errors"] == 0
    assert 0 < rows[2]["figures"]["p50"] <= rows[2]["figures"]["p95"]
    assert found["seconds"] > 0


def test_a_canary_that_fails_is_taken_back_by_the_watch(deployment: LocalDeployment) -> None:
    """Starts where the test above ends: version 2 is stable, 1 is on disk."""
    done = deployment.rollout("canary", "1", "--percent", "50")
    assert done.returncode == 0, done.stderr
    # Behind the tool's back, as a broken machine would: the version is gone from the server.
    config = ConfigFile(deployment.config)
    config.write(config.read({1, 2}).without_version(1))
    deployment.server.wait_for_state("us_bills", 1, "END")
    ended: list[Any] = []
    limits = ["--every", "0.5", "--max-error-rate", "5"]
    limits += ["--max-latency-ratio", "1000"]
    watching = threading.Thread(target=lambda: ended.append(deployment.rollout("watch", *limits)))
    watching.start()
    person = 0
    while watching.is_alive():
        person += 1
        assert ask(deployment, str(person * 1_237 % BUCKETS))["model"]["version"] == 2
    (done,) = ended
    assert done.returncode == 3, done.stderr
    assert "failed" in done.stdout
    assert not config.read({1, 2}).labels.keys() - {"stable"}


def ask(deployment: LocalDeployment, bucket: str) -> dict[str, Any]:
    url = f"{deployment.webapp.url}/predict"
    reply = requests.post(url, files={"image": PHOTO}, cookies={COOKIE: bucket}, timeout=20)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found
