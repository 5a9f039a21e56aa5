"""The signature commands on the page about rollouts do what the page says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import ROOT

CONFIG = """model_config_list { config { name: "us_bills" base_path: "/models/us_bills"
  model_platform: "tensorflow" model_version_policy { all {} } } }"""


def test_the_documented_commands_sign_and_verify(small_models: Path, tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    for version in ("us_bills/1", "us_bills/2", "us_bills_count/1"):
        shutil.copytree(small_models / "half" / version[-1], tmp_path / "models" / version)
    config = tmp_path / "serving" / "config" / "models.config"
    config.parent.mkdir(parents=True)
    config.write_text(CONFIG)
    page = (ROOT / "docs" / "rollouts.md").read_text().partition("\n## Signed versions\n")[2]
    block = re.search(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert block is not None
    done = subprocess.run(
        ["bash", "-e", "-c", block[1]],
        cwd=tmp_path,
        # The folder `serving` here holds the configuration only.
        env=os.environ | {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    signed = [f"models/us_bills/{n}: signed by the site's key" for n in (1, 2)]
    assert [line.removeprefix(f"{tmp_path}/") for line in done.stdout.splitlines()] == signed


def test_the_documented_flags_of_the_other_tool_exist() -> None:
    pytest.importorskip("model_signing", reason="pip install model-signing pyopenssl")
    page = (ROOT / "docs" / "rollouts.md").read_text().partition("\n### Without a key")[2]
    block = re.search(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert block is not None
    calls = re.findall(r"^model_signing (\w+) (\w+) (.*)$", block[1].replace("\\\n", ""), re.M)
    assert [call[:2] for call in calls] == [("sign", "sigstore"), ("verify", "sigstore")]
    for *command, flags in calls:
        tool = [sys.executable, "-m", "model_signing", *command, "--help"]
        told = subprocess.check_output(tool, text=True)
        for flag in re.findall(r"--[\w-]+", flags):
            assert flag in told
