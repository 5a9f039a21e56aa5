"""Certificates for both tiers, made by the commands of `docs/operations.md`."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from serving.client import Tls
from tests.support.servers import ROOT


def make(folder: Path) -> Path:
    """Runs the documented commands in a folder, which then has ssl.config, ca.crt, web.crt, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = page.partition("\n## TLS between the tiers\n")[2]
    commands = re.search(r"^```sh\n(new=.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert commands is not None
    subprocess.run(["bash", "-e", "-c", commands[1]], cwd=folder, check=True, capture_output=True)
    return folder


def of_client(folder: Path) -> Tls:
    """Returns the certificates and the key of a front end."""
    return Tls(folder / "ca.crt", folder / "web.crt", folder / "web.key")
