"""Version directories: finds them, applies a version policy, and detects changed files."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

from serving.wire import messages_pb2 as pb

INT64 = range(-(2**63), 2**63)
_INTEGER = re.compile(r"\s*-?[0-9]+\s*", re.ASCII)

Fingerprint = frozenset[tuple[str, int, int]]


def version_paths(base_path: Path, *, first: bool = False) -> dict[int, Path] | None:
    """Returns paths by version below a base path, for names that are an int64, as `007` and `-3`.

    Two names may be one number (`7`, `007`): the last in byte order counts, with `first` the first;
    the original takes the first for the policy `all` (recorded case 624). Returns None if the base
    path cannot be read; the caller must then change nothing.
    """
    try:
        entries = sorted(base_path.iterdir(), key=os.fsencode, reverse=first)
    except (OSError, ValueError):
        return None
    alike = (path for path in entries if _INTEGER.fullmatch(path.name))
    return {int(path.name): path for path in alike if int(path.name) in INT64}


def wanted_versions(policy: pb.ServableVersionPolicy, found: Collection[int]) -> set[int]:
    """Applies a version policy; without a policy only the latest version is wanted."""
    match policy.WhichOneof("policy_choice"):
        case "all":
            return set(found)
        case "specific":
            return set(found) & set(policy.specific.versions)
        case _:
            number = policy.latest.num_versions or 1
            return set(sorted(found)[-number:])


def fingerprint(path: Path) -> Fingerprint:
    """Returns names, sizes in bytes and modification times in ns of all files of a version.

    A version that failed to load is tried again when its fingerprint changes, so a slow copy is
    served once it is complete.
    """
    try:
        stats = [(str(file), file.stat()) for file in (path, *path.rglob("*"))]
    except OSError:
        return frozenset()
    return frozenset((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
