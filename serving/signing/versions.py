"""Signs the folder of a version, and verifies a folder by the site's key."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from serving import files
from serving.signing import envelope, manifest
from serving.signing.manifest import SIGNATURE, Untrusted

__all__ = ["SIGNATURE", "Untrusted", "Verifier", "read_private_key", "seal"]


def seal(folder: Path, key_file: Path) -> str:
    """Signs every file of a version except an earlier signature.

    Args:
        folder: the version.
        key_file: the private key, PEM, of the curve P-256, P-384 or P-521, unencrypted.

    Returns:
        The content of the folder's `SIGNATURE`.

    Raises:
        ValueError: the file has no such key.
        OSError: a file cannot be read.
        UnfitFile: the folder holds something other than files and folders.
    """
    key = read_private_key(key_file)
    return envelope.seal(manifest.statement_of(folder.resolve()), key)


def read_private_key(file: Path) -> EllipticCurvePrivateKey:
    """Reads a key to sign with; raises `ValueError` if it is invalid, `OSError` if unreadable."""
    return envelope.private_key(_key(file))


class Verifier:
    """Verifies versions by one public key. Needs no network."""

    def __init__(self, key_file: Path) -> None:
        """Reads the key; raises `ValueError` if it is invalid, `OSError` if it cannot be read."""
        self._key = envelope.public_key(_key(key_file))

    def __call__(self, folder: Path) -> None:
        """Verifies every file of a version; 14 MB take about 20 ms.

        Raises:
            Untrusted: the version is unsigned, signed by another key, or changed since; names the
                file.
        """
        try:
            manifest.require_same(folder, self._statement(folder / SIGNATURE))
        except (OSError, files.UnfitFile) as error:
            raise Untrusted(f"{folder} cannot be verified: {error}") from error

    def _statement(self, file: Path) -> bytes:
        try:
            return envelope.unseal(files.read_bytes(file), self._key)
        except FileNotFoundError as error:
            raise Untrusted(f"{file.parent} is not signed: it has no {SIGNATURE}.") from error
        except Untrusted as error:
            raise Untrusted(f"{file}: {error}") from error


def _key(file: Path) -> bytes:
    """Reads a key's file: small and regular, or a link to such a file, as in a mounted secret."""
    return files.read_bytes(file.resolve())
