"""Status codes, and the error that carries one; each protocol maps them in one place."""

import enum


class Code(enum.IntEnum):
    """Canonical codes; gRPC and TensorFlow use the same numbers."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class StatusError(Exception):
    """A request or a load that failed, with its code and the text that the caller sees."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}"

    @classmethod
    def of(cls, error: Exception) -> "StatusError":
        """Returns a `StatusError` without traceback for any error; `INTERNAL` if it has no code."""
        if isinstance(error, StatusError):
            return StatusError(error.code, error.message)
        if isinstance(error, UnicodeEncodeError):
            text = "A string holds half of a surrogate pair, or bytes of no UTF-8."
            return invalid_argument(text)
        return StatusError(Code.INTERNAL, f"{type(error).__name__}: {error}")


def invalid_argument(message: str) -> StatusError:
    """Returns the most common error: the request is invalid."""
    return StatusError(Code.INVALID_ARGUMENT, message)


def not_found(message: str) -> StatusError:
    """Returns the error for a model, version or file that does not exist."""
    return StatusError(Code.NOT_FOUND, message)


def failed_precondition(message: str) -> StatusError:
    """Returns the error for a valid request that the model or the configuration forbids."""
    return StatusError(Code.FAILED_PRECONDITION, message)
