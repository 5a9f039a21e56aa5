"""How to batch: `--batching_parameters_file`, checked."""

from __future__ import annotations

import dataclasses

from serving.local.errors import invalid_argument
from serving.wire import operations_pb2 as operations


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
        """Fills what the file leaves out; raises `StatusError` for a value that is too small."""
        values = {"max_batch_size": 64, "batch_timeout_micros": 0, "max_enqueued_batches": 10}
        values |= {"num_batch_threads": cpus}
        values |= {name: getattr(message, name).value for name in values if message.HasField(name)}
        for name, value in values.items():
            least = 0 if name == "batch_timeout_micros" else 1
            if value < least:
                raise invalid_argument(f"{name} must be at least {least}; was {value}")
        sizes, pad = tuple(message.allowed_batch_sizes), message.pad_variable_length_inputs
        return cls(**values, allowed_batch_sizes=sizes, pad_variable_length_inputs=pad)

    def require_sizes(self) -> None:
        """Refuses sizes that do not end with the largest, at each load as the original does."""
        if self.allowed_batch_sizes and self.allowed_batch_sizes[-1] != self.max_batch_size:
            raise invalid_argument(
                f"allowed_batch_sizes {self.allowed_batch_sizes} must end with max_batch_size, "
                f"{self.max_batch_size}"
            )

    def padded(self, size: int) -> int:
        """The first allowed size that holds `size` rows; none is added to no rows."""
        sizes = self.allowed_batch_sizes if size else ()
        return next((allowed for allowed in sizes if allowed >= size), size)
