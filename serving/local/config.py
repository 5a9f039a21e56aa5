"""The list of models to serve: `models.config`, or `--model_name` and `--model_base_path`.

The file is protobuf text, the very one that TensorFlow Serving reads. Refusals follow the
recorded cases 523 to 526, 546, 547 and 811 to 820; the later ones are in `transition`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

from serving.local.errors import StatusError, invalid_argument, not_found
from serving.wire import messages_pb2 as pb

CONTAINER_MODELS = "/models/"
PLATFORM = "tensorflow"

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9.]*://")
_LOCAL_FILE = re.compile(r"\Afile://[^/]*")

Proto = TypeVar("Proto", bound=Message)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """One model: where its versions are and which of them to serve.

    Attributes:
        stated_platform: the platform by its own field.
        stated_type: the platform by the deprecated type.
        logs: whether requests are to be written down.
    """

    name: str
    base_path: Path
    policy: pb.ServableVersionPolicy
    labels: Mapping[str, int]
    stated_platform: str
    stated_type: int = pb.MODEL_TYPE_UNSPECIFIED
    logs: bool = False

    @property
    def platform(self) -> str:
        """What runs the model.

        Raises:
            StatusError: it is said by none of the two fields, by both, or by a type that no
                platform goes by (recorded cases 525, 546, 547).
        """
        typed = self.stated_type != pb.MODEL_TYPE_UNSPECIFIED
        if typed == bool(self.stated_platform):
            wrong, joint = ("both", "and") if typed else ("neither", "nor")
            raise invalid_argument(
                f"Illegal setting {wrong} ModelServerConfig::model_type (deprecated) {joint} "
                f"ModelServerConfig::model_platform, model name is {self.name}"
            )
        if typed and self.stated_type != pb.TENSORFLOW:
            text = f"ModelServerConfig::model_type choice {self.stated_type} not supported."
            raise invalid_argument(text)
        return self.stated_platform or PLATFORM


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
        """Checks names and paths; the rest is checked against what runs, see `transition`.

        Raises:
            StatusError: a name twice, or a relative path.
        """
        _require_different_names(message)
        for model in message.config:
            _require_absolute_path(model)
        return {model.name: self._model(model) for model in message.config}

    def single(self, name: str, base_path: str) -> ModelConfigs:
        """The configuration that `--model_name` and `--model_base_path` stand for."""
        model = pb.ModelConfig(name=name, base_path=base_path, model_platform=PLATFORM)
        return self.accept(pb.ModelConfigList(config=[model]))

    def _model(self, model: pb.ModelConfig) -> ModelConfig:
        return ModelConfig(
            name=model.name,
            base_path=self.locate(model.base_path),
            policy=model.model_version_policy,
            labels=dict(model.version_labels),
            stated_platform=model.model_platform,
            stated_type=model.model_type,
            logs=model.HasField("logging_config"),
        )

    def locate(self, base_path: str) -> Path:
        """Where a base path is on this machine."""
        base_path = _LOCAL_FILE.sub("", base_path)
        if self.models_root is not None and base_path.startswith(CONTAINER_MODELS):
            return self.models_root / base_path.removeprefix(CONTAINER_MODELS)
        return Path(base_path)


def _require_different_names(message: pb.ModelConfigList) -> None:
    names: set[str] = set()
    for model in message.config:
        if model.name in names:
            text = f"Illegal to list model {model.name} multiple times in config list"
            raise invalid_argument(text)
        names.add(model.name)


def _require_absolute_path(model: pb.ModelConfig) -> None:
    """A path with a scheme counts as absolute, though only the local disk is read here."""
    if not model.base_path.startswith("/") and not _SCHEME.match(model.base_path):
        raise invalid_argument(
            f"Expected model {model.name} to have an absolute path or URI; "
            f"got base_path()={model.base_path}"
        )


def require_known_platforms(models: ModelConfigs) -> None:
    """Refuses models of other platforms (recorded case 818).

    Raises:
        StatusError: a model's platform is none that can be served.
    """
    for model in models.values():
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
