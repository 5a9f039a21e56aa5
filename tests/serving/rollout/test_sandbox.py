"""The check of a version runs where it cannot use the network or write files."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from serving.rollout.checks import sandbox
from serving.rollout.publish import publish
from serving.rollout.state.deployment import Deployment
from tests.serving.rollout.conftest import do

needs_bubblewrap = pytest.mark.skipif(not sandbox.is_available(), reason="no usable bubblewrap")


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = sandbox.sandboxed([sys.executable, "-c", program, *arguments])
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@needs_bubblewrap
def test_it_writes_no_file(tmp_path: Path) -> None:
    done = run("import sys; open(sys.argv[1], 'w')", str(tmp_path / "written"))
    assert "Read-only file system" in done.stderr
    assert not (tmp_path / "written").exists()


@needs_bubblewrap
def test_it_reaches_no_port_of_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        program = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 9)"
        assert "Connection refused" in run(program, port).stderr


@needs_bubblewrap
def test_it_sees_no_other_process() -> None:
    done = run("import os; print([name for name in os.listdir('/proc') if name.isdigit()])")
    assert len(done.stdout.split(",")) <= 3


@needs_bubblewrap
def test_a_good_version_passes_in_it(offline: Deployment, small_models: Path) -> None:
    do(offline, publish(offline, "publish", small_models / "half" / "2"))
    (noted,) = [line for line in offline.history.lines() if line["event"] == "checked"]
    assert noted["sandboxed"] is True


def test_without_bubblewrap_a_version_is_checked_all_the_same(
    offline: Deployment, small_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    sandbox._prefix.cache_clear()
    try:
        do(offline, publish(offline, "publish", small_models / "half" / "2"))
    finally:
        sandbox._prefix.cache_clear()
    (noted,) = [line for line in offline.history.lines() if line["event"] == "checked"]
    assert noted["sandboxed"] is False


@needs_bubblewrap
def test_a_version_on_a_disk_below_run_is_seen() -> None:
    with tempfile.TemporaryDirectory(dir="/run") as folder:
        Path(folder, "file").write_text("seen")
        program = "import sys; print(open(sys.argv[1]).read())"
        command = [sys.executable, "-c", program, f"{folder}/file"]
        done = subprocess.run(
            sandbox.sandboxed(command, [Path(folder)]), capture_output=True, text=True, check=False
        )
        assert done.stdout == "seen\n"
