"""Signing keys, made as `docs/operations.md` describes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple


class KeyPair(NamedTuple):
    """The files of a private key to sign with, and of its public key."""

    private: Path
    public: Path


def make(folder: Path, curve: str = "prime256v1") -> KeyPair:
    """Makes an elliptic-curve key; signatures do not accept the curve `secp256k1`."""
    folder.mkdir(parents=True, exist_ok=True)
    pair = KeyPair(folder / "sign.key", folder / "verify.pub")
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}",
            "-out", str(pair.private))  # fmt: skip
    openssl("pkey", "-in", str(pair.private), "-pubout", "-out", str(pair.public))
    return pair


def openssl(*arguments: str) -> None:
    """Runs openssl; raises an error if it fails."""
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
