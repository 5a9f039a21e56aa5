"""A rollout over three model servers and two front ends while one server dies and one joins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bench.rollout.__main__ import sequence
from bench.rollout.clients import Load
from bench.rollout.local import PHOTO, LocalDeployment, local_deployment
from tests.end_to_end.test_rollout import Bills
from tests.serving import models


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDeployment]:
    """Both tiers with version 1; version 2 has a class more and lies elsewhere."""
    folder = tmp_path_factory.mktemp("site")
    stable = models.save(Bills("20", "5", "Other"), folder / "stable" / "1")
    candidate = models.save(Bills("20", "2", "5", "Other"), folder / "candidate" / "1")
    with local_deployment(folder / "site", candidate, stable, servers=3, front_ends=2) as running:
        yield running


def test_no_request_fails_and_no_version_answers_that_was_not_asked_for(
    site: LocalDeployment,
) -> None:
    load = Load([webapp.url for webapp in site.webapps], clients=8)
    load.start()
    try:
        sequence(site, load, hold=0.5)
    finally:
        load.stop()
    assert load.failures == []
    assert load.wrong == []
    assert {number for _, number in load.answers} == {1, 2}
    found = told(site)
    *there, killed, joined = found["servers"]
    (row,) = [row for row in found["rows"] if row["version"] == 2]
    assert row["states"] == dict.fromkeys([*there, joined], "AVAILABLE") | {killed: None}
    assert row["labels"] == ["stable"]
    (note,) = found["notes"]
    assert note.startswith(f"The model server at {killed} cannot be asked")


def test_the_figures_are_those_of_both_front_ends(site: LocalDeployment) -> None:
    """Follows the test above."""
    before = requests_of_stable(told(site))
    for webapp in site.webapps:
        assert webapp.predict(b"no photo").status_code == 400
        assert webapp.predict(PHOTO).status_code == 200
    assert requests_of_stable(told(site)) == before + 2


def requests_of_stable(found: dict[str, Any]) -> int:
    (row,) = [row for row in found["rows"] if row["version"] == 2]
    return int(row["figures"]["requests"])


def told(site: LocalDeployment) -> dict[str, Any]:
    done = site.rollout("status", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
