"""Which web pages the REST port answers to, by a request's `Host` and `Origin`.

A page of another site may send requests here, and can make its own site's name lead to this machine
once it is loaded (DNS rebinding): its requests are of one origin then, so that a GET has no
`Origin` and only the `Host` tells. Nobody's name leads to an address, or to `localhost`, by such a
trick.
"""

from __future__ import annotations

import ipaddress
import re

from serving.local.rest.request import Request

ANY = "*"
_PORT = re.compile(r":[0-9]*\Z")
_FOREIGN_SITES = ("cross-site", "same-site")
_OWN_HOST = re.compile(r"https?://(localhost|[0-9.]+|\[[0-9a-f:.]+\])(:[0-9]+)?", re.IGNORECASE)
"""An origin that no other machine's name can stand for."""


class AllowedHosts:
    """The names that are answered to, beside addresses and `localhost`."""

    def __init__(self, names: str, listens_on: str) -> None:
        """Reads `--allowed_hosts`: names separated by commas, or `*` for all.

        Without any, a server that listens beyond this machine answers to all: its clients call it
        by names that only their network knows.
        """
        self._names = {name.strip().lower() for name in names.split(",") if name.strip()}
        self._all = ANY in self._names or not (self._names or _is_own(listens_on, loopback=True))

    def allow(self, host: str) -> bool:
        """Whether a request with this `Host` is answered; browsers send none without one."""
        name = _PORT.sub("", host).removesuffix(".").lower()
        return self._all or not name or name in self._names or _is_own(name.strip("[]"))


def is_foreign(request: Request) -> bool:
    """Whether a web page of another origin asks.

    A page's POST always has an `Origin`, in mode `no-cors` too (Fetch, 3.2); programs send none.
    That origin is the host's only where the host is an address.
    """
    if request.method == "OPTIONS":
        return False
    if (origin := request.headers.get("Origin")) is not None:
        own = origin.partition("://")[2] == request.headers.get("Host")
        return not (own and _OWN_HOST.fullmatch(origin))
    site = request.headers.get("Sec-Fetch-Site", "")
    return request.method != "GET" and site in _FOREIGN_SITES


def _is_own(name: str, *, loopback: bool = False) -> bool:
    """Whether a name is `localhost` or an address, or only one that no other machine reaches."""
    try:
        return ipaddress.ip_address(name).is_loopback or not loopback
    except ValueError:
        return name == "localhost"
