"""For files that belong to another user, the error says what to do."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from serving.local.errors import StatusError
from serving.local.lifecycle.model_config import read_text_proto
from serving.rollout.cli import main
from serving.wire import messages_pb2 as pb
from tests.serving.rollout.test_config import TWO

NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@contextmanager
def as_nobody() -> Iterator[None]:
    """Has this process open files as the containers' user does."""
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def config() -> Iterator[Path]:
    """A configuration of root's in a folder that everybody may look into."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    (folder / "models.config").write_text(TWO)
    yield folder / "models.config"
    shutil.rmtree(folder)


def test_a_command_of_another_user_says_which_user_it_should_be(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with as_nobody():
        status = main([f"--config={config}", "--model=a", "rollback"])
    told = capsys.readouterr().err
    assert status == 1
    assert "rollout.lock" in told
    assert f"runs as {NOBODY}:{NOBODY}" in told
    assert "US_BILLS_OWNER=0:0" in told


def test_a_configuration_that_its_owner_keeps_to_himself_says_how_to_share_it(config: Path) -> None:
    config.chmod(0o600)
    expected = rf"Permission denied: it belongs to 0:0.*{NOBODY}:{NOBODY}.*chmod -R go\+rX"
    with as_nobody(), pytest.raises(StatusError, match=expected):
        read_text_proto(config, pb.ModelServerConfig())
