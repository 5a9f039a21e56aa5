"""Where the processes of one tier answer: a list of addresses, or a name that stands for all."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from serving.client import Unavailable
from serving.rollout.errors import Refused


class Addresses:
    """The URLs of a tier's processes, some of which may come and go."""

    def __init__(self, text: str, flag: str, scheme: str, example: str) -> None:
        """Reads a flag's value; names are looked up by `urls`.

        Args:
            text: URLs separated by commas, of which later ones may leave out the
                first one's scheme. `dns:///name:port` stands for all addresses of a name.
            flag: for errors.
            scheme: what the processes behind a name speak; where it is not encrypted, a URL may be.
            example: what one URL looks like, for errors.

        Raises:
            Refused: one of them is of no such form.
        """
        self.text = text
        self._scheme = scheme
        first, *others = text.split(",")
        same = scheme if first.startswith("dns:") else first.partition("://")[0]
        self._given = [first, *(x if "://" in x else f"{same}://{x}" for x in others)]
        self._known: dict[str, list[str]] = {}
        self._names: dict[str, str] = {}
        for url in self._given:
            if not _is_complete(url, scheme):
                expected = f"{example} or dns:///name:port, separated by commas"
                raise Refused(f"Expected {flag} to be {expected}. Received: {url}.")

    def urls(self) -> list[str]:
        """The processes at this moment: names are looked up anew each time.

        Where a name cannot be looked up for a moment, its last addresses stand.

        Raises:
            Unavailable: a name has never had an address.
        """
        found = [url for given in self._given for url in self._of(given)]
        return list(dict.fromkeys(found))

    def name_of(self, url: str) -> str:
        """The name that was looked up for one of `urls`; empty where that was given itself."""
        return self._names.get(url, "")

    def _of(self, given: str) -> list[str]:
        parts = urlsplit(given)
        if parts.scheme != "dns":
            return [given]
        name, _, port = parts.path.lstrip("/").rpartition(":")
        try:
            answers = socket.getaddrinfo(name, int(port), type=socket.SOCK_STREAM)
        except OSError as error:
            if given not in self._known:
                raise Unavailable(f"The name {name} has no address: {error}") from error
        else:
            hosts = sorted({str(answer[4][0]) for answer in answers})
            self._known[given] = [f"{self._scheme}://{_bracketed(host)}:{port}" for host in hosts]
            self._names.update(dict.fromkeys(self._known[given], name))
        return self._known[given]


def _is_complete(url: str, scheme: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "dns":
        name, _, port = parts.path.removeprefix("/").rpartition(":")
        return not parts.netloc and bool(name) and "/" not in name and port.isdecimal()
    return parts.scheme in (scheme, f"{scheme}s") and bool(parts.netloc)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
