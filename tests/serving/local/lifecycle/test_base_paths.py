"""The base paths from which a client may make the server load models."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.local.errors import Code, StatusError
from serving.local.lifecycle.model_config import ConfigReader
from serving.wire import messages_pb2 as pb

READER = ConfigReader(Path("/srv/models"))


def confined_to(*base_paths: str) -> ConfigReader:
    return READER.confined(READER.accept(configuration(*base_paths)))


def configuration(*base_paths: str) -> pb.ModelConfigList:
    entries = [
        pb.ModelConfig(name=f"m{number}", base_path=path, model_platform="tensorflow")
        for number, path in enumerate(base_paths)
    ]
    return pb.ModelConfigList(config=entries)


@pytest.mark.parametrize(
    "path", ["/models/new", "/data/b", "/data/a/deeper", "file:///data/b", "/data/x/../b"]
)
def test_a_base_path_beside_the_first_ones_is_taken(path: str) -> None:
    assert confined_to("/data/a").accept(configuration(path))


@pytest.mark.parametrize("path", ["/etc", "/data/../etc", "/models/../../etc", "/database/a", "/"])
def test_a_base_path_elsewhere_is_refused_by_its_name(path: str) -> None:
    with pytest.raises(StatusError, match="is not below /data, /srv/models") as refusal:
        confined_to("/data/a").accept(configuration(path))
    assert refusal.value.code is Code.PERMISSION_DENIED


def test_a_second_slash_does_not_leave_the_root() -> None:
    (model,) = READER.accept(configuration("/models//us_bills")).values()
    assert model.base_path == Path("/srv/models/us_bills")


def test_a_model_right_below_the_root_does_not_open_the_whole_disk() -> None:
    with pytest.raises(StatusError, match="is not below"):
        confined_to("/us_bills").accept(configuration("/etc"))
    assert confined_to("/us_bills").accept(configuration("/us_bills"))
