"""Which web pages the REST port answers to, by a request's `Host` and `Origin`.

A page of another site may send requests here, and can make its own site's name lead to this machine
once it is loaded (DNS rebinding): a GET then has no `Origin`, and only the `Host` tells. No such
trick makes an address or `localhost` its name.
"""

from __future__ import annotations

import ipaddress
import re

from serving.local.rest.request import HttpError, Request

_PORT = re.compile(r":[0-9]*\Z")


class AllowedHosts:
    """The names that are answered to, beside addresses and `localhost`."""

    def __init__(self, names: str, listens_on: str) -> None:
        """Reads `--allowed_hosts`: names separated by commas, or `*` for all.

        Without any, a server that listens beyond this machine answers to all: its clients call it
        by names that only their network knows.
        """
        self._names = {name.strip().lower() for name in names.split(",") if name.strip()}
        self._all = "*" in self._names or not (self._names or _is_own(listens_on, loopback=True))

    def require(self, request: Request) -> None:
        """Refuses a request of a page of another origin, or by another name: `HttpError` 403."""
        host = request.headers.get("Host", "")
        if request.method != "OPTIONS" and _is_foreign(request, host):
            origin = request.headers.get("Origin", "another site")
            text = f"Expected no request of a web page of another origin. Received: from {origin}"
            raise HttpError(403, f"{text}. --rest_api_enable_cors_support lets pages ask.")
        if not self.allow(host):
            text = "Expected an address, localhost or a name of --allowed_hosts as Host"
            raise HttpError(403, f"{text}. Received: {host[:100]}")

    def allow(self, host: str) -> bool:
        """Whether a request with this `Host` is answered; browsers send none without one."""
        name = _name(host)
        return self._all or not name or name in self._names or _is_own(name)


def _is_foreign(request: Request, host: str) -> bool:
    """Whether a web page of another origin asks.

    A page's POST always has an `Origin`, in mode `no-cors` too (Fetch, 3.2); programs send none.
    It is the host's own only where that is an address.
    """
    if (origin := request.headers.get("Origin")) is not None:
        return not (origin.partition("://")[2] == host and _is_own(_name(host)))
    site = request.headers.get("Sec-Fetch-Site")
    return request.method != "GET" and site in ("cross-site", "same-site")


def _name(host: str) -> str:
    return _PORT.sub("", host).removesuffix(".").strip("[]").lower()


def _is_own(name: str, *, loopback: bool = False) -> bool:
    """Whether a name is `localhost` or an address, or only one that no other machine reaches."""
    try:
        return ipaddress.ip_address(name).is_loopback or not loopback
    except ValueError:
        return name == "localhost"
