"""The server's flags: those of TensorFlow Serving, and some of this server only.

One table, `Settings`, defines the parser, the help text and the attributes that the code reads.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from serving.local.errors import invalid_argument
from serving.local.threads import Parallelism, usable_cores

ALTS = "use_alts_credentials"
"""A TensorFlow Serving flag that is rejected, not ignored: its user relies on the encryption."""

BFLOAT16 = "bfloat16"
"""The only value of `--mixed_precision` besides the empty one."""

_INTEGER = re.compile(r"-?[0-9]{1,4000}")
NOT_THEIRS = "(not a flag of TensorFlow Serving)"


INT32, INT64 = 2**31 - 1, 2**63 - 1
"""The largest numbers of two of TensorFlow's types."""


def _flag(default: Any, text: str, *, env: str = "", least: int = -INT32, most: int = INT32) -> Any:
    """Returns a field with its help text, environment variable, smallest and largest number."""
    metadata = {"help": text, "env": env, "range": range(least, most + 1)}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The values of all flags; each field is the flag of the same name."""

    port: int = _flag(
        8500, "gRPC port; 0 disables gRPC", env="US_BILLS_GRPC_PORT", least=0, most=65_535
    )
    rest_api_port: int = _flag(
        8501,
        "REST port; 0 disables REST (the default of TensorFlow Serving)",
        env="US_BILLS_REST_PORT",
        least=0,
        most=65_535,
    )
    host: str = _flag("127.0.0.1", "address to listen on (TensorFlow Serving listens on all)")
    model_config_file: str = _flag(
        "", "file with the models to serve, a ModelServerConfig as protobuf text"
    )
    model_config_file_poll_wait_seconds: int = _flag(
        0, "seconds between reads of --model_config_file; 0 reads it once"
    )
    file_system_poll_wait_seconds: int = _flag(
        1, "seconds between checks of the base paths for new versions; 0 checks once"
    )
    model_name: str = _flag("default", "name of the model at --model_base_path")
    model_base_path: str = _flag("", "folder of versions, if --model_config_file is empty")
    models_root: str = _flag(
        "models",
        "folder that replaces /models/ in base paths, like the container's mount; "
        f"empty: /models/ is not replaced {NOT_THEIRS}",
    )
    allow_version_labels_for_unavailable_models: bool = _flag(
        False, "accept new version labels for versions that are not loaded yet"
    )
    enable_model_warmup: bool = _flag(True, "replay a version's warm-up requests before it serves")
    max_num_load_retries: int = _flag(5, "retries for a version that cannot be loaded")
    load_retry_interval_micros: int = _flag(
        60_000_000, "microseconds between these retries", most=INT64
    )
    rest_api_timeout_in_ms: int = _flag(30_000, "milliseconds for a REST request; 0: no limit")
    rest_api_num_threads: int = _flag(64, "simultaneous REST predictions; more wait", least=1)
    rest_api_max_body_mb: int = _flag(
        64,
        "largest REST body in MiB, compressed or decompressed; all current bodies together: four "
        f"times as much {NOT_THEIRS}",
        least=1,
    )
    rest_api_enable_cors_support: bool = _flag(
        False, "accept requests of web pages of other origins, and send CORS headers"
    )
    allowed_hosts: str = _flag(
        "",
        "host names that REST accepts in addition to IP addresses and localhost, separated by "
        f"commas; * accepts all; empty accepts all if --host is not loopback {NOT_THEIRS}",
        env="US_BILLS_ALLOWED_HOSTS",
    )
    monitoring_config_file: str = _flag(
        "", "file that enables metrics on the REST port, a MonitoringConfig as protobuf text"
    )
    enable_batching: bool = _flag(False, "run simultaneous requests as one batch")
    batching_parameters_file: str = _flag(
        "", "file with the limits of the batches, BatchingParameters as protobuf text"
    )
    enable_grpc_healthcheck_service: bool = _flag(False, "serve gRPC's health service")
    grpc_max_threads: int = _flag(
        4 * usable_cores(),
        "simultaneous gRPC calls, by default 4 per core; more are refused",
        least=1,
    )
    grpc_max_message_bytes: int = _flag(
        10 * 2**20,
        "largest gRPC request in bytes; all current requests together: sixteen times as much "
        f"{NOT_THEIRS}",
        least=1,
    )
    max_batch_rows: int = _flag(
        64,
        f"most rows of an input, except in vectors of numbers {NOT_THEIRS}",
        least=1,
    )
    max_tensor_bytes: int = _flag(
        2**26,
        f"largest tensor of a request, in bytes of memory {NOT_THEIRS}",
        least=1,
        most=INT64,
    )
    reload_config_from_any_peer: bool = _flag(
        False,
        f"accept HandleReloadConfigRequest from other machines too {NOT_THEIRS}",
    )
    tensorflow_session_parallelism: int = _flag(
        0, "default of the next two flags; 0: number of cores"
    )
    tensorflow_intra_op_parallelism: int = _flag(0, "threads in one operation; 0: number of cores")
    tensorflow_inter_op_parallelism: int = _flag(0, "parallel operations; 0: number of cores")
    ssl_config_file: str = _flag(
        "", "file that enables TLS for gRPC, an SSLConfig as protobuf text; REST never uses TLS"
    )
    otlp: str = _flag(
        "",
        f"OpenTelemetry collector for spans of gRPC calls, such as http://host:4318 {NOT_THEIRS}",
        env="US_BILLS_OTLP",
    )
    verify_key: str = _flag(
        "",
        f"file with a public key; only versions signed with its private key load {NOT_THEIRS}",
        env="US_BILLS_VERIFY_KEY",
    )
    mixed_precision: str = _flag(
        "",
        "bfloat16: faster on processors that support it, slower on others; empty: float32",
    )

    @property
    def serves_rest(self) -> bool:
        """Whether REST is served: its port is neither 0 nor the gRPC port (recorded case 825)."""
        return self.rest_api_port not in (0, self.port)

    @property
    def parallelism(self) -> Parallelism:
        """TensorFlow's thread counts, each from its own flag or else from the flag for both."""
        both = self.tensorflow_session_parallelism
        return Parallelism(
            self.tensorflow_intra_op_parallelism or both,
            self.tensorflow_inter_op_parallelism or both,
        )


