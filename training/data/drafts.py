"""Writes files whole or not at all: a full disk or a killed process leaves the earlier file."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Yields the path of a draft to write, which replaces `file` by one rename.

    The draft is deleted where writing it fails.
    """
    draft = file.with_name(f"draft-{file.name}")
    try:
        yield draft
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)
