"""Reads CSV files about photos as spreadsheets save them, with a byte order mark or short rows."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from training.data import files


def rows(file: Path, *needed: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the number of each line and its cells by column.

    Args:
        file: CSV in UTF-8 whose first line names the columns.
        needed: Columns that the file must have.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not UTF-8, no CSV, or lacks a column.
    """
    reader = _reader(file)
    if missing := [column for column in needed if column not in (reader.fieldnames or ())]:
        raise ValueError(
            f"{file} has no columns {', '.join(missing)}. Expected {', '.join(needed)}. Received:"
            f" {', '.join(reader.fieldnames or ())}."
        )
    try:
        yield from ((reader.line_num, row) for row in reader)
    except csv.Error as error:
        raise ValueError(f"{file}, line {reader.line_num}: {error}.") from error


def manifest(folder: Path) -> dict[str, dict[str, str]]:
    """Returns the rows of a folder's manifest by class folder and file name; none without one.

    The manifest lies in the folder or above it. A file of its name above it that cannot be read or
    has no column `file` belongs to something else.

    Raises:
        ValueError: The folder's own manifest is not UTF-8, no CSV, or has no column `file`.
    """
    name = folder.name
    for file in (place / files.MANIFEST for place in (folder, folder.parent)):
        own = file.parent == folder
        if file.is_file() and (own or _is_of_photos(file)):
            kept = [row for _, row in rows(file, "file") if row.get("split", name) == name]
            return {"/".join(row["file"].split("/")[-2:]): row for row in kept}
    return {}


def _reader(file: Path) -> "csv.DictReader[str]":
    try:
        text = file.read_text(encoding="utf-8-sig")
        reader = csv.DictReader(io.StringIO(text), restval="")
        reader.fieldnames = reader.fieldnames or []  # Reads the first line now, if there is one.
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8: {error}.") from error
    except csv.Error as error:
        raise ValueError(f"{file} is no CSV: {error}.") from error
    return reader


def _is_of_photos(file: Path) -> bool:
    try:
        return "file" in (_reader(file).fieldnames or ())
    except ValueError:
        return False