def parse(
    arguments: Sequence[str], environment: Mapping[str, str] = os.environ
) -> tuple[Settings, list[str]]:
    """Parses the command line; environment variables give defaults.

    Returns the settings, and the arguments that this server does not know. Raises `StatusError` if
    a value is missing, of the wrong type, out of range or unknown, or if ALTS is requested.
    """
    try:
        found, unknown = _parser(environment).parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise invalid_argument(str(error).removeprefix("argument ")) from error
    for argument in unknown:
        name, _, value = argument.removeprefix("--").partition("=")
        if name == ALTS and value != "false":
            raise invalid_argument(
                f"--{name} asks for encryption by Google's ALTS, which this server does not speak: "
                "--ssl_config_file has it speak TLS."
            )
    if found.mixed_precision not in ("", BFLOAT16):
        text = f"--mixed_precision expects {BFLOAT16} or nothing. Received"
        raise invalid_argument(f"{text}: {found.mixed_precision!r}.")
    return Settings(**vars(found)), unknown


def help_text() -> str:
    """Returns the list of flags with their defaults."""
    return _parser({}).format_help() + "  --version, --help\n    print the version or this help"


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m serving", add_help=False, allow_abbrev=False, exit_on_error=False
    )
    for field in dataclasses.fields(Settings):
        kind = type(field.default)
        alone: dict[str, Any] = {"nargs": "?", "const": True} if kind is bool else {}
        variable = field.metadata["env"]
        either = f", or the variable {variable}" if variable else ""
        parser.add_argument(
            f"--{field.name}",
            type=functools.partial(_value, field),
            default=_default(field, environment.get(variable)),
            help=f"{field.metadata['help']} [{str(field.default).lower()}{either}]",
            metavar=kind.__name__.upper(),
            **alone,
        )
    return parser


def _default(field: dataclasses.Field[Any], given: str | None) -> Any:
    try:
        return _value(field, given) if given else field.default
    except argparse.ArgumentTypeError as error:
        raise invalid_argument(f"{field.metadata['env']}: {error}") from error


def _value(field: dataclasses.Field[Any], text: str) -> Any:
    """Converts the text of a flag to its value, or raises `ArgumentTypeError`."""
    if isinstance(field.default, str):
        return text
    found: bool | int | None = None
    if isinstance(field.default, bool):
        expected = "true or false"
        found = {"true": True, "false": False}.get(text)
    else:
        numbers = field.metadata["range"]
        expected = f"a whole number from {numbers[0]} to {numbers[-1]}"
        if _INTEGER.fullmatch(text) and int(text) in numbers:
            found = int(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"expects {expected}. Received: {text[:40]!r}.")
    return found
