"""Refuses requests of other sites' web pages, by their `Host` and `Origin` headers.

Another site's page may send requests to this server. It can also make its site's name resolve to
this machine (DNS rebinding): its GET then has no `Origin`, and only `Host` names the site. An IP
address or `localhost` as `Host` cannot result from DNS rebinding.
"""

from __future__ import annotations

import ipaddress
import re

from serving.local.rest.request import HttpError, Request

_PORT = re.compile(r":[0-9]*\Z")


class AllowedHosts:
    """The accepted host names, in addition to IP addresses and `localhost`."""

    def __init__(self, names: str, listens_on: str) -> None:
        """Reads `--allowed_hosts`: names separated by commas, or `*` for all.

        Without names, a server that listens on a non-loopback address accepts all hosts, since its
        clients may use names that only their network knows.
        """
        self._names = {_name(name.strip()) for name in names.split(",") if name.strip()}
        self._all = "*" in self._names or not (self._names or _is_own(listens_on, loopback=True))

    def require(self, request: Request) -> None:
        """Raises `HttpError` 403 for a page of another origin, or a host that is not accepted."""
        host = request.headers.get("Host", "")
        if request.method != "OPTIONS" and _is_foreign(request, host):
            origin = request.headers.get("Origin", "another site")
            text = f"Expected no request of a web page of another origin. Received: from {origin}"
            raise HttpError(403, f"{text}. --rest_api_enable_cors_support lets pages ask.")
        if not self.allow(host):
            text = "Expected an address, localhost or a name of --allowed_hosts as Host"
            raise HttpError(403, f"{text}. Received: {host[:100]}")

    def allow(self, host: str) -> bool:
        """Returns whether a `Host` is accepted; an empty one is, since browsers never send it."""
        name = _name(host)
        return self._all or not name or name in self._names or _is_own(name)


def _is_foreign(request: Request, host: str) -> bool:
    """Returns whether a request is from a web page of another origin.

    A page's POST always has an `Origin`, in mode `no-cors` too (Fetch, 3.2); programs send none.
    An `Origin` equal to `Host` is the server's own only for an address or `localhost`.
    """
    if (origin := request.headers.get("Origin")) is not None:
        return not (origin.partition("://")[2] == host and _is_own(_name(host)))
    site = request.headers.get("Sec-Fetch-Site")
    return request.method != "GET" and site in ("cross-site", "same-site")


def _name(host: str) -> str:
    return _PORT.sub("", host).removesuffix(".").strip("[]").lower()


def _is_own(name: str, *, loopback: bool = False) -> bool:
    """Returns whether a name is `localhost` or an IP address (a loopback one, if `loopback`)."""
    try:
        return ipaddress.ip_address(name).is_loopback or not loopback
    except ValueError:
        return name == "localhost"
