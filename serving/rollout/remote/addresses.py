"""The addresses of one tier's processes: a list of URLs, or a DNS name that stands for all."""

from __future__ import annotations

import socket

from serving.client import Unavailable
from serving.client.addresses import is_address
from serving.rollout.errors import Refused

_DNS = "dns:///"


class Addresses:
    """The URLs of a tier's processes, which may start and stop."""

    def __init__(self, text: str, flag: str, scheme: str, example: str) -> None:
        """Parses a flag's value; names are looked up by `urls`.

        Args:
            text: URLs separated by commas, of which later ones may leave out the
                first one's scheme. `dns:///name:port` stands for all addresses of a name.
            flag: the flag's name, for errors.
            scheme: the scheme of a name's processes; a given URL may also have its TLS form.
            example: the form of one URL, for errors.

        Raises:
            Refused: a URL has another form.
        """
        self.text = text
        self._scheme = scheme
        first, *others = text.split(",")
        same = scheme if first.startswith(_DNS) else first.partition("://")[0]
        self._given = [first, *(x if "://" in x else f"{same}://{x}" for x in others)]
        self._known: dict[str, list[str]] = {}
        self._names: dict[str, str] = {}
        for url in self._given:
            if not _is_complete(url, scheme):
                expected = f"{example} or dns:///name:port, separated by commas"
                raise Refused(f"Expected {flag} to be {expected}. Received: {url}.")

    def urls(self) -> list[str]:
        """Returns the current URLs; looks names up again at each call.

        If a lookup fails, the last addresses of the name are used.

        Raises:
            Unavailable: a lookup fails, and no earlier one of that name has succeeded.
        """
        found = [url for given in self._given for url in self._of(given)]
        return list(dict.fromkeys(found))

    def name_of(self, url: str) -> str:
        """Returns the name that was looked up for one of `urls`; empty if the URL was given."""
        return self._names.get(url, "")

    def _of(self, given: str) -> list[str]:
        if not given.startswith(_DNS):
            return [given]
        name, _, port = given.removeprefix(_DNS).rpartition(":")
        try:
            answers = socket.getaddrinfo(name, int(port), type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            if given not in self._known:
                raise Unavailable(f"The name {name} has no address: {error}") from error
        else:
            hosts = sorted({str(answer[4][0]) for answer in answers})
            self._known[given] = [f"{self._scheme}://{_bracketed(host)}:{port}" for host in hosts]
            self._names.update(dict.fromkeys(self._known[given], name))
        return self._known[given]


def _is_complete(url: str, scheme: str) -> bool:
    if url.startswith(_DNS):
        return is_address(url.removeprefix(_DNS))
    given, _, rest = url.partition("://")
    address, _, path = rest.partition("/")
    # Over HTTP there is a default port, and a front end may be below a path of its proxy.
    is_http = scheme == "http"
    known = given in (scheme, f"{scheme}s") and (is_http or not path)
    return known and is_address(address, needs_port=not is_http)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
