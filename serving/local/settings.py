"""The server's flags: TensorFlow Serving's names and forms, plus `--host` and `--models_root`.

One table, `Settings`, drives the parser, the help text and the code.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from serving.local.cores import usable_cores

WITHOUT_EFFECT = frozenset({
    "enable_per_model_batching_parameters", "enable_profiler",
    "enable_serialization_as_tensor_content", "enable_signature_method_name_check",
    "flush_filesystem_caches",
    "force_allow_any_version_labels_for_unavailable_models", "grpc_channel_arguments",
    "grpc_socket_path", "mixed_precision", "num_load_threads", "num_request_iterations_for_warmup",
    "num_tflite_interpreters_per_pool", "num_tflite_pools", "num_unload_threads",
    "per_process_gpu_memory_fraction", "platform_config_file", "prefer_tflite_model",
    "remove_unused_fields_from_bundle_metagraph", "rest_api_num_threads", "saved_model_tags",
    "skip_initialize_tpu", "tensorflow_session_config_file", "thread_pool_factory_config_file",
    "xla_cpu_compilation_enabled", "xla_gpu_compilation_enabled",
})  # fmt: skip
"""Flags of TensorFlow Serving that this server takes and does nothing about."""

ENCRYPTION = ("ssl_config_file", "use_alts_credentials")
"""Those that it must not pass over: whoever gives them relies on what it cannot do."""

_BOOLS = {"true": True, "false": False}
_WHOLE_NUMBER = re.compile(r"\s*[+-]?[0-9]+", re.ASCII)
"""What `sscanf` takes without a rest."""


def _flag(default: Any, text: str, *, env: str = "") -> Any:
    return dataclasses.field(default=default, metadata={"help": text, "env": env})


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the command line asks for; each field is the flag of that name."""

    port: int = _flag(8500, "port for gRPC; 0 for none", env="US_BILLS_GRPC_PORT")
    rest_api_port: int = _flag(
        8501,
        "port for REST; 0 for none (TensorFlow Serving's own default is none)",
        env="US_BILLS_REST_PORT",
    )
    host: str = _flag("127.0.0.1", "address to listen on (TensorFlow Serving: all addresses)")
    model_config_file: str = _flag("", "models to serve, as protobuf text")
    model_config_file_poll_wait_seconds: int = _flag(
        0, "seconds between looks at --model_config_file; 0 reads it once"
    )
    file_system_poll_wait_seconds: int = _flag(
        1, "seconds between looks at the base paths; 0 looks once"
    )
    model_name: str = _flag("default", "name of the model at --model_base_path")
    model_base_path: str = _flag("", "folder of versions, where no --model_config_file is given")
    models_root: str = _flag(
        "models",
        "folder that stands for /models/ in base paths, as the container's mount does; "
        "empty for the real /models (not a flag of TensorFlow Serving)",
    )
    allow_version_labels_for_unavailable_models: bool = _flag(
        False, "accept labels of versions that are not loaded yet"
    )
    enable_model_warmup: bool = _flag(True, "replay a version's warm-up requests before it serves")
    max_num_load_retries: int = _flag(5, "further tries for a version that cannot be loaded")
    load_retry_interval_micros: int = _flag(60_000_000, "microseconds between such tries")
    rest_api_timeout_in_ms: int = _flag(30_000, "milliseconds for a REST prediction")
    rest_api_enable_cors_support: bool = _flag(False, "send CORS headers with REST replies")
    monitoring_config_file: str = _flag("", "metrics on the REST port, as protobuf text")
    enable_batching: bool = _flag(False, "run requests that arrive together at once")
    batching_parameters_file: str = _flag("", "how to batch, as protobuf text")
    enable_grpc_healthcheck_service: bool = _flag(False, "answer gRPC's health service")
    grpc_max_threads: int = _flag(4 * usable_cores(), "gRPC calls at once; 4 a core")
    tensorflow_session_parallelism: int = _flag(
        0, "threads of either kind below; 0: as many as cores"
    )
    tensorflow_intra_op_parallelism: int = _flag(0, "threads in one operation; 0: as many as cores")
    tensorflow_inter_op_parallelism: int = _flag(0, "operations at once; 0: as many as cores")

    @property
    def serves_rest(self) -> bool:
        """Whether there is a REST port; one that equals the gRPC port is left out (case 825)."""
        return self.rest_api_port not in (0, self.port)


