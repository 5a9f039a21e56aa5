"""The form of a server's address, `host:port`, as it is in URLs."""

from __future__ import annotations

import ipaddress
import re

_ADDRESS = re.compile(r"(?:\[(?P<six>[^\[\]]+)\]|(?P<host>[^:]+))(?::(?P<port>\d{1,5}))?", re.ASCII)
# Each label of a name has at most 63 characters (RFC 1035).
_NAME = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63})*\.?", re.ASCII)
_FOUR_NUMBERS = re.compile(r"\d+(?:\.\d+){3}", re.ASCII)


def is_address(text: str, *, needs_port: bool = True) -> bool:
    """Says whether a text is a name or an IP address, and a port from 1 to 65535.

    Args:
        text: such as `serving:8500`, `10.0.0.1:8500` or `[::1]:8500`.
        needs_port: whether the port must be there.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None:
        return False
    port = found["port"]
    has_port = not needs_port if port is None else 0 < int(port) < 2**16
    return has_port and _is_host(found["six"], found["host"])


def is_ipv4_address(text: str) -> bool:
    """Says whether a text is an IPv4 address with a port, such as `10.0.0.1:8500`."""
    return is_address(text) and bool(_FOUR_NUMBERS.fullmatch(text.rpartition(":")[0]))


def _is_host(six: str | None, host: str) -> bool:
    try:
        if six is not None:
            ipaddress.IPv6Address(six)
        elif _FOUR_NUMBERS.fullmatch(host):
            ipaddress.IPv4Address(host)
        else:
            return bool(_NAME.fullmatch(host))
    except ValueError:
        return False
    return True
