"""The methods and the errors that every transport has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from serving.wire.methods import DEFAULT_SIGNATURE

if TYPE_CHECKING:
    from serving.wire.tensors import Array

CONNECT_SECONDS = 1.0
"""Timeout of a connection attempt; a running server accepts within milliseconds."""

UNKNOWN_LABEL = "Unrecognized servable version label"
"""Prefix of the message that distinguishes an unknown label from an invalid request (recorded
cases 227 and 425)."""


class ServingError(Exception):
    """A model server gave no usable answer."""


class InvalidRequest(ServingError):
    """The model or its signature does not accept what was sent."""


class NotServed(ServingError):
    """No such model, version or label is served."""


class Unavailable(ServingError):
    """The server cannot be reached, or has too much to do."""


class DeadlineExceeded(ServingError):
    """No answer within the time given."""


class BadReply(ServingError):
    """The server failed, or its answer cannot be understood."""


@dataclass(frozen=True)
class Prediction:
    """The answer to a prediction request.

    Attributes:
        outputs: arrays by output name; strings as object arrays of `bytes`.
        version: the version that answered; None over REST unless the request named it by number,
            since REST replies do not say.
    """

    outputs: dict[str, Array]
    version: int | None


@dataclass(frozen=True)
class VersionStatus:
    """One version of a model: START, LOADING, AVAILABLE, UNLOADING or END, and its error."""

    version: int
    state: str
    error_code: str
    error_message: str


class PendingPrediction(Protocol):
    """A prediction in progress; the caller can make other calls meanwhile."""

    @property
    def seconds(self) -> float:
        """Duration of the call, however late `result` is called; so far, while the call runs."""
        ...

    def result(self) -> Prediction:
        """Waits for the answer, at most until the call's own timeout.

        Raises:
            ServingError: one of its kinds.
        """
        ...

    def cancel(self) -> bool:
        """Cancels the call if possible; `result` must not be called any more."""
        ...


@dataclass(frozen=True)
class PredictCall:
    """What a transport sends for `Client.predict`; the fields are that method's arguments."""

    model: str
    inputs: Mapping[str, Array]
    signature: str
    version: int | None
    label: str | None
    timeout: float

    def __post_init__(self) -> None:
        """Raises `ValueError` if both a version and a label are given."""
        require_one_choice(self.version, self.label)


class Client(ABC):
    """The calls to a model server, the same for every protocol."""

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Array],
        *,
        signature: str = DEFAULT_SIGNATURE,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 10.0,
    ) -> Prediction:
        """Runs a signature.

        Args:
            model: name of the model.
            inputs: arrays by input name, of the signature's dtypes; strings as object arrays.
            signature: which signature of the model.
            version: a version number; the latest where neither version nor label is given.
            label: a version label, in place of a number.
            timeout: seconds for the whole call.

        Raises:
            ServingError: one of its kinds.
            ValueError: version and label were both given.
        """
        return self._predict(PredictCall(model, inputs, signature, version, label, timeout))

    def begin_predict(
        self,
        model: str,
        inputs: Mapping[str, Array],
        *,
        signature: str = DEFAULT_SIGNATURE,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 10.0,
    ) -> PendingPrediction:
        """Begins a prediction and returns immediately; the arguments are those of `predict`.

        Raises:
            ValueError: version and label were both given.
        """
        return self._begin(PredictCall(model, inputs, signature, version, label, timeout))

    @abstractmethod
    def _predict(self, call: PredictCall) -> Prediction: ...

    @abstractmethod
    def _begin(self, call: PredictCall) -> PendingPrediction: ...

    @abstractmethod
    def signatures(
        self,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 2.0,
    ) -> set[str]:
        """Returns a version's signature names: cheap proof that it would answer a prediction.

        Args:
            model: name of the model.
            version: a version number; the latest where neither version nor label is given.
            label: a version label, in place of a number.
            timeout: seconds for the whole call.

        Raises:
            ServingError: one of its kinds; `NotServed` where a prediction would find no version.
            ValueError: version and label were both given.
        """

    @abstractmethod
    def status(self, model: str, *, timeout: float = 2.0) -> list[VersionStatus]:
        """Returns all versions of a model that the server has seen, newest first.

        Raises:
            ServingError: one of its kinds; `NotServed` for an unknown model.
        """

    @abstractmethod
    def close(self) -> None:
        """Closes the connections."""


def require_one_choice(version: int | None, label: str | None) -> None:
    """Raises `ValueError` if both a version and a label are given."""
    if version is not None and label is not None:
        raise ValueError(f"Expected a version or a label. Received: {version} and {label!r}.")
