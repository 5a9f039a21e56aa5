"""Who may reload the configuration, and where models may be loaded from."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.local.errors import Code, StatusError
from serving.local.lifecycle.model_config import ConfigReader
from serving.local.lifecycle.reloads import ReloadRules, roots_of
from serving.wire import messages_pb2 as pb

READER = ConfigReader(Path("/srv/models"))
HERE = ["ipv4:127.0.0.1:5000", "ipv4:127.1.2.3:1", "ipv6:[::1]:5000", "ipv6:%5B::1%5D:1", "unix:"]
ELSEWHERE = ["ipv4:172.18.0.3:5000", "ipv6:[2001:db8::1]:1", "ipv4:1.127.0.1:1", ""]


def rules(*base_paths: str, from_any_peer: bool = False) -> ReloadRules:
    models = READER.accept(configuration(*base_paths))
    return ReloadRules(READER, roots_of(models, READER.models_root), from_any_peer)


def configuration(*base_paths: str) -> pb.ModelConfigList:
    entries = [
        pb.ModelConfig(name=f"m{number}", base_path=path, model_platform="tensorflow")
        for number, path in enumerate(base_paths)
    ]
    return pb.ModelConfigList(config=entries)


@pytest.mark.parametrize("peer", HERE)
def test_this_machine_may_reload(peer: str) -> None:
    rules().require_peer(peer)


@pytest.mark.parametrize("peer", ELSEWHERE)
def test_another_machine_may_reload_only_where_a_flag_says_so(peer: str) -> None:
    with pytest.raises(StatusError, match="--reload_config_from_any_peer") as refusal:
        rules().require_peer(peer)
    assert refusal.value.code is Code.PERMISSION_DENIED
    rules(from_any_peer=True).require_peer(peer)


@pytest.mark.parametrize(
    "path", ["/models/new", "/data/b", "/data/a/deeper", "file:///data/b", "/data/x/../b"]
)
def test_a_base_path_beside_the_first_ones_is_taken(path: str) -> None:
    assert rules("/data/a").accept(configuration(path))


@pytest.mark.parametrize("path", ["/etc", "/data/../etc", "/models/../../etc", "/database/a", "/"])
def test_a_base_path_elsewhere_is_refused_by_its_name(path: str) -> None:
    with pytest.raises(StatusError, match="is not below /data, /srv/models") as refusal:
        rules("/data/a").accept(configuration(path))
    assert refusal.value.code is Code.PERMISSION_DENIED


def test_a_model_right_below_the_root_does_not_open_the_whole_disk() -> None:
    with pytest.raises(StatusError, match="is not below"):
        rules("/us_bills").accept(configuration("/etc"))
    assert rules("/us_bills").accept(configuration("/us_bills"))
