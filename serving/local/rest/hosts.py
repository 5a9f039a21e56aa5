"""Which names in a request's `Host` the REST port answers to.

A web page can make its own site's name lead to this machine once it is loaded (DNS rebinding). Its
requests are of one origin then, so that a GET has no `Origin`: only the `Host` tells. Nobody's name
leads to an address, or to `localhost`, by such a trick.
"""

from __future__ import annotations

import ipaddress
import re

ANY = "*"
_PORT = re.compile(r":[0-9]*\Z")


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


def _is_own(name: str, *, loopback: bool = False) -> bool:
    """Whether a name is `localhost` or an address, or only one that no other machine reaches."""
    try:
        return ipaddress.ip_address(name).is_loopback or not loopback
    except ValueError:
        return name == "localhost"
