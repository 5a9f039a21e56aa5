"""Which folder is the version if several names mean the same number."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.local.lifecycle.model_config import ModelConfig
from serving.local.lifecycle.version_policy import VersionPolicy
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


@pytest.mark.parametrize("policy", POLICIES)
def test_the_last_name_is_taken_and_the_first_where_all_are_served(
    tmp_path: Path, policy: str
) -> None:
    for name in NAMES:
        (tmp_path / name).mkdir()
    message, expected = POLICIES[policy]
    versions = Versions()
    VersionPolicy(versions).resolve({"m": ModelConfig("m", tmp_path, message, {})})
    found = {number: versions.known(Key("m", number)) for number in range(10)}
    assert {n: v.path.name for n, v in found.items() if v is not None} == expected