class FlagError(ValueError):
    """A flag that is known has no or no usable value."""


def parse(
    arguments: Sequence[str], environment: Mapping[str, str] = os.environ
) -> tuple[Settings, list[str]]:
    """Reads the command line.

    Args:
        arguments: in the forms `--flag=value`, `--flag value` and, for a yes-or-no flag, `--flag`.
        environment: gives the defaults of the two ports.

    Returns:
        The settings, and the arguments that are no flags of this server; see `remark`.

    Raises:
        FlagError: a value is missing or is not of the flag's type, or encryption is asked for.
    """
    fields = {field.name: field for field in dataclasses.fields(Settings)}
    values = _from_environment(fields, environment)
    unknown: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name, given, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or name not in fields:
            _require_no_encryption(name, value)
            if name in WITHOUT_EFFECT and not given and rest and not rest[0].startswith("--"):
                rest.pop(0)
            unknown.append(argument)
            continue
        if not given:
            value = _separate_value(fields[name], rest)
        values[name] = _convert(fields[name], value, f"--{name}")
    return Settings(**values), unknown


def remark(argument: str) -> str:
    """A sentence about an argument that changes nothing."""
    flag = argument.partition("=")[0]
    if flag.removeprefix("--") in WITHOUT_EFFECT:
        return f"Flag {flag} of TensorFlow Serving has no effect here."
    return f"Unknown flag {argument} is ignored; --help lists those that are known."


def help_text() -> str:
    """The list of flags with their defaults."""
    lines = ["usage: python -m serving [--flag=value ...]", "", "flags:"]
    for field in dataclasses.fields(Settings):
        env = field.metadata["env"]
        default = f"{_shown(field.default)}{f', or the variable {env}' if env else ''}"
        lines += [f"  --{field.name}", f"      {field.metadata['help']} [{default}]"]
    return "\n".join([*lines, "  --version", "  --help", "      print this and end"])


def _require_no_encryption(name: str, value: str) -> None:
    if name in ENCRYPTION and value != "false":
        raise FlagError(
            f"--{name} asks for encryption, and this server speaks plain text. Leave the flag out "
            "and put a proxy with TLS in front, or take TensorFlow Serving."
        )


def _from_environment(
    fields: Mapping[str, dataclasses.Field[Any]], environment: Mapping[str, str]
) -> dict[str, Any]:
    named = {field.name: field.metadata["env"] for field in fields.values()}
    return {
        name: _convert(fields[name], environment[env], env)
        for name, env in named.items()
        if env and environment.get(env)
    }


def _separate_value(field: dataclasses.Field[Any], rest: list[str]) -> str:
    if isinstance(field.default, bool):
        is_value = bool(rest) and rest[0] in _BOOLS
        return rest.pop(0) if is_value else "true"
    if not rest:
        raise FlagError(f"--{field.name} needs a value: {field.metadata['help']}.")
    return rest.pop(0)


def _convert(field: dataclasses.Field[Any], text: str, source: str) -> Any:
    if isinstance(field.default, bool):
        if text not in _BOOLS:
            raise FlagError(f"{source} expects true or false. Received: {text!r}.")
        return _BOOLS[text]
    if isinstance(field.default, int):
        if not _WHOLE_NUMBER.fullmatch(text):
            raise FlagError(f"{source} expects a whole number. Received: {text!r}.")
        return int(text)
    return text


def _shown(default: Any) -> str:
    return str(default).lower() if isinstance(default, bool) else repr(default)
