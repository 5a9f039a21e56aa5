"""A rollout over three model servers and two front ends as containers; one dies and one joins."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.rollout.__main__ import sequence
from bench.rollout.clients import Load
from bench.rollout.composed import IMAGES, Composed, composed
from tests.end_to_end.test_rollout import Bills
from tests.serving import models
from tests.support.servers import ROOT


@pytest.fixture(scope="module")
def site(
    images: tuple[str, str, str], packages: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Composed]:
    """Both tiers with version 1; version 2 has a class more and lies elsewhere."""
    folder = tmp_path_factory.mktemp("site")
    stable = models.save(Bills("20", "5", "Other"), folder / "stable" / "1")
    candidate = models.save(Bills("20", "2", "5", "Other"), folder / "candidate" / "1")
    with composed(
        folder, images, candidate, stable, packages=packages, servers=3, front_ends=2
    ) as running:
        yield running


@pytest.mark.skipif(
    "US_BILLS_JUDGED_RUN" not in os.environ,
    reason="five containers under load want a quiet machine: set US_BILLS_JUDGED_RUN",
)
def test_no_request_fails_and_no_version_answers_that_was_not_asked_for(site: Composed) -> None:
    before = {container.id for container in site.stack.containers("serving")}
    load = Load(site.urls, clients=8)
    load.start()
    try:
        sequence(site, load, hold=0.5)
    finally:
        load.stop()
    assert load.failures == []
    assert load.wrong == []
    assert {number for _, number in load.answers} == {1, 2}
    assert len(before & {container.id for container in site.stack.containers("serving")}) == 2
    done = site.rollout("status", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (row,) = [row for row in found["rows"] if row["version"] == 2]
    assert list(row["states"].values()) == ["AVAILABLE"] * 3
    assert row["labels"] == ["stable"]
    assert found["notes"] == []


def test_without_other_wishes_the_images_are_those_that_compose_takes() -> None:
    services = (ROOT / "docker-compose.yml").read_text()
    for variable, usual in IMAGES.items():
        assert f"${{{variable}:-{usual}}}" in services
