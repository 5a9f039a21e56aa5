"""The settings of the front end, each set by one environment variable."""

import importlib.util
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

PREFIX = "US_BILLS_"
# gRPC accepts several servers only as IP addresses; a single name can resolve to all of them.
_SEVERAL_SERVERS = re.compile(r"grpcs?://\d+(\.\d+){3}:\d+(,\d+(\.\d+){3}:\d+)+")
# gRPC has no default port. A host name has labels of at most 63 letters each (RFC 1035).
_HOST = r"(\[[\w:.%]+\]|[\w-]{1,63}(\.[\w-]{1,63})*\.?)"
_ONE_SERVER = re.compile(
    rf"(grpcs?://{_HOST}:\d{{1,5}}|https?://{_HOST}(:\d{{1,5}})?)/?", re.ASCII | re.IGNORECASE
)
# Variable of prometheus_client: the folder where processes share their counts. The server sets it,
# and the library reads it when imported. Defined here because this module does not import it.
COUNTS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


class BadSetting(Exception):
    """An environment variable has a value that cannot be used."""


def _name(value: str) -> str:
    if not value:
        raise ValueError("a name")
    return value


def _whole_number(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        number = int(value) if value.isascii() and value.isdecimal() else -1
        if not low <= number <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return number

    return parse


def _seconds(value: str) -> float:
    expected = "a number of seconds from 0.1 to 600"
    try:
        seconds = float(value)
    except ValueError:
        raise ValueError(expected) from None
    if not 0.1 <= seconds <= 600:
        raise ValueError(expected)
    return seconds


def _origins(value: str) -> str:
    for origin in value.split():
        if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+", origin) and origin != "*":
            raise ValueError("origins such as https://shop.example, separated by spaces, or *")
    # Browsers send origins in lower case.
    return value.lower()


def _server_url(value: str) -> str:
    try:
        # `urlsplit` raises for an invalid port, or for an invalid address in brackets.
        one = _ONE_SERVER.fullmatch(value) and urlsplit(value).port != 0
    except ValueError:
        one = False
    if not (one or _SEVERAL_SERVERS.fullmatch(value)):
        raise ValueError("an address such as grpc://127.0.0.1:8500 or http://127.0.0.1:8501")
    return value


def _collector(value: str) -> str:
    if not value:
        return value
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+/?", value):
        raise ValueError("a URL such as http://127.0.0.1:4318")
    try:
        found = importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http")
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise ValueError("nothing, as the packages of requirements/webapp-otlp.txt are missing")
    return value


def _file(value: str) -> str:
    if value and not (os.path.isfile(value) and os.access(value, os.R_OK)):
        raise ValueError("a file that can be read")
    return value


def _setting(default: Any, parse: Callable[[str], Any], meaning: str) -> Any:
    return field(default=default, metadata={"parse": parse, "meaning": meaning})


@dataclass(frozen=True)
class Settings:
    """The table of settings: names, defaults, accepted values and meanings."""

    host: str = _setting("127.0.0.1", _name, "address the front end listens on")
    web_port: int = _setting(5000, _whole_number(1, 65535), "port the front end listens on")
    model_server: str = _setting(
        "grpc://127.0.0.1:8500",
        _server_url,
        "the model server: grpc(s)://host:port or http(s)://...",
    )
    model_server_ca: str = _setting(
        "", _file, "PEM file: trusted authorities for the model server's certificate"
    )
    client_cert: str = _setting("", _file, "PEM file: certificate to show to the model server")
    client_key: str = _setting("", _file, "PEM file: private key of that certificate")
    model_name: str = _setting("us_bills", _name, "model to ask for")
    model_label: str = _setting(
        "stable", str, "version label to ask for; empty asks for the newest version"
    )
    counter: str = _setting(
        "us_bills_count", str, "model that counts several bills on a photo; empty disables it"
    )
    counter_timeout: float = _setting(
        3.0, _seconds, "seconds the counter may take; after that a photo is answered without it"
    )
    traffic_file: str = _setting(
        "serving/config/traffic.json",
        str,
        "file in which rollouts write a canary's share, re-read when it changes; empty disables it",
    )
    models: str = _setting(
        "models/us_bills",
        str,
        "folder of the versions; their model cards hold names of classes and expected confidences;"
        " empty disables reading them",
    )
    timeout: float = _setting(
        5.0, _seconds, "seconds from a photo's last byte to its answer, including the model server"
    )
    silence: float = _setting(
        10.0, _seconds, "seconds a client may pause within a request before it is abandoned"
    )
    patience: float = _setting(
        30.0, _seconds, "seconds a whole request may take to arrive, even without a pause"
    )
    workers: int = _setting(1, _whole_number(1, 64), "processes that share the port")
    threads: int = _setting(
        128,
        _whole_number(1, 256),
        "requests a process answers at a time; a quarter as many more threads read chunked bodies",
    )
    at_once: int = _setting(
        8,
        _whole_number(1, 256),
        "photo requests a process answers at a time; others wait, or get 429 if it takes too long",
    )
    max_bytes: int = _setting(
        20_000_000, _whole_number(1, 10**9), "largest request in bytes, all pictures together"
    )
    bytes_at_once: int = _setting(
        400_000_000,
        _whole_number(1, 10**11),
        "memory in bytes for all current requests to a process, with copies; more get 503",
    )
    # A version answers 64 pictures at most, see `training.export.guards`.
    max_pictures: int = _setting(16, _whole_number(1, 64), "most pictures in one request")
    proxies: int = _setting(
        0,
        _whole_number(0, 9),
        "proxies before the front end whose X-Forwarded-For and -Proto are trusted",
    )
    feedback: str = _setting(
        "",
        str,
        "folder for photos that people send back with the right answer; empty keeps no photo",
    )
    feedback_bytes: int = _setting(
        500_000_000,
        _whole_number(1, 10**12),
        "most bytes of that folder; no more photos are added then",
    )
    feedback_days: int = _setting(
        90, _whole_number(1, 3650), "days after which such a photo is deleted"
    )
    feedback_rate: int = _setting(
        20, _whole_number(1, 10**6), "photos of one client that are kept within an hour"
    )
    cors_origins: str = _setting(
        "", _origins, "other sites whose pages may send requests, separated by spaces, or *"
    )

    otlp: str = _setting(
        "", _collector, "OpenTelemetry collector to send spans to, such as http://127.0.0.1:4318"
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings from environment variables; one that is not set keeps its default.

        Raises:
            BadSetting: Names the variable, the allowed values and the received value.
        """
        given = {f.name: f for f in fields(cls) if variable(f.name) in environ}
        made = cls(**{name: _parse(name, f.metadata, environ) for name, f in given.items()})
        _require_certificates_to_fit(made)
        return made


def _require_certificates_to_fit(settings: Settings) -> None:
    if bool(settings.client_cert) != bool(settings.client_key):
        names = f"{variable('client_cert')} and {variable('client_key')}"
        raise BadSetting(f"{names}: expected both, or neither.")
    plain = urlsplit(settings.model_server).scheme in ("grpc", "http")
    if plain and (settings.model_server_ca or settings.client_cert):
        raise BadSetting(
            f"{variable('model_server')}: certificates are set, so expected grpcs:// or https://, "
            f"received {settings.model_server!r}."
        )


def variable(name: str) -> str:
    """Return the environment variable of a setting: `web_port` is `US_BILLS_WEB_PORT`."""
    return PREFIX + name.upper()


def describe() -> str:
    """Return the table of settings as text, one line each: variable, default, meaning."""
    return "\n".join(
        f"  {variable(f.name):<22} {f.default!s:<22} {f.metadata['meaning']}"
        for f in fields(Settings)
    )


def _parse(name: str, metadata: Mapping[str, Any], environ: Mapping[str, str]) -> Any:
    value = environ[variable(name)].strip()
    try:
        return metadata["parse"](value)
    except ValueError as error:
        raise BadSetting(f"{variable(name)}: expected {error}, received {value!r}.") from None
