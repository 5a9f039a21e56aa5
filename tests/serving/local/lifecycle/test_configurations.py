"""A configuration that cannot be served is refused, and the error names the fault."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from serving.local.errors import Code, StatusError
from serving.local.lifecycle.aspired_versions import require_labels
from serving.local.lifecycle.model_config import ConfigReader, ModelConfigs
from serving.local.lifecycle.versions import Versions
from serving.wire import messages_pb2 as pb

READER = ConfigReader(None)
LOGGED = pb.LoggingConfig(sampling_config=pb.SamplingConfig(sampling_rate=0.1))


def entry(**fields: object) -> pb.ModelConfig:
    """A model that can be served, but for the fields."""
    plain = {"name": "a", "base_path": "/a", "model_platform": "tensorflow"}
    return pb.ModelConfig(**(plain | fields))  # type: ignore[arg-type]


def configuration(*models: pb.ModelConfig) -> ModelConfigs:
    return READER.accept(pb.ModelConfigList(config=models))


@pytest.mark.parametrize(
    ("models", "named"),
    [
        ([entry(), entry()], "model a multiple times"),
        ([entry(base_path="a")], "base_path=a"),
        ([entry(base_path="/a\0b")], "base_path=/a\0b"),
        ([entry(model_platform="")], "model_platform 'tensorflow'"),
        ([entry(model_platform="torch")], "'torch'"),
        ([entry(model_type=pb.TENSORFLOW)], "no model_type"),
        ([entry(model_platform="", model_type=pb.OTHER)], "got '' and 2"),
        ([entry(logging_config=LOGGED)], "request logging"),
    ],
)
def test_a_fault_is_refused_by_its_name(models: list[pb.ModelConfig], named: str) -> None:
    with pytest.raises(StatusError) as refusal:
        configuration(*models)
    assert refusal.value.code is Code.INVALID_ARGUMENT
    assert "a" in refusal.value.message
    assert named in refusal.value.message


def test_a_label_of_a_version_that_does_not_serve_is_refused() -> None:
    models = configuration(entry(version_labels={"stable": 1}))
    with pytest.raises(StatusError, match="label stable to version 1 of model a") as refusal:
        require_labels(models, Versions(), for_unavailable=False)
    assert refusal.value.code is Code.FAILED_PRECONDITION
    require_labels(models, Versions(), for_unavailable=True)


def test_a_path_may_be_a_uri() -> None:
    models = configuration(
        entry(base_path="file:///models/a"), entry(name="b", base_path="gs://bucket/b")
    )
    assert models["a"].base_path == Path("/models/a")
    assert not models["b"].base_path.exists()


NESTED = "custom_model_config { [type.googleapis.com/us_bills.wire.ModelServerConfig] { "


@pytest.mark.parametrize("depth", [1_000, 6_000])
def test_a_file_that_is_nested_too_deeply_is_refused_by_its_name(
    tmp_path: Path, depth: int
) -> None:
    (tmp_path / "nested").write_text(NESTED * depth + "} }" * depth)
    with pytest.raises(StatusError, match=r"nested' .*recursion") as refusal:
        READER.read(tmp_path / "nested")
    assert refusal.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("end", ["} }", "} } nonsense"], ids=["usable", "unusable"])
def test_a_large_file_that_stays_as_it_is_is_parsed_once(tmp_path: Path, end: str) -> None:
    labels = "".join(f'version_labels {{ key: "{n:05}" value: 1 }} ' for n in range(20_000))
    (tmp_path / "large").write_text(f'model_config_list {{ config {{ base_path: "/a" {labels}{end}')

    def seconds(looks: int) -> float:
        before = time.process_time()
        for _ in range(looks):
            with pytest.raises(StatusError, match="nonsense" if "nonsense" in end else "platform"):
                READER.read(tmp_path / "large")
        return time.process_time() - before

    assert seconds(1) > seconds(10)
