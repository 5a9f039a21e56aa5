"""The feedback folder: photos by class, a JSON record for each, and limits on size and age.

    records/ID.json                     the record, one line of JSON
    unchecked/CLASS/feedback-ID.jpg     the photo, in the class that its sender gives
    accepted/CLASS/feedback-ID.jpg      the photo, after `python -m training review` accepted it
    unchecked/UNCHECKED.txt             makes `training.data.dataset.scan` refuse the folder

Files appear by a rename, the record before its photo. So each photo always has a record, can be
deleted by its id and is deleted when it expires. Several processes may use the same folder.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import threading
import time
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from webapp.feedback.record import UNLISTED, Feedback, is_class

_log = logging.getLogger("webapp")

UNCHECKED, ACCEPTED, RECORDS = "unchecked", "accepted", "records"
MARKER = "UNCHECKED.txt"

_NOTICE = "Nobody has looked at these photos yet: python -m training review FOLDER\n"
_ID = re.compile(r"[0-9a-f]{32}")
_EVERY_SECONDS = 3600.0
# Older partial files are abandoned: a file that is still being written is far younger.
_ABANDONED_SECONDS = 3600.0


class Full(Exception):
    """The folder has reached its limit of bytes."""


class FeedbackStore:
    """One folder of feedback; safe to use from many threads, and from several processes.

    Args:
        folder: Created when the first photo is added.
        most_bytes: Most bytes of all files together; an addition that exceeds them is refused.
    """

    def __init__(self, folder: Path, most_bytes: int = 0) -> None:
        self.folder = folder
        self._most_bytes = most_bytes
        self._lock = threading.Lock()

    def add(self, feedback: Feedback, photo: bytes) -> None:
        """Store a photo and its record.

        Args:
            feedback: The record.
            photo: A JPEG that a decoding process wrote.

        Raises:
            ValueError: The class cannot be the name of a folder.
            Full: The photo would exceed the limit of bytes.
            OSError: The folder cannot be written; nothing was stored.
        """
        if not is_class(feedback.was):
            raise ValueError(f"{feedback.was!r} cannot be the name of a class.")
        line = json.dumps(asdict(feedback)).encode() + b"\n"
        with self._lock:
            if self.size() + len(photo) + len(line) > self._most_bytes:
                raise Full(f"{self.folder} holds {self.size()} bytes of {self._most_bytes}.")
            self._mark()
            _write(self._record(feedback.id), line)
            try:
                _write(self._photo(UNCHECKED, feedback.was, feedback.id), photo)
            except OSError:
                self._record(feedback.id).unlink(missing_ok=True)
                raise

    def find(self, name: str) -> Feedback | None:
        """Return the record of an id, or None if it does not exist or cannot be read."""
        if not _ID.fullmatch(name):
            return None
        try:
            known = {each.name for each in fields(Feedback)}
            document: dict[str, Any] = json.loads(self._record(name).read_bytes())
            found = Feedback(**{key: value for key, value in document.items() if key in known})
            _ = datetime.now(UTC) - found.until  # Raises if the time is none, or has no zone.
            return found
        except FileNotFoundError:
            return None
        except (AttributeError, OverflowError, TypeError, ValueError) as error:
            _log.error("feedback: %s cannot be read: %s", self._record(name), error)
            return None

    def delete(self, name: str) -> bool:
        """Delete a photo, unchecked or accepted, and its record; return whether it had a record."""
        if not _ID.fullmatch(name):
            return False
        for photo in self.folder.glob(f"*/*/{_file(name)}"):
            photo.unlink(missing_ok=True)
        found = self._record(name).exists()
        self._record(name).unlink(missing_ok=True)
        return found

    def photos(self, state: str = UNCHECKED) -> list[Path]:
        """Return the photos of `UNCHECKED` or `ACCEPTED`, sorted by class, then by file time."""
        found = self.folder.glob(f"{state}/*/{_file('*')}")
        return sorted(found, key=lambda photo: (photo.parent.name, _modified(photo), photo.name))

    def accept(self, photo: Path, label: str) -> None:
        """Move an unchecked photo to the accepted photos of a class.

        Raises:
            ValueError: The class cannot be the name of a folder, or is `UNLISTED`.
            FileNotFoundError: The photo was deleted in the meantime.
        """
        if not is_class(label) or label == UNLISTED:
            raise ValueError(f"{label!r} cannot be the name of a class.")
        target = self._photo(ACCEPTED, label, id_of(photo))
        target.parent.mkdir(parents=True, exist_ok=True)
        photo.replace(target)

    def expire(self) -> int:
        """Delete expired photos, and partial files that an interrupted write left.

        Returns:
            The number of deleted photos.
        """
        deleted = sum(self._expire(name) for name in self._ids())
        for rest in self.folder.rglob("*.partial"):
            if time.time() - _modified(rest) > _ABANDONED_SECONDS:
                rest.unlink(missing_ok=True)
        return deleted

    def _expire(self, name: str) -> bool:
        try:
            return _is_over(self.find(name)) and self.delete(name)
        except OSError as error:
            _log.error("feedback: %s cannot be read or deleted: %s", self._record(name), error)
            return False

    def keep_expiring(self) -> None:
        """Delete expired photos every hour, for ever; the server runs this method in a thread."""
        while True:
            try:
                if count := self.expire():
                    _log.info("feedback: %s photos were kept for their days and are deleted", count)
            except OSError as error:
                _log.error("feedback: what is over cannot be deleted: %s", error)
            time.sleep(_EVERY_SECONDS)

    def size(self) -> int:
        """Return the bytes of all files together."""
        return _size(self.folder)

    def _ids(self) -> list[str]:
        return [path.stem for path in self.folder.glob(f"{RECORDS}/*.json")]

    def _record(self, name: str) -> Path:
        return self.folder / RECORDS / f"{name}.json"

    def _photo(self, state: str, label: str, name: str) -> Path:
        return self.folder / state / label / _file(name)

    def _mark(self) -> None:
        marker = self.folder / UNCHECKED / MARKER
        if not marker.exists():
            _write(marker, _NOTICE.encode())


def id_of(photo: Path) -> str:
    """Return the id of a photo's record, from the name of the photo's file."""
    return photo.stem.removeprefix("feedback-")


def _file(name: str) -> str:
    # The part before the hyphen names the photo's source, see `training.data.dataset`.
    return f"feedback-{name}.jpg"


def _is_over(feedback: Feedback | None) -> bool:
    # A record that cannot be read has no known expiry, so its photo must be deleted.
    return feedback is None or feedback.until < datetime.now(UTC)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _size(folder: Path | str) -> int:
    try:
        with os.scandir(folder) as found:
            return sum(_size(each.path) if each.is_dir() else _bytes(each) for each in found)
    except FileNotFoundError:
        return 0


def _bytes(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    # Another process has deleted or accepted it in the meantime.
    except FileNotFoundError:
        return 0


def _write(path: Path, content: bytes) -> None:
    """Write a file atomically: a reader sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
