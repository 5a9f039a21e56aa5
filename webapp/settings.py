"""Everything about the front end that can be set, each by one environment variable."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

PREFIX = "US_BILLS_"
# Prometheus's own variable, set by the server for its processes and read as its library is
# imported: the folder where they share their counts. Named here, where nothing imports that.
COUNTS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


class BadSetting(Exception):
    """An environment variable has a value that cannot be used."""


def _text(value: str) -> str:
    return value


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
    return value


def _server_url(value: str) -> str:
    scheme, _, address = value.partition("://")
    if scheme not in ("grpc", "http") or not address:
        raise ValueError("an address such as grpc://127.0.0.1:8500 or http://127.0.0.1:8501")
    return value


def _setting(default: Any, parse: Callable[[str], Any], meaning: str) -> Any:
    return field(default=default, metadata={"parse": parse, "meaning": meaning})


@dataclass(frozen=True)
class Settings:
    """The table of settings: names, defaults, what is accepted and what each is for."""

    host: str = _setting("127.0.0.1", _name, "address the front end listens on")
    web_port: int = _setting(5000, _whole_number(1, 65535), "port the front end listens on")
    model_server: str = _setting(
        "grpc://127.0.0.1:8500", _server_url, "the model server: grpc://host:port or http://..."
    )
    model_name: str = _setting("us_bills", _name, "model to ask for")
    model_label: str = _setting(
        "stable", _text, "version label to ask for; empty asks for the newest version"
    )
    traffic_file: str = _setting(
        "serving/config/traffic.json",
        _text,
        "what rollouts write about a version on trial, re-read when it changes; empty for none",
    )
    timeout: float = _setting(
        5.0, _seconds, "seconds from a photo's last byte to its answer, the model server's included"
    )
    silence: float = _setting(
        10.0, _seconds, "seconds a client may pause within a request before it is given up"
    )
    patience: float = _setting(
        30.0, _seconds, "seconds a whole request may take to arrive, however steadily it comes"
    )
    workers: int = _setting(1, _whole_number(1, 64), "processes that share the port")
    threads: int = _setting(128, _whole_number(1, 256), "connections served at once by a process")
    at_once: int = _setting(
        8,
        _whole_number(1, 256),
        "photo requests answered at once by a process; half as many as threads wait, more get 429",
    )
    max_bytes: int = _setting(
        20_000_000, _whole_number(1, 10**9), "largest request in bytes, all pictures together"
    )
    bytes_at_once: int = _setting(
        400_000_000,
        _whole_number(1, 10**11),
        "bytes that the requests to a process take in memory at once, copies too; more get 503",
    )
    max_pictures: int = _setting(16, _whole_number(1, 256), "most pictures in one request")
    proxies: int = _setting(
        0,
        _whole_number(0, 9),
        "proxies before the front end whose X-Forwarded-For and -Proto are believed",
    )
    cors_origins: str = _setting(
        "", _origins, "other sites whose pages may ask, such as https://a.example https://b.example"
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings from environment variables; one that is not set keeps its default.

        Raises:
            BadSetting: Names the variable, what was expected and what came.
        """
        given = {f.name: f for f in fields(cls) if variable(f.name) in environ}
        return cls(**{name: _parse(name, f.metadata, environ) for name, f in given.items()})


def variable(name: str) -> str:
    """The environment variable of a setting: `web_port` is `US_BILLS_WEB_PORT`."""
    return PREFIX + name.upper()


def describe() -> str:
    """The table of settings as text, one line each: variable, default, meaning."""
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
