"""The content of a version, as an in-toto statement with the SHA-256 of every file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from serving import files

SIGNATURE = "model.sig"
"""The one file of a version that its statement leaves out; no model server reads it."""

_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://model_signing/signature/v1.0"
_SERIALIZATION = {"method": "files", "hash_type": "sha256", "allow_symlinks": False}


class Untrusted(ValueError):
    """A version is not signed, is signed by another key, or was changed after it was signed."""


def statement_of(folder: Path) -> bytes:
    """Returns the statement about a folder's current content, as JSON.

    Raises:
        OSError: a file cannot be read.
        UnfitFile: the folder holds something other than files and folders.
    """
    found = digests_of(folder)
    total = hashlib.sha256(b"".join(bytes.fromhex(digest) for digest in found.values()))
    resources = [
        {"name": name, "algorithm": "sha256", "digest": digest} for name, digest in found.items()
    ]
    statement = {
        "_type": _STATEMENT,
        "subject": [{"name": folder.name, "digest": {"sha256": total.hexdigest()}}],
        "predicateType": _PREDICATE,
        "predicate": {
            "serialization": {**_SERIALIZATION, "ignore_paths": [SIGNATURE]},
            "resources": resources,
        },
    }
    return json.dumps(statement).encode()


def require_same(folder: Path, statement: bytes) -> None:
    """Compares a folder with a statement whose signature is good.

    A statement may name paths to ignore; none is ignored here.

    Raises:
        Untrusted: names the first file that is altered, missing or not in the statement.
        OSError: a file cannot be read.
        UnfitFile: the folder holds something other than files and folders.
    """
    signed, found = _signed(statement, folder / SIGNATURE), digests_of(folder)
    for name in sorted(signed.keys() | found.keys()):
        if name not in found:
            raise Untrusted(
                f"{folder / name} is missing; it was there when the version was signed."
            )
        if name not in signed:
            raise Untrusted(f"{folder / name} was added after the version was signed.")
        if signed[name] != found[name]:
            raise Untrusted(f"{folder / name} was altered after the version was signed.")


def digests_of(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 in hex by path, sorted by path, without the file of the signature."""
    paths = {path.relative_to(folder).as_posix(): path for path in files.regular_below(folder)}
    return {name: _digest(paths[name]) for name in sorted(paths) if name != SIGNATURE}


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _signed(statement: bytes, source: Path) -> dict[str, str]:
    """Returns the digests by path of a statement."""
    try:
        told: dict[str, Any] = json.loads(statement)
        predicate = told["predicate"]
        serialization = {key: predicate["serialization"][key] for key in _SERIALIZATION}
        kind = (told["_type"], told["predicateType"], serialization)
        resources = {one["name"]: one["digest"] for one in predicate["resources"]}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Untrusted(f"{source} holds no statement about a model: {error!r}") from error
    expected = (_STATEMENT, _PREDICATE, _SERIALIZATION)
    if kind != expected:
        raise Untrusted(f"{source}: expected a statement of the kind {expected}. Received: {kind}.")
    return resources
