"""How to batch: `--batching_parameters_file`, checked."""

from __future__ import annotations

import dataclasses

from serving.local.errors import invalid_argument
from serving.wire import operations_pb2 as operations

_DEFAULTS = {"max_batch_size": 1000, "batch_timeout_micros": 0, "max_enqueued_batches": 10}


@dataclasses.dataclass(frozen=True)
class BatchingOptions:
    """What `--batching_parameters_file` says; the fields are the file's."""

    max_batch_size: int
    batch_timeout_micros: int
    max_enqueued_batches: int
    num_batch_threads: int
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False

    @classmethod
    def of(cls, message: operations.BatchingParameters, cpus: int) -> BatchingOptions:
        """Fills what the file leaves out, and refuses what cannot be.

        `enable_large_batch_splitting` and `max_execution_batch_size` are passed over: whether a
        large request runs in pieces or at once, it gets the same answer.

        Raises:
            StatusError: a value is too small; the original dies of some of these by a signal
                (recorded cases 781, 782, 785).
        """
        defaults = _DEFAULTS | {"num_batch_threads": cpus}
        given = {n: getattr(message, n).value for n in defaults if message.HasField(n)}
        for name, value in given.items():
            if value < (0 if name == "batch_timeout_micros" else 1):
                kind = "non-negative" if name == "batch_timeout_micros" else "positive"
                raise invalid_argument(f"{name} must be {kind}; was {value}")
        sizes = tuple(message.allowed_batch_sizes)
        return cls(
            **(defaults | given),
            allowed_batch_sizes=sizes,
            pad_variable_length_inputs=message.pad_variable_length_inputs,
        )

    def require_sizes(self) -> None:
        """Refuses sizes that do not end with the largest, at each load as the original does.

        The order of the others is not looked at.

        Raises:
            StatusError: the last one is not `max_batch_size`.
        """
        sizes = self.allowed_batch_sizes
        if sizes and sizes[-1] != self.max_batch_size:
            raise invalid_argument(
                "Last entry in allowed_batch_sizes must match max_batch_size; last entry was "
                f"{sizes[-1]}; expected {self.max_batch_size}"
            )

    def padded(self, size: int) -> int:
        """The first allowed size that holds `size` rows."""
        return next((allowed for allowed in self.allowed_batch_sizes if allowed >= size), size)
