"""Version 2 is on disk, not loaded until it is rolled out, and knows a class for the $2 bill."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from bench.rollout.local import PHOTO, LocalDeployment, local_deployment
from tests.end_to_end.conftest import Stack
from tests.photos import real_photos
from tests.support.servers import ROOT
from training.evaluation import model_card

SECOND = ROOT / "models" / "us_bills" / "2"
CLASSES = ["1", "2", "5", "10", "20", "50", "100", "Other"]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDeployment]:
    """Both tiers after `publish` and `promote 2`."""
    with local_deployment(tmp_path_factory.mktemp("second_version"), SECOND) as running:
        for command in (["publish", str(SECOND)], ["promote", "2"]):
            done = running.rollout(*command)
            assert done.returncode == 0, done.stderr
        yield running


def test_it_is_not_loaded_where_nobody_rolled_it_out(stack: Stack) -> None:
    reply = requests.get(f"{stack.rest_url}/v1/models/us_bills", timeout=10).json()
    (only,) = reply["model_version_status"]
    assert (only["version"], only["state"]) == ("1", "AVAILABLE")


def test_its_card_names_eight_classes() -> None:
    assert model_card.read(SECOND)["classes"] == CLASSES


def test_rolled_out_it_answers_with_eight_classes(deployment: LocalDeployment) -> None:
    reply = deployment.webapp.predict(PHOTO).json()
    assert reply["model"] == {"name": "us_bills", "version": 2, "label": "stable"}
    assert reply["predictions"][0]["probabilities"].keys() == set(CLASSES)


def test_two_dollar_bills_are_worth_two_dollars(deployment: LocalDeployment) -> None:
    bills = [photo for photo in real_photos("train") if photo.parent.name == "2"][::20]
    assert said(deployment, bills)["2"] >= 0.8 * len(bills)


def said(deployment: LocalDeployment, photos: list[Path]) -> Counter[str | None]:
    """Counts what the front end says of photos."""
    replies = [deployment.webapp.predict(photo.read_bytes()).json() for photo in photos]
    return Counter(reply["predictions"][0]["denomination"] for reply in replies)
