"""The recorded cases, and the servers that they need."""

from __future__ import annotations

import gzip
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.support.servers import ROOT, ModelServer

RECORDED = Path(__file__).parent / "recorded"
ORIGINALS = ROOT.parent / "shared" / "tfserving"
"""Where the original recordings are, if they are: `hp2` is nowhere else."""

SERVERS = json.loads((RECORDED / "servers.json").read_text("utf-8"))
KNOWN_DIFFERENCES: Mapping[str, Mapping[str, str]] = tomllib.loads(
    (Path(__file__).parent / "known_differences.toml").read_text("utf-8")
)
HP2_CONFIG = re.compile(r'^ *config \{ name: "hp2" .*\}$', re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """One recorded case: an exchange, a timeline, or a start."""

    name: str
    server: int
    record: dict[str, Any]

    @property
    def number(self) -> int:
        """The first three digits of its name."""
        return int(self.name[:3])

    @property
    def needs_hp2(self) -> bool:
        """Whether it asks for the model that cannot be built anew."""
        asked = str(self.record.get("request")) + self.name
        return "hp2" in asked or self.number in (537, 538)

    @property
    def is_exchange(self) -> bool:
        """Whether it is one request and one reply."""
        return "request" in self.record and "reply" in self.record

    @property
    def later(self) -> str:
        """The state that the list lets take the place of the recorded one; empty for none."""
        return KNOWN_DIFFERENCES.get(self.name, {}).get("later", "")


def cases(chosen: Callable[[Case], bool]) -> list[Case]:
    """The cases that are chosen, in the order of their recording."""
    texts = [file.read_text("utf-8") for file in sorted(RECORDED.glob("*.jsonl"))]
    records = [json.loads(line) for text in texts for line in text.rstrip("\n").split("\n")]
    made = [Case(record["name"], _server(records, at), record) for at, record in enumerate(records)]
    return [case for case in made if chosen(case)]


def _server(records: list[dict[str, Any]], at: int) -> int:
    """The server of a recording; one that does not say had its neighbour's."""
    hundred = records[at]["name"][0]
    near = [*records[at:], *reversed(records[:at])]
    known = (r["server"] for r in near if r["name"][0] == hundred and SERVERS[r["server"]])
    return int(next(known))


def _names_of_signatures() -> Iterator[str]:
    """The inputs and outputs of the recorded models, and what their signatures are called."""
    for case in cases(lambda c: c.is_exchange and "metadata" in c.name):
        found = re.findall(r'"(\w+)": \{', case.record["reply"].get("body") or "")
        yield from found


NAMES = frozenset(_names_of_signatures()) - {"inputs", "outputs", "a"}

BAD_MODELS = ("corrupt", "emptybase")


class Stage:
    """A server as a case's was, in a folder that stands for the recorded `/config`."""

    def __init__(self, case: Case, folder: Path, models: Path) -> None:
        self.folder = folder
        self.models = models
        self._setup = SERVERS[case.server]
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in (self._setup["other_files"] or {}).items():
            (folder / name).write_text(text)

    @cached_property
    def server(self) -> ModelServer:
        """The server, not yet started."""
        made = ModelServer(self.folder)
        ports = {"8500": str(made.grpc_port), "8501": str(made.rest_port)}
        flags = [f for f in self._setup["flags"][2:] if not f.endswith("/models.config")]
        flags = [re.sub("850[01]$", lambda match: ports[match[0]], flag) for flag in flags]
        # The recorded requests have `Host: x`, which the original does not look at.
        own = [f"--models_root={self.models}", "--allowed_hosts=x"]
        made.flags = [*map(self.own_paths, flags), *own]
        if self._setup["model_config"] is not None:
            made.config = self.own_config(self._setup["model_config"])
        return made

    def own_config(self, text: str) -> str:
        """A recorded configuration for this folder, without `hp2` where that is not at hand."""
        if not (self.models / "hp2").exists():
            text = HP2_CONFIG.sub("", text)
        return self.own_paths(text)

    def own_paths(self, text: str) -> str:
        """Recorded paths to ours."""
        # A reload takes no base path but below the models.
        for name in BAD_MODELS:
            text = text.replace(f"/config/{name}", f"{self.models}/{name}")
        return text.replace("/config/", f"{self.folder}/")

    def recorded_paths(self, text: bytes) -> bytes:
        """Our paths to the recorded ones."""
        text = text.replace(f"{self.folder}/".encode(), b"/config/")
        return text.replace(f"{self.models}/".encode(), b"/models/")


def rebuilt_body(name: str) -> bytes | None:
    """What was too long to be recorded: a body, or all of a raw request; None for other cases."""
    return _REBUILT[name[:3]]() if name[:3] in _REBUILT else None


def _post(body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST /v1/models/half:predict HTTP/1.1", b"Host: localhost", *headers]
    lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _nested(depth: int) -> bytes:
    return b'{"instances": ' + b"[" * depth + b"1" + b"]" * depth + b"}"


def _floats(key: bytes, count: int) -> bytes:
    return _post(b'{"%s":[' % key + b",".join([b"1.5"] * count) + b"]}")


_ONE = b'{"instances":[1]}'
_REBUILT: dict[str, Callable[[], bytes]] = {
    "750": lambda: _nested(20_000),
    "751": lambda: _nested(100_000),
    "752": lambda: b"[" * 1_000_000,
    "753": lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "861": lambda: _post(_ONE, b"X-Big: " + b"a" * 2**16),
    "862": lambda: _post(_ONE, b"X-Big: " + b"a" * 10_000_000),
    "863": lambda: b"GET /v1/models/" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "864": lambda: _floats(b"inputs", 5_000_000),
    "865": lambda: _floats(b"instances", 25_000_000),
    "866": lambda: _post(gzip.compress(bytes(200_000_000)), b"Content-Encoding: gzip"),
}
