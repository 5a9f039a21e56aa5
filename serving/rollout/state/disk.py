"""The versions on disk: lists, measures, hashes, adds, signs and deletes them."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from serving import files
from serving.local.lifecycle.storage import version_paths
from serving.rollout.errors import Refused
from serving.rollout.state.files import sync, write_atomically
from serving.signing.manifest import SIGNATURE

_CHUNK = 2**20


class VersionStore:
    """A model's base path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def versions(self) -> dict[int, Path]:
        """Returns the paths by version.

        Raises:
            Refused: the folder cannot be read.
        """
        found = version_paths(self.folder)
        if found is None:
            raise Refused(f"The folder of the versions cannot be read: {self.folder}.")
        return found

    def path(self, version: int) -> Path:
        """Returns the folder of a version.

        Raises:
            Refused: there is no such version.
        """
        found = self.versions()
        if version not in found:
            raise Refused(f"No version {version} in {self.folder}. Expected one of {list(found)}.")
        return found[version]

    def holding(self, digest: str) -> int | None:
        """Returns the version whose files have this digest, or None."""
        found = self.versions().items()
        return next((v for v, path in found if path.is_dir() and digest_of(path) == digest), None)

    def draft_of(self, digest: str) -> Path:
        """Returns the folder of a draft, whose name no server mistakes for a version.

        The draft is on the same file system as the versions, so that `adopt` is one rename.
        """
        return self.folder / f".publish-{digest[:12]}"

    def draft(self, source: Path, digest: str) -> Path:
        """Copies a version to a draft; replaces the remains of an earlier copy.

        Raises:
            Refused: the version has something other than files and folders.
        """
        draft = self.draft_of(digest)
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(source, draft, symlinks=True)
        require_regular(draft)
        for path in [*draft.rglob("*"), draft]:
            path.chmod(0o755 if path.is_dir() else 0o644)
            sync(path)
        return draft

    def sign(self, version: Path, key_file: Path) -> None:
        """Signs a version, published or not, in place of an earlier signature.

        Raises:
            Refused: the key cannot be used, or the version has something other than files and
                folders.
        """
        # Imported here, since a rollback signs nothing and should not wait for the import.
        from serving.signing.versions import seal

        try:
            signature = seal(version, key_file)
        except files.UnfitFile as error:
            raise Refused(str(error)) from error
        except ValueError as error:
            raise Refused(f"{key_file}: {error}") from error
        # Drafted outside the version, where the draft would be an unsigned file.
        write_atomically(version / SIGNATURE, signature, drafts=version.absolute().parent)

    def discard(self, digest: str) -> None:
        """Removes a draft that is not wanted any more."""
        shutil.rmtree(self.draft_of(digest), ignore_errors=True)

    def adopt(self, draft: Path, version: int) -> None:
        """Gives a draft its number, by one rename.

        Raises:
            Refused: the number is taken.
        """
        target = self.folder / str(version)
        if target.exists():
            raise Refused(f"{target} exists, and a version never changes.")
        draft.rename(target)
        sync(self.folder)

    def delete(self, version: int) -> None:
        """Removes all folders of a version's number, `7` as well as `007`.

        Renames each folder first, so that no reader finds half a version.

        Raises:
            OSError: a file cannot be deleted.
        """
        grave = self.folder / f".retired-{version}"
        _remove(grave)
        while version in self.versions():
            self.path(version).rename(grave)
            sync(self.folder)
            _remove(grave)


def _remove(folder: Path) -> None:
    """Deletes a folder, or what has its name; does nothing if it does not exist."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def require_sign_key(key_file: Path) -> None:
    """Makes sure that a file has a key to sign with.

    Raises:
        Refused: the file has no such key.
        OSError: the file cannot be read.
    """
    from serving.signing.versions import read_private_key

    try:
        read_private_key(key_file)
    except ValueError as error:
        raise Refused(f"{key_file}: {error}") from error


def require_regular(folder: Path) -> None:
    """Makes sure that a version's folder holds files and folders only.

    Raises:
        Refused: names a link, which may lead anywhere, or a pipe or device, which may never end.
    """
    try:
        files.regular_below(folder)
    except files.UnfitFile as error:
        raise Refused(str(error)) from error


def digest_of(folder: Path) -> str:
    """Returns the SHA-256 over names and contents of a version's files, without its signature."""
    total = hashlib.sha256()
    signature = folder / SIGNATURE
    for file in sorted(p for p in folder.rglob("*") if p.is_file() and p != signature):
        # A name may hold bytes that are no UTF-8.
        total.update(os.fsencode(f"{file.relative_to(folder)}\0{file.stat().st_size}\0"))
        with file.open("rb") as content:
            while piece := content.read(_CHUNK):
                total.update(piece)
    return total.hexdigest()


def size_of(folder: Path) -> int:
    """Returns the total size of a version's files in bytes."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
