"""A version that differs from what the key's holder signed is refused, and its file is named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serving.signing.versions import SIGNATURE, Untrusted, Verifier, seal
from tests.support import keys

# Signed by model-signing 1.1.1, `model_signing sign key`; of it only the public key is kept.
THEIRS = Path(__file__).with_name("by_model_signing")
THEIR_KEY = Path(__file__).with_name("by_model_signing.pub")
# Of the same files, by `model_signing sign certificate`.
BY_CERTIFICATE = Path(__file__).with_name("by_certificate.sig")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> keys.KeyPair:
    return keys.make(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def version(tmp_path: Path, pair: keys.KeyPair) -> Path:
    """A signed folder; what the files hold does not matter here."""
    folder = tmp_path / "1"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    (folder / SIGNATURE).write_text(seal(folder, pair.private))
    return folder


def test_a_version_is_good_as_it_was_signed_wherever_it_lies(
    version: Path, pair: keys.KeyPair
) -> None:
    verify = Verifier(pair.public)
    verify(version)
    verify(version.rename(version.with_name("renamed")))


@pytest.mark.parametrize("curve", ["prime256v1", "secp384r1", "secp521r1"])
def test_each_curve_of_the_format_signs_and_verifies(
    version: Path, tmp_path: Path, curve: str
) -> None:
    pair = keys.make(tmp_path / curve, curve)
    (version / SIGNATURE).write_text(seal(version, pair.private))
    Verifier(pair.public)(version)


def alter(version: Path) -> None:
    (version / "variables" / "variables.index").write_bytes(b"xndex")


def add(version: Path) -> None:
    (version / "variables" / "more").write_bytes(b"")


def hide(version: Path) -> None:
    (version / ".gitignore").write_bytes(b"")


def remove(version: Path) -> None:
    (version / "saved_model.pb").unlink()


def link(version: Path) -> None:
    remove(version)
    (version / "saved_model.pb").symlink_to("variables/variables.index")


def pipe(version: Path) -> None:
    os.mkfifo(version / "pipe")


def unsign(version: Path) -> None:
    (version / SIGNATURE).unlink()


def garble(version: Path) -> None:
    (version / SIGNATURE).write_bytes(b"[1")


def cut(version: Path) -> None:
    (version / SIGNATURE).write_text((version / SIGNATURE).read_text()[:300])


def swell(version: Path) -> None:
    (version / SIGNATURE).write_bytes(bytes(2**21))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (alter, r"/1/variables/variables\.index was altered after"),
        (add, r"/1/variables/more was added after"),
        (hide, r"/1/\.gitignore was added after"),
        (remove, r"/1/saved_model\.pb is missing; it was there"),
        (link, r"/1/saved_model\.pb is a symbolic link"),
        (pipe, r"/1/pipe is no file and no folder"),
        (unsign, r"/1 is not signed: it has no model\.sig"),
        (garble, r"/1/model\.sig: It is no signature"),
        (cut, r"/1/model\.sig: It is no signature"),
        (swell, r"at most 1048576 bytes"),
    ],
)
def test_what_is_not_as_it_was_signed_is_refused_by_name(
    version: Path, pair: keys.KeyPair, change: Callable[[Path], None], said: str
) -> None:
    change(version)
    with pytest.raises(Untrusted, match=said):
        Verifier(pair.public)(version)


def test_another_key_is_refused(version: Path, tmp_path: Path) -> None:
    other = keys.make(tmp_path / "other")
    with pytest.raises(Untrusted, match=r"model\.sig: The signature is not by the site's key"):
        Verifier(other.public)(version)


def test_a_statement_that_was_changed_after_it_was_signed_is_refused(
    version: Path, pair: keys.KeyPair
) -> None:
    add(version)
    bundle: dict[str, Any] = json.loads((version / SIGNATURE).read_text())
    statement = json.loads(b64decode(bundle["dsseEnvelope"]["payload"]))
    entry = {"name": "variables/more", "algorithm": "sha256", "digest": 64 * "0"}
    statement["predicate"]["resources"].append(entry)
    bundle["dsseEnvelope"]["payload"] = b64encode(json.dumps(statement).encode()).decode()
    (version / SIGNATURE).write_text(json.dumps(bundle))
    with pytest.raises(Untrusted, match="not by the site's key"):
        Verifier(pair.public)(version)


def test_what_another_tool_signed_in_this_format_is_verified(tmp_path: Path) -> None:
    copy = shutil.copytree(THEIRS, tmp_path / "version")
    Verifier(THEIR_KEY)(copy)
    # Its statement tells verifiers to ignore such files.
    hide(copy)
    with pytest.raises(Untrusted, match=r"\.gitignore was added"):
        Verifier(THEIR_KEY)(copy)


# As authorities of one's own are written down, and as Sigstore's are.
@pytest.mark.parametrize("kind", ["x509CertificateChain", "certificate"])
def test_a_signature_by_a_certificate_is_told_with_the_tool_that_verifies_it(
    tmp_path: Path, kind: str
) -> None:
    copy = shutil.copytree(THEIRS, tmp_path / "version")
    bundle = BY_CERTIFICATE.read_text().replace('"x509CertificateChain"', f'"{kind}"')
    (copy / SIGNATURE).write_text(bundle)
    with pytest.raises(Untrusted, match=r"signed with a certificate.* `model_signing verify`"):
        Verifier(THEIR_KEY)(copy)


def test_another_tool_verifies_what_is_signed_here(version: Path, pair: keys.KeyPair) -> None:
    pytest.importorskip("model_signing", reason="pip install model-signing pyopenssl")
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(version)]
    command += ["--signature", str(version / SIGNATURE), "--public_key", str(pair.public)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.parametrize("content", [b"", b"no key", THEIR_KEY.read_bytes()[:60]])
def test_a_file_that_is_no_key_is_told_so(version: Path, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(ValueError, match="Expected an elliptic-curve key in PEM"):
        Verifier(file)
    with pytest.raises(ValueError, match="Expected an elliptic-curve key in PEM"):
        seal(version, file)


@pytest.mark.parametrize("curve", ["secp256k1", "secp112r1", "sect283k1"])
def test_a_key_of_another_curve_is_told_so(version: Path, tmp_path: Path, curve: str) -> None:
    pair = keys.make(tmp_path / curve, curve)
    with pytest.raises(ValueError, match="Expected an elliptic-curve key in PEM"):
        Verifier(pair.public)
    with pytest.raises(ValueError, match="Expected an elliptic-curve key in PEM"):
        seal(version, pair.private)


def test_a_key_may_be_mounted_by_links_as_a_secret_is(version: Path, pair: keys.KeyPair) -> None:
    mounted = version.parent / "mounted" / "verify.pub"
    mounted.parent.mkdir()
    mounted.symlink_to(pair.public)
    Verifier(mounted)(version)
