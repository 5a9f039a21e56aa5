"""The versions on disk: which there are, how large, what each holds, and how a new one comes."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from serving.local.storage import version_paths
from serving.rollout.errors import Refused
from serving.rollout.files import sync

_CHUNK = 2**20
_CARD = Path("assets.extra") / "model_card.json"


class VersionStore:
    """A model's base path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def versions(self) -> dict[int, Path]:
        """Paths by version.

        Raises:
            Refused: the folder cannot be read.
        """
        found = version_paths(self.folder)
        if found is None:
            raise Refused(f"The folder of the versions cannot be read: {self.folder}.")
        return found

    def path(self, version: int) -> Path:
        """Where a version lies.

        Raises:
            Refused: there is no such version.
        """
        found = self.versions()
        if version not in found:
            raise Refused(f"No version {version} in {self.folder}. Expected one of {list(found)}.")
        return found[version]

    def holding(self, digest: str) -> int | None:
        """The version whose files have this digest."""
        found = self.versions().items()
        return next((v for v, path in found if path.is_dir() and digest_of(path) == digest), None)

    def draft_of(self, digest: str) -> Path:
        """Where a version waits for its number: a name that no server takes for a version.

        On the same file system, so that `adopt` is one rename.
        """
        return self.folder / f".publish-{digest[:12]}"

    def draft(self, source: Path, digest: str) -> Path:
        """Copies a version; what an earlier copy left is done anew."""
        draft = self.draft_of(digest)
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(source, draft)
        for path in [*draft.rglob("*"), draft]:
            path.chmod(0o755 if path.is_dir() else 0o644)
            sync(path)
        return draft

    def adopt(self, draft: Path, version: int) -> None:
        """Gives a draft its number, at once and complete.

        Raises:
            Refused: the number is taken.
        """
        target = self.folder / str(version)
        if target.exists():
            raise Refused(f"{target} exists, and a version never changes.")
        draft.rename(target)
        sync(self.folder)

    def delete(self, version: int) -> None:
        """Removes a version; first its number, so that nobody finds half of it."""
        grave = self.folder / f".retired-{version}"
        if version in self.versions():
            shutil.rmtree(grave, ignore_errors=True)
            self.path(version).rename(grave)
            sync(self.folder)
        shutil.rmtree(grave, ignore_errors=True)


def digest_of(folder: Path) -> str:
    """SHA-256 over names and contents of a version's files."""
    total = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(f"{file.relative_to(folder)}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as content:
            while piece := content.read(_CHUNK):
                total.update(piece)
    return total.hexdigest()


def size_of(folder: Path) -> int:
    """Bytes that a version's files take."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def accuracy_of(folder: Path) -> float | None:
    """Share of right answers on the best photos that the version's card tells of, 0 to 1."""
    try:
        measures: dict[str, Any] = json.loads((folder / _CARD).read_bytes())["measures"]
        best = measures.get("other_source") or measures["held_out"]
        return float(best["top_1"]["share"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
