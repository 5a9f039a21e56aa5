"""The list of models to serve, from `models.config`, a reload request, or flags.

The file is the protobuf text that TensorFlow Serving reads. This module does not import TensorFlow,
which must not be imported before `runtime.environment` has prepared the process.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

from serving import files
from serving.local.errors import Code, StatusError, invalid_argument, not_found
from serving.wire import messages_pb2 as pb

CONTAINER_MODELS = "/models/"
PLATFORM = "tensorflow"

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9.]*://")
_LOCAL_FILE = re.compile(r"\Afile://[^/]*")

Proto = TypeVar("Proto", bound=Message)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """One model: where its versions are and which of them to serve."""

    name: str
    base_path: Path
    policy: pb.ServableVersionPolicy
    labels: Mapping[str, int]


ModelConfigs = Mapping[str, ModelConfig]


@dataclasses.dataclass(frozen=True)
class ConfigReader:
    """Converts configurations to `ModelConfig`s.

    Attributes:
        models_root: the folder that replaces `/models/`, the container's bind mount; None leaves
            such paths unchanged.
        roots: the folders that base paths must lie in; None allows all folders.
    """

    models_root: Path | None
    roots: frozenset[Path] | None = None

    def confined(self, models: ModelConfigs) -> ConfigReader:
        """Returns a reader for clients: base paths next to those of `models`, or in `models_root`.

        If a model is directly below `/`, only its own folder is allowed and not the whole disk.
        """
        paths = [_plain(model.base_path) for model in models.values()]
        roots = {path if path.parent == path.parent.parent else path.parent for path in paths}
        if self.models_root is not None:
            roots.add(_plain(self.models_root))
        return dataclasses.replace(self, roots=frozenset(roots))

    def read(self, file: Path) -> ModelConfigs:
        """Reads a configuration file; raises `StatusError` if it is missing, or like `accept`."""
        message = read_text_proto(file, pb.ModelServerConfig())
        if message.WhichOneof("config") != "model_config_list":
            raise invalid_argument(f"Expected a model_config_list in {file}.")
        return self.accept(message.model_config_list)

    def accept(self, message: pb.ModelConfigList) -> ModelConfigs:
        """Checks each model; `aspired_versions` checks labels against the loaded versions.

        Raises `StatusError` for a duplicate name, a path that is relative or outside the roots, and
        unsupported settings.
        """
        models: dict[str, ModelConfig] = {}
        for model in message.config:
            if model.name in models:
                text = f"Illegal to list model {model.name} multiple times in config list"
                raise invalid_argument(text)
            _require_supported(model)
            labels = dict(model.version_labels)
            path = self.locate(model.base_path)
            self._require_within_roots(model.name, path)
            models[model.name] = ModelConfig(model.name, path, model.model_version_policy, labels)
        return models

    def single(self, name: str, base_path: str) -> ModelConfigs:
        """Returns the configuration of `--model_name` and `--model_base_path`."""
        model = pb.ModelConfig(name=name, base_path=base_path, model_platform=PLATFORM)
        return self.accept(pb.ModelConfigList(config=[model]))

    def locate(self, base_path: str) -> Path:
        """Returns the path on this machine for a base path."""
        base_path = _LOCAL_FILE.sub("", base_path)
        if self.models_root is not None and base_path.startswith(CONTAINER_MODELS):
            # A second slash would make the rest an absolute path.
            return self.models_root / base_path.removeprefix(CONTAINER_MODELS).lstrip("/")
        return Path(base_path)

    def _require_within_roots(self, name: str, path: Path) -> None:
        path = _plain(path)
        if self.roots is not None and not any(path.is_relative_to(root) for root in self.roots):
            allowed = ", ".join(map(str, sorted(self.roots)))
            text = f"The base path {path} of model {name} is not below {allowed}."
            raise StatusError(Code.PERMISSION_DENIED, text)


def _plain(path: Path) -> Path:
    """Returns a path without `..`; links, which the operator has created, are not resolved."""
    return Path(os.path.normpath(path))


def _require_supported(model: pb.ModelConfig) -> None:
    """Refuses unsupported settings; a URI counts as absolute, though only local disks are read."""
    is_absolute = model.base_path.startswith("/") or _SCHEME.match(model.base_path)
    if not is_absolute or "\0" in model.base_path:
        raise invalid_argument(
            f"Expected model {model.name} to have an absolute path or URI; "
            f"got base_path={model.base_path}"
        )
    # Set either by the deprecated type or by the platform's name, not by both.
    named = (model.model_type, model.model_platform)
    if named not in ((pb.TENSORFLOW, ""), (pb.MODEL_TYPE_UNSPECIFIED, PLATFORM)):
        raise invalid_argument(
            f"Expected model {model.name} to have model_platform {PLATFORM!r} and no model_type "
            f"(deprecated); got {model.model_platform!r} and {model.model_type}"
        )
    if model.HasField("logging_config"):
        raise invalid_argument(f"Model {model.name} asks for request logging, which is not there.")


def read_text_proto(file: Path, message: Proto) -> Proto:
    """Reads a file of protobuf text into a message.

    Raises `StatusError` if the file is missing, not regular, empty, too large, nested too deeply,
    or does not fit the message.
    """
    try:
        text = files.read_text(file)
    except OSError as error:
        raise not_found(f"{file}; {error.strerror}") from error
    except ValueError as error:
        raise _invalid(file, error) from error
    if not text:
        raise invalid_argument(f"{file} is empty: Invalid argument")
    parsed, fault = _parsed(text, type(message))  # type: ignore[arg-type]  # A class can be hashed.
    if fault:
        raise _invalid(file, fault)
    message.ParseFromString(parsed)
    return message


@functools.lru_cache(maxsize=4)
def _parsed(text: str, kind: type[Message]) -> tuple[bytes, str]:
    """Returns the serialized message, and the text of the error: one of them is empty.

    Cached, since a polled file rarely changes, and parsing a megabyte in Python takes longer than
    the interval between two polls.
    """
    try:
        return text_format.Parse(text, kind()).SerializeToString(), ""
    except (ValueError, RecursionError, text_format.ParseError) as error:
        return b"", str(error) or type(error).__name__


def _invalid(file: Path, reason: object) -> StatusError:
    return invalid_argument(f"Invalid protobuf file: '{file}' ({reason})")
