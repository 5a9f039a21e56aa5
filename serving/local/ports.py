"""Opens listening sockets, and reports a busy port before the slow import of TensorFlow."""

from __future__ import annotations

import socket

from serving.local.errors import failed_precondition
from serving.local.settings import Settings

_BACKLOG = 1024


def require_free(settings: Settings) -> None:
    """Tries each port once; raises `StatusError` if a port is taken or not allowed."""
    if settings.port:
        _try(settings.host, settings.port, "gRPC", "port")
    if settings.serves_rest:
        _try(settings.host, settings.rest_api_port, "REST", "rest_api_port")


def listen(host: str, port: int) -> socket.socket:
    """Listens for TCP connections; raises `OSError` if the port is taken.

    A socket on an IPv6 host accepts IPv4 connections too, if the system supports that.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=both)


def _try(host: str, port: int, purpose: str, flag: str) -> None:
    try:
        listen(host, port).close()
    except OSError as error:
        raise failed_precondition(
            f"Port {port} on {host} for {purpose} cannot be used ({error}): choose another with "
            f"--{flag} or the environment variable US_BILLS_{purpose.upper()}_PORT."
        ) from error
