"""The list of models to serve: `models.config`, or `--model_name` and `--model_base_path`.

The file is protobuf text, the very one that TensorFlow Serving reads. Refusals follow the
recorded cases 523 to 526 and 812 to 820.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from google.protobuf import text_format

from serving.local.errors import StatusError, invalid_argument
from serving.wire import messages_pb2 as pb

CONTAINER_MODELS = "/models/"
PLATFORM = "tensorflow"


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """One model: where its versions are and which of them to serve."""

    name: str
    base_path: Path
    policy: pb.ServableVersionPolicy
    labels: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class ConfigReader:
    """Turns configuration files into `ModelConfig`s.

    Attributes:
        models_root: the folder that stands for `/models/`, the container's bind mount, or None to
            read such paths as they are.
    """

    models_root: Path | None

    def read(self, file: Path) -> dict[str, ModelConfig]:
        """Reads a configuration file.

        Returns:
            The models by name.

        Raises:
            StatusError: the file is missing, is no configuration, or asks for the impossible.
        """
        try:
            text = file.read_text("utf-8")
            message = text_format.Parse(text, pb.ModelServerConfig())
        except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
            raise invalid_argument(f"Invalid protobuf file: '{file}' ({error})") from error
        return self.accept(message)

    def accept(self, message: pb.ModelServerConfig) -> dict[str, ModelConfig]:
        """Checks a configuration.

        Raises:
            StatusError: a name twice or none, a relative path, or an unknown platform.
        """
        if message.WhichOneof("config") != "model_config_list":
            raise invalid_argument("Expected a model_config_list. Received none.")
        models: dict[str, ModelConfig] = {}
        for model in message.model_config_list.config:
            if model.name in models:
                raise invalid_argument(f"Duplicate model name: {model.name}")
            models[model.name] = self._model(model)
        return models

    def single(self, name: str, base_path: str) -> dict[str, ModelConfig]:
        """The configuration that `--model_name` and `--model_base_path` stand for."""
        model = pb.ModelConfig(name=name, base_path=base_path, model_platform=PLATFORM)
        return {name: self._model(model)}

    def _model(self, model: pb.ModelConfig) -> ModelConfig:
        _require(model)
        return ModelConfig(
            name=model.name,
            base_path=self._locate(model.base_path),
            policy=model.model_version_policy,
            labels=dict(model.version_labels),
        )

    def _locate(self, base_path: str) -> Path:
        if self.models_root is not None and base_path.startswith(CONTAINER_MODELS):
            return self.models_root / base_path.removeprefix(CONTAINER_MODELS)
        return Path(base_path)


def _require(model: pb.ModelConfig) -> None:
    for wrong, message in _faults(model):
        if wrong:
            raise _invalid(model, message)


def _faults(model: pb.ModelConfig) -> list[tuple[bool, str]]:
    path, platform = model.base_path, model.model_platform
    typed = model.model_type == pb.TENSORFLOW
    return [
        (not model.name, "a model needs a name."),
        (not path.startswith("/"), f"expected model {model.name} to have an absolute path."),
        (not platform and not typed, "model_platform is not set. Expected: tensorflow."),
        (bool(platform) and typed, "set model_platform or model_type, not both."),
        (platform not in ("", PLATFORM), f"unknown model_platform '{platform}'."),
    ]


def _invalid(model: pb.ModelConfig, message: str) -> StatusError:
    return invalid_argument(
        f"Illegal configuration of model '{model.name}' (base_path '{model.base_path}'): {message}"
    )
