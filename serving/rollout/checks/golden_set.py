"""Photos whose right answers are known: one sub-folder per class, files upright, JPEG or PNG."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from serving import files
from serving.rollout.errors import Refused

if TYPE_CHECKING:
    from serving.wire.tensors import Array

BYTES_SIGNATURE = "serve_bytes"
PHOTO = "image_bytes"
NO_GOLDEN = f"golden photos left out, which need the signature {BYTES_SIGNATURE}"

# The front end's default limit on a request.
_MOST_BYTES = 20_000_000
_SUFFIXES = (".jpg", ".jpeg", ".png")

Ask = Callable[["Array"], Mapping[str, "Array"]]


class Golden:
    """A folder of golden photos."""

    def __init__(self, folder: Path) -> None:
        """Lists the photos in the folder.

        Raises:
            Refused: the folder has no photos.
        """
        self.photos = [f for f in sorted(folder.glob("*/*")) if f.suffix.lower() in _SUFFIXES]
        if not self.photos:
            raise Refused(f"No golden photos in {folder}. Expected CLASS/NAME.jpg there.")


def judge(golden: Golden, ask: Ask) -> str:
    """Classifies every golden photo; the most likely class must be the photo's own.

    Args:
        golden: the photos.
        ask: takes `image_bytes` [1], returns `classes` [1, C], most likely first.

    Returns:
        A short text about the result.

    Raises:
        Refused: names the photos that are answered wrongly, or one that cannot be read.
    """
    import numpy as np

    wrong = []
    for photo in golden.photos:
        outputs = ask(np.array([_read(photo)], np.object_))
        name = outputs["classes"][0, 0].decode()
        if name != photo.parent.name:
            wrong.append(f"{photo.parent.name}/{photo.name} as {name}")
    if wrong:
        raise Refused(
            f"{len(wrong)} of {len(golden.photos)} golden photos are answered wrongly: "
            f"{', '.join(wrong[:5])}{', ...' if len(wrong) > 5 else ''}."
        )
    return f"{len(golden.photos)} golden photos right"


def _read(photo: Path) -> bytes:
    try:
        return files.read_bytes(photo, _MOST_BYTES)
    except (OSError, files.UnfitFile) as error:
        raise Refused(f"A golden photo cannot be read: {error}") from error
