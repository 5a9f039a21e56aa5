"""A server that starts late, with older files on a separate disk, ends up as the files say."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from serving.rollout import cli, commands
from serving.rollout.errors import Refused
from serving.rollout.reconcile import reconcile
from serving.rollout.state import deployment as deployment_module
from serving.rollout.state.deployment import Deployment
from serving.rollout.state.files import exclusive
from tests.serving import models
from tests.serving.rollout.checked import believe
from tests.serving.rollout.conftest import CONFIG, FLAGS, do
from tests.support.servers import ModelServer, wait_until

REFUSED = "The new configuration is refused"


class Site:
    """Two servers that have a copy of the files each; the second one's is older."""

    def __init__(self, folder: Path, versions: Path) -> None:
        self.folders = [folder / "first", folder / "late"]
        self.versions = versions
        for one in self.folders:
            models.publish(versions / "1", one / "half", 1)
            (one / "models.config").write_text(CONFIG.format("/models"))
        models.publish(versions / "2", self.folders[0] / "half", 2)
        self.first, self.late = (
            ModelServer(
                one / "server",
                [*FLAGS, f"--model_config_file={one}/models.config", f"--models_root={one}"],
                wait_for=["half"],
            )
            for one in self.folders
        )

    def deployment(self, *servers: ModelServer) -> Deployment:
        """What rollouts work on: the first server's files, and some of the servers."""
        return Deployment.at(
            self.folders[0] / "models.config",
            models_root=self.folders[0],
            server=",".join(server.grpc_url for server in servers),
        )

    def renew(self) -> None:
        """Brings the late server's files up to date, the version first."""
        here, there = self.folders
        models.publish(self.versions / "2", there / "half", 2)
        draft = shutil.copy(here / "models.config", there / ".new")
        Path(draft).rename(there / "models.config")


@pytest.fixture
def site(tmp_path: Path, small_models: Path) -> Iterator[Site]:
    """Version 2 was made stable before the late server was there."""
    made = Site(tmp_path, small_models / "half")
    with made.first:
        deployment = made.deployment(made.first)
        for path in deployment.store.versions().values():
            believe(deployment, path)
        do(deployment, commands.promote(deployment, "promote 2", 2, commands.Limits()))
        deployment.server.close()
        with made.late:
            yield made


def stable_of(deployment: Deployment) -> set[int | None]:
    return set(deployment.server.versions_of("stable").values())


def test_a_late_server_whose_files_are_renewed_is_brought_along(site: Site) -> None:
    both = site.deployment(site.first, site.late)
    assert stable_of(both) == {1, 2}
    site.renew()
    # Its own looks at the file do not mend it, so the command has to.
    site.late.wait_for_output(REFUSED)
    assert 2 not in site.late.states("half")
    said: list[str] = []
    reconcile(both, "reconcile", said.append, every=0.2, seconds=30)
    assert said[0] == f"{site.late.grpc_url}: it loads version 2 first."
    assert said[-1] == "Every server has what the files say."
    assert stable_of(both) == {2}
    both.server.close()


def test_a_version_that_comes_while_the_command_waits_is_loaded(site: Site) -> None:
    both = site.deployment(site.first, site.late)
    said: list[str] = []
    waiting = threading.Thread(
        target=reconcile,
        args=(both, "reconcile", said.append),
        kwargs={"every": 0.2, "seconds": 60},
    )
    waiting.start()
    for _ in wait_until("the command names the version", time.monotonic() + 30):
        if said:
            break
    assert said[0] == f"{site.late.grpc_url}: it loads version 2 first."
    assert waiting.is_alive()
    site.renew()
    waiting.join(60)
    assert not waiting.is_alive()
    assert stable_of(both) == {2}
    both.server.close()


def test_a_rollback_comes_between_two_looks(site: Site) -> None:
    both = site.deployment(site.first, site.late)
    waiting = threading.Thread(
        target=reconcile,
        args=(both, "reconcile", lambda _: None),
        kwargs={"every": 0.2, "seconds": 60},
    )
    waiting.start()
    with both.exclusive("rollback"):
        do(both, commands.rollback(both, "rollback"))
    site.renew()
    waiting.join(60)
    assert not waiting.is_alive()
    assert stable_of(both) == {1}
    both.server.close()


def test_a_server_whose_files_stay_old_is_named_when_the_time_is_over(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    both = site.deployment(site.first, site.late)
    with pytest.raises(Refused, match=r"Not every server has what the files say within 1 s"):
        reconcile(both, "reconcile", lambda _: None, every=0.2, seconds=1)
    both.server.close()
    where = [f"--config={both.config.file}", f"--models-root={site.folders[0]}"]
    servers = [f"--server={server.grpc_url}" for server in (site.first, site.late)]
    assert cli.main([*where, *servers, "reconcile", "--every=0.2", "--seconds=1"]) == 1
    assert f"{site.late.grpc_url}: it loads version 2 first." in capsys.readouterr().out
    site.renew()
    assert cli.main([*where, *servers, "reconcile", "--every=0.2", "--seconds=30"]) == 0


def test_a_file_that_cannot_be_read_for_a_moment_does_not_end_a_command_that_runs_for_ever(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = site.deployment(site.first, site.late)
    tried = list[str]()

    def stale_once(file: Path, *arguments: Any) -> AbstractContextManager[None]:
        tried.append(file.name)
        if len(tried) == 1:
            raise OSError(116, "Stale file handle")
        return exclusive(file, *arguments)

    monkeypatch.setattr(deployment_module, "exclusive", stale_once)
    said: list[str] = []
    site.renew()
    reconcile(both, "reconcile", said.append, every=0.2, seconds=30)
    assert said[0] == "[Errno 116] Stale file handle"
    assert stable_of(both) == {2}
    both.server.close()
