"""One version: how it is named, asked for, and what is known of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

from serving.local.errors import Code, StatusError
from serving.local.lifecycle.storage import Fingerprint
from serving.local.runtime.saved_model import Servable
from serving.wire import messages_pb2 as pb

Status = pb.ModelVersionStatus

_GONE = (Status.UNLOADING, Status.END)


class Key(NamedTuple):
    """Which version of which model."""

    model: str
    version: int


class Choice(NamedTuple):
    """The version that a request asks for: a number, a label, or neither for the latest."""

    model: str
    version: int | None = None
    label: str | None = None


@dataclasses.dataclass
class Version:
    """What is known of one version.

    Attributes:
        failures: loads that failed since its files last changed.
        retry_at: monotonic seconds before which it is not tried again.
        tried: its files at the last load.
    """

    path: Path
    state: Status.State = Status.START
    error: StatusError | None = None
    servable: Servable | None = None
    failures: int = 0
    retry_at: float = 0.0
    tried: Fingerprint | None = None

    @property
    def serves(self) -> bool:
        """Whether requests may take it, which is so shortly before it is AVAILABLE."""
        return self.servable is not None and self.state not in _GONE


def status_of(key: Key, version: Version) -> pb.ModelVersionStatus:
    """What a client is told of a version."""
    error = version.error or StatusError(Code.OK, "")
    status = pb.StatusProto(error_code=error.code, error_message=error.message)
    return pb.ModelVersionStatus(version=key.version, state=version.state, status=status)
