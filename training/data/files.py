"""Which files below a folder are photos of a class, and why the other files are not."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from serving.files import printable

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".avif", ".gif", ".bmp", ".tif", ".tiff"}
MANIFEST = "manifest.csv"
UNREADABLE = "unreadable (a broken link, no permission, or no regular file)"
# How many names of one folder are printed before "and N more".
NAMES_SHOWN = 5


def taken(folder: Path, skip: Iterable[str]) -> list[Path]:
    """Returns the photos of all classes, `folder/CLASS/FILE`, sorted by path."""
    return sorted(path for path, reason in _judged(folder, skip) if not reason)


def left_out(folder: Path, skip: Iterable[str]) -> dict[str, list[Path]]:
    """Returns the other files by the reason why each is left out, sorted by path.

    Neither `taken` nor `left_out` returns files in the sub-folders of `skip`.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    for path, reason in sorted(_judged(folder, skip)):
        if reason:
            found[reason].append(path)
    return dict(found)


def lines(found: dict[str, list[Path]]) -> list[str]:
    """Returns the result of `left_out` as lines for a terminal, one per folder and reason."""
    groups: dict[tuple[Path, str], list[str]] = defaultdict(list)
    for reason, paths in found.items():
        for path in paths:
            groups[path.parent, reason].append(shown(path.name))
    return [
        f"{reason}: left out {_some(names)} of {shown(folder)}"
        for (folder, reason), names in groups.items()
    ]


def class_folders(folder: Path) -> set[str]:
    """Returns the names of the sub-folders that stand for classes."""
    return {path.name for path in folder.iterdir() if path.is_dir() and _may_be_class(path.name)}


def require_folders(folder: Path, names: Iterable[str], option: str) -> None:
    """Refuses names of sub-folders that do not exist.

    Args:
        folder: The folder with one sub-folder per class.
        names: The sub-folders that the command line names.
        option: The option that names them, for the error message.

    Raises:
        ValueError: A sub-folder is missing; the message lists the missing and the existing ones.
    """
    existing = {path.name for path in folder.iterdir() if path.is_dir()}
    if missing := sorted(set(names) - existing):
        raise ValueError(
            f"{option} names {', '.join(map(shown, missing))}, which is no sub-folder of {folder}."
            f" Expected one of {', '.join(shown(name) for name in sorted(existing))}."
        )


def shown(name: str | Path) -> str:
    r"""Returns a file name as a terminal may show it: bytes that are not UTF-8 become `\xff`."""
    return printable(os.fsencode(name).decode("utf-8", "backslashreplace"))


def _judged(folder: Path, skip: Iterable[str]) -> Iterator[tuple[Path, str]]:
    """Yields each file below `folder` with the reason to leave it out; photos have no reason."""
    skipped = set(skip)
    for child in folder.iterdir():
        if not child.is_dir():
            if child.name != MANIFEST:
                yield child, "not in a sub-folder"
        elif child.name not in skipped:
            yield from ((path, _reason(path, folder)) for path in _files(child))


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)


def _reason(path: Path, folder: Path) -> str:
    *parents, name = path.relative_to(folder).parts
    if not all(map(_may_be_class, parents)):
        return "in a hidden or system folder"
    if len(parents) > 1:
        return "in a nested folder"
    if name.startswith("."):
        return "a hidden file"
    if not path.suffix:
        return "no extension"
    if path.suffix.lower() not in SUFFIXES:
        return "the extension is not a picture's"
    return "" if path.is_file() and os.access(path, os.R_OK) else UNREADABLE


def _may_be_class(name: str) -> bool:
    """Returns false for folders that editors and archives leave behind: `.git`, `__MACOSX`."""
    return not name.startswith(".") and name != "__MACOSX"


def _some(names: list[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
