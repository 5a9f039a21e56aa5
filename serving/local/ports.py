"""Tells a busy port in one sentence, before the seconds that TensorFlow's import takes."""

from __future__ import annotations

import socket

from serving.local.settings import FlagError, Settings


def require_free(settings: Settings) -> None:
    """Tries each port once.

    Raises:
        FlagError: it is taken or not allowed; the text names the port, its purpose, the flag and
            the environment variable.
    """
    rest_port = settings.rest_api_port if settings.serves_rest else 0
    for purpose, flag, port in (
        ("gRPC", "port", settings.port),
        ("REST", "rest_api_port", rest_port),
    ):
        if port:
            _try(settings.host, port, purpose, flag)


def _try(host: str, port: int, purpose: str, flag: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except (OSError, OverflowError) as error:
        raise FlagError(
            f"Port {port} on {host} for {purpose} cannot be used ({error}): choose another with "
            f"--{flag} or the environment variable US_BILLS_{purpose.upper()}_PORT."
        ) from error
