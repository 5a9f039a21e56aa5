"""Files of records (TFRecord), by TensorFlow's own reader, which checks each record's digest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tensorflow.python.framework import errors
from tensorflow.python.lib.io._pywrap_record_io import RecordIterator

from serving.local.errors import Code, StatusError


def records(file: Path) -> Iterator[bytes]:
    """Gives the records; a rest that is shorter than a record's header counts as nothing.

    Raises:
        StatusError: the file is damaged (`DATA_LOSS`), or cannot be read.
    """
    try:
        yield from RecordIterator(str(file), "")
    except errors.OpError as error:
        raise StatusError(Code(error.error_code), f"{error.message}, reading {file}") from error
