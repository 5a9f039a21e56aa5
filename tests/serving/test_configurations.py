"""A configuration with more than one fault gets the refusal that the original comes to first."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.local.config import ConfigReader, ModelConfigs, require_known_platforms
from serving.local.errors import Code, StatusError
from serving.local.files import check
from serving.local.settings import parse
from serving.local.transition import require_legal, require_no_logging
from serving.local.versions import Versions
from serving.wire import messages_pb2 as pb

READER = ConfigReader(None)
LABELLED = pb.ModelConfig(name="a", base_path="/a", version_labels={"stable": 1})
NO_PLATFORM = (
    "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
    "ModelServerConfig::model_platform, model name is a"
)


def configuration(*models: pb.ModelConfig) -> ModelConfigs:
    return READER.accept(pb.ModelConfigList(config=models))


def legal(new: ModelConfigs, old: ModelConfigs | None = None) -> None:
    require_legal(old or {}, new, Versions(), labels_for_unavailable=False)


def test_a_name_that_comes_twice_is_told_before_a_relative_path() -> None:
    with pytest.raises(StatusError, match="Illegal to list model a multiple times"):
        configuration(pb.ModelConfig(name="b"), pb.ModelConfig(name="a"), pb.ModelConfig(name="a"))


def test_a_relative_path_is_told_before_a_missing_platform() -> None:
    with pytest.raises(StatusError, match="Expected model a to have an absolute path or URI; got"):
        configuration(pb.ModelConfig(name="a"))


def test_a_label_of_nothing_is_told_before_a_missing_platform() -> None:
    with pytest.raises(StatusError, match="Request to assign label to version 1 of model a"):
        legal(configuration(LABELLED))


def test_a_model_that_loses_its_platform_is_told_before_its_label() -> None:
    before = configuration(pb.ModelConfig(name="a", base_path="/a", model_platform="tensorflow"))
    with pytest.raises(StatusError) as refusal:
        legal(configuration(LABELLED), before)
    assert refusal.value.message == NO_PLATFORM


def test_a_deprecated_type_that_is_no_platform_is_refused_by_its_number() -> None:
    models = configuration(pb.ModelConfig(name="a", base_path="/a", model_type=pb.OTHER))
    with pytest.raises(StatusError) as refusal:
        require_known_platforms(models)
    assert refusal.value.message == "ModelServerConfig::model_type choice 2 not supported."


def test_a_path_may_be_a_uri() -> None:
    models = configuration(
        pb.ModelConfig(name="a", base_path="file:///models/a"),
        pb.ModelConfig(name="b", base_path="gs://bucket/b"),
    )
    assert models["a"].base_path == Path("/models/a")
    assert not models["b"].base_path.exists()


def test_a_model_whose_requests_are_to_be_written_down_is_refused() -> None:
    logging = pb.LoggingConfig(sampling_config=pb.SamplingConfig(sampling_rate=0.1))
    models = configuration(pb.ModelConfig(name="a", base_path="/a", logging_config=logging))
    with pytest.raises(StatusError) as refusal:
        require_no_logging(models)
    assert str(refusal.value) == "INVALID_ARGUMENT: No request-logger-creator provided."
    require_no_logging(configuration(LABELLED))


def test_threads_are_given_for_both_kinds_at_once_or_for_each() -> None:
    flags = ["--model_base_path=/a"]
    flags += [f"--tensorflow_{kind}_op_parallelism=1" for kind in ("intra", "inter")]
    check(parse(flags, {})[0])
    with pytest.raises(StatusError, match="You cannot configure all") as refusal:
        check(parse([*flags, "--tensorflow_session_parallelism=2"], {})[0])
    assert refusal.value.code is Code.INVALID_ARGUMENT
