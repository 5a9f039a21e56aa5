"""The list of models to serve: `models.config`, or `--model_name` and `--model_base_path`.

The file is protobuf text, the very one that TensorFlow Serving reads. Refusals follow the
recorded cases 523 to 526, 546, 547 and 811 to 820.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

from serving.local.errors import StatusError, invalid_argument, not_found
from serving.wire import messages_pb2 as pb

CONTAINER_MODELS = "/models/"
PLATFORM = "tensorflow"

Proto = TypeVar("Proto", bound=Message)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """One model: where its versions are and which of them to serve."""

    name: str
    base_path: Path
    platform: str
    policy: pb.ServableVersionPolicy
    labels: Mapping[str, int]


ModelConfigs = Mapping[str, ModelConfig]


@dataclasses.dataclass(frozen=True)
class ConfigReader:
    """Turns configuration files into `ModelConfig`s.

    Attributes:
        models_root: the folder that stands for `/models/`, the container's bind mount, or None to
            read such paths as they are.
    """

    models_root: Path | None

    def read(self, file: Path) -> ModelConfigs:
        """Reads a configuration file.

        Returns:
            The models by name.

        Raises:
            StatusError: the file is missing, is no configuration, or asks for the impossible
                (recorded cases 811 to 820).
        """
        message = read_text_proto(file, pb.ModelServerConfig())
        if message.WhichOneof("config") != "model_config_list":
            raise invalid_argument("Expected a model_config_list. Received none.")
        return self.accept(message.model_config_list)

    def accept(self, message: pb.ModelConfigList) -> ModelConfigs:
        """Checks a configuration.

        Raises:
            StatusError: a name twice, a relative path, or none or two ways to say the platform.
        """
        models: dict[str, ModelConfig] = {}
        for model in message.config:
            if model.name in models:
                text = f"Illegal to list model {model.name} multiple times in config list"
                raise invalid_argument(text)
            models[model.name] = self._model(model)
        return models

    def single(self, name: str, base_path: str) -> ModelConfigs:
        """The configuration that `--model_name` and `--model_base_path` stand for."""
        model = pb.ModelConfig(name=name, base_path=base_path, model_platform=PLATFORM)
        return {name: self._model(model)}

    def _model(self, model: pb.ModelConfig) -> ModelConfig:
        platform = _platform(model)
        if not model.base_path.startswith("/"):
            raise invalid_argument(
                f"Expected model {model.name} to have an absolute path or URI; "
                f"got base_path()={model.base_path}"
            )
        return ModelConfig(
            name=model.name,
            base_path=self.locate(model.base_path),
            platform=platform,
            policy=model.model_version_policy,
            labels=dict(model.version_labels),
        )

    def locate(self, base_path: str) -> Path:
        """Where a base path is on this machine."""
        if self.models_root is not None and base_path.startswith(CONTAINER_MODELS):
            return self.models_root / base_path.removeprefix(CONTAINER_MODELS)
        return Path(base_path)


def require_platforms(old: ModelConfigs, new: ModelConfigs) -> None:
    """Refuses models of other platforms (recorded cases 524, 818).

    Raises:
        StatusError: a model's platform changes, or is none that can be served.
    """
    for model in new.values():
        if model.name in old and old[model.name].platform != model.platform:
            raise invalid_argument(
                f"Illegal to change a model's platform. For model {model.name} platform was "
                f"{old[model.name].platform} and new platform requested is {model.platform}"
            )
        if model.platform != PLATFORM:
            text = f"Model {model.name} requests unsupported platform {model.platform}"
            raise invalid_argument(text)


def read_text_proto(file: Path, message: Proto) -> Proto:
    """Reads a file of protobuf text into a message.

    Raises:
        StatusError: the file is missing, is empty, or does not fit the message.
    """
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise not_found(f"{file}; {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _not_a_proto(file, error) from error
    if not text:
        raise invalid_argument(f"{file}; Invalid argument")
    try:
        return text_format.Parse(text, message)
    except text_format.ParseError as error:
        raise _not_a_proto(file, error) from error


def _not_a_proto(file: Path, error: Exception) -> StatusError:
    return invalid_argument(f"Invalid protobuf file: '{file}' ({error})")


def _platform(model: pb.ModelConfig) -> str:
    """The platform by its own field, or by the deprecated type (recorded cases 525, 546, 547)."""
    typed = model.model_type != pb.MODEL_TYPE_UNSPECIFIED
    if typed == bool(model.model_platform):
        wrong, joint = ("both", "and") if typed else ("neither", "nor")
        raise invalid_argument(
            f"Illegal setting {wrong} ModelServerConfig::model_type (deprecated) {joint} "
            f"ModelServerConfig::model_platform, model name is {model.name}"
        )
    return model.model_platform or pb.ModelType.Name(model.model_type).lower()
