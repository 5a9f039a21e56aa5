"""Which folder is the version if several names mean the same number."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.local.errors import StatusError
from serving.local.lifecycle.aspired_versions import poll, require_versions
from serving.local.lifecycle.model_config import ModelConfig
from serving.local.lifecycle.storage import version_paths
from serving.local.lifecycle.versions import Key, Versions
from serving.wire import messages_pb2 as pb

NAMES = ["007", "7", "7 ", " 8", "08", "+9", "9x"]
POLICIES = {
    "default": (pb.ServableVersionPolicy(), {8: "08"}),
    "latest": (
        pb.ServableVersionPolicy(latest=pb.ServableVersionPolicy.Latest(num_versions=9)),
        {7: "7 ", 8: "08"},
    ),
    "specific": (
        pb.ServableVersionPolicy(specific=pb.ServableVersionPolicy.Specific(versions=[7, 9])),
        {7: "7 "},
    ),
    "all": (
        pb.ServableVersionPolicy(all=pb.ServableVersionPolicy.All()),
        {7: "007", 8: " 8"},
    ),
}


def test_a_path_that_no_system_takes_cannot_be_read() -> None:
    assert version_paths(Path("/a\0b")) is None


def specific(base_path: Path, *numbers: int) -> ModelConfig:
    """A model of these versions."""
    policy = pb.ServableVersionPolicy(specific=pb.ServableVersionPolicy.Specific(versions=numbers))
    return ModelConfig("m", base_path, policy, {})


def test_specific_versions_that_are_not_there_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "1").mkdir()
    with pytest.raises(StatusError, match="with the numbers 8, 9"):
        require_versions(specific(tmp_path, 9, 8))
    require_versions(specific(tmp_path, 1, 7))
    assert poll(specific(tmp_path, 1, 7), None, Versions()) == {Key("m", 1)}
    assert f"found under base path {tmp_path} with the numbers 7." in caplog.text


@pytest.mark.parametrize("policy", POLICIES)
def test_the_last_name_is_taken_and_the_first_where_all_are_served(
    tmp_path: Path, policy: str
) -> None:
    for name in NAMES:
        (tmp_path / name).mkdir()
    message, expected = POLICIES[policy]
    versions = Versions()
    poll(ModelConfig("m", tmp_path, message, {}), None, versions)
    found = {number: versions.known(Key("m", number)) for number in range(10)}
    assert {n: v.path.name for n, v in found.items() if v is not None} == expected
