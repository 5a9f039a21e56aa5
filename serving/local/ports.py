"""Tells a busy port in one sentence, before the seconds that TensorFlow's import takes."""

from __future__ import annotations

import dataclasses
import socket

from serving.local.settings import Settings

PURPOSES = {"port": "gRPC", "rest_api_port": "REST"}


class PortError(OSError):
    """A port that cannot be listened on."""


def require_free(settings: Settings) -> None:
    """Tries each port once.

    Raises:
        PortError: it is taken or not allowed; the text names the port, its purpose, the flag and
            the environment variable.
    """
    for field in dataclasses.fields(Settings):
        port = getattr(settings, field.name)
        wanted = port and (field.name == "port" or settings.serves_rest)
        if field.name in PURPOSES and wanted:
            _try(settings.host, port, PURPOSES[field.name], field.name, field.metadata["env"])


def _try(host: str, port: int, purpose: str, flag: str, variable: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise PortError(
                f"Port {port} on {host} for {purpose} cannot be used ({reason}): choose another "
                f"with --{flag} or the environment variable {variable}."
            ) from error
