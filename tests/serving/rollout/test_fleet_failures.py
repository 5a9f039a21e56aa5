"""Many servers, some of which fail, in one process: network and loading are stand-ins."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bench.rollout.simulated import Network, SimulatedServer
from serving.client import ServingError, Unavailable
from serving.local.settings import Settings
from serving.rollout import commands
from serving.rollout.errors import Refused
from serving.rollout.remote import fleet as fleet_module
from serving.rollout.remote.addresses import Addresses
from serving.rollout.remote.fleet import Fleet
from serving.rollout.report.status import status
from serving.rollout.report.table import table
from serving.rollout.state.deployment import Deployment
from serving.rollout.steps import Step
from serving.traffic import NO_CANARY, Traffic
from tests.serving.rollout.checked import believe
from tests.serving.rollout.conftest import CONFIG, do

LIMITS = commands.Limits()
TRIAL = Traffic(2, 10.0)
PATIENCE = 0.5


@dataclass
class Site:
    """Servers, and the deployment that the commands work on."""

    servers: list[SimulatedServer]
    deployment: Deployment
    said: list[str]

    def stable(self) -> dict[str, int | None]:
        """The version that each server's label `stable` leads to, by the end of its URL."""
        found = self.deployment.server.versions_of("stable")
        return {url[-6:-5]: version for url, version in found.items()}

    def wait_for(self, server: SimulatedServer) -> None:
        """Waits until a server listens."""
        deadline = time.monotonic() + 10
        while not server.listens:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Three servers of version 1; they look at the file only when they start."""
    for version in (1, 2, 3):
        folder = tmp_path / "half" / str(version)
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").write_text(str(version))
    file = tmp_path / "models.config"
    file.write_text(CONFIG.format(tmp_path))
    settings = Settings(
        model_config_file=str(file), allow_version_labels_for_unavailable_models=True
    )
    servers = [SimulatedServer(f"grpc://10.0.0.{n}:8500", settings) for n in (1, 2, 3)]
    said: list[str] = []
    network = Network(servers)
    fleet = Fleet(
        Addresses(",".join(s.url for s in servers), "--server", "grpc", ""),
        lambda url: network.connect(url, "half"),
        patience=PATIENCE,
        say=said.append,
    )
    made = Site(servers, replace(Deployment.at(file), server=fleet), said)
    for path in made.deployment.store.versions().values():
        believe(made.deployment, path)
    for server in servers:
        server.start().join(10)
    yield made
    for server in servers:
        server.kill()


def canary(site: Site, version: int = 2) -> list[str]:
    trial = Traffic(version, 10.0)
    return do(site.deployment, commands.canary(site.deployment, "canary", trial, LIMITS))


def promote(site: Site, version: int = 2) -> list[str]:
    return do(site.deployment, commands.promote(site.deployment, "promote", version, LIMITS))


def rollback(site: Site) -> list[str]:
    return do(site.deployment, commands.rollback(site.deployment, "rollback"))


def test_every_step_is_done_on_every_server(site: Site) -> None:
    assert canary(site)[2] == "  load: AVAILABLE and warm on 3 servers"
    assert set(site.deployment.server.versions_of("canary").values()) == {2}
    promote(site)
    assert site.stable() == {"1": 2, "2": 2, "3": 2}
    rollback(site)
    assert site.stable() == {"1": 1, "2": 1, "3": 1}
    promote(site)
    said = do(site.deployment, commands.retire(site.deployment, "retire", 1, delete=False))
    assert said[-1] == "  unload after its last request: unloaded on 3 servers"
    assert status(site.deployment, None, 0).notes == []


def test_a_dead_server_is_left_behind_and_follows_when_it_starts(site: Site) -> None:
    dead = site.servers[1]
    dead.kill()
    said = canary(site)
    assert said[2].startswith("  load: AVAILABLE and warm on 2 servers; without grpc://10.0.0.2")
    promote(site)
    dead.start().join(10)
    assert site.stable() == {"1": 2, "2": 2, "3": 2}
    assert status(site.deployment, None, 0).notes == []


def test_a_server_that_is_lost_while_it_loads_and_comes_back_ends_no_command(site: Site) -> None:
    restarted = site.servers[2]

    def restart_once() -> float:
        if restarted.starts == 1:
            restarted.kill()
            restarted.start()
        return 0.0

    restarted.load_seconds = restart_once
    assert canary(site)[2] == "  load: AVAILABLE and warm on 3 servers"
    assert restarted.starts == 2


def test_a_version_that_ends_the_servers_that_load_it_ends_only_the_first(site: Site) -> None:
    for server in site.servers:
        server.deadly = 2
    with pytest.raises(Refused, match=r"A model server ended.*out of the configuration"):
        canary(site)
    assert [server.listens for server in site.servers] == [False, True, True]
    assert site.deployment.layout().versions == {1}
    assert site.deployment.traffic() == NO_CANARY


@pytest.mark.parametrize("ended", [1, 2])
def test_servers_that_a_version_ends_later_get_it_no_more(site: Site, ended: int) -> None:
    for server in site.servers[-ended:]:
        server.deadly = 2
    with pytest.raises(Refused, match=r"stopped serving meanwhile on .*3:8500"):
        canary(site)
    assert site.deployment.layout().versions == {1}
    site.servers[-1].start().join(10)
    assert site.stable()["3"] == 1


def test_a_server_that_hangs_holds_a_step_up_and_is_named(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_module, "FOLLOW_SECONDS", 0.2)
    canary(site)
    site.servers[1].hang(1000)
    command = commands.promote(site.deployment, "promote", 2, LIMITS)
    steps = [step for step in command.steps if step.name == "labels"]
    monkeypatch.setattr(fleet_module, "_URGENT_SECONDS", 0.3)
    with pytest.raises(Refused, match=r"labels: Not every server .*0\.2:8500: Deadline Exceeded"):
        do(site.deployment, replace(command, steps=steps))
    site.servers[1].silent_until = 0.0
    assert site.stable() == {"1": 1, "2": 1, "3": 1}


def test_a_rollback_waits_for_neither_the_dead_nor_the_silent(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(site)
    monkeypatch.setattr(fleet_module, "_URGENT_SECONDS", 0.3)
    monkeypatch.setattr(fleet_module, "LATE_SECONDS", 0.5)
    site.servers[0].kill()
    site.servers[1].hang(1000)
    started = time.monotonic()
    said = rollback(site)
    assert time.monotonic() - started < 5
    for line in said[-2:]:
        assert "without grpc://10.0.0.1:8500 (connection refused), grpc://10.0.0.2:8500" in line
    site.servers[1].silent_until = 0.0
    site.servers[0].start().join(10)
    assert site.stable() == {"1": 1, "2": 2, "3": 1}
    found = status(site.deployment, None, 0)
    assert "stable is version 1 in the file, 2 on grpc://10.0.0.2:8500." in found.notes
    promote(site, 1)
    assert site.stable() == {"1": 1, "2": 1, "3": 1}


def test_a_rollback_tells_a_late_server_once_the_others_are_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(site)
    monkeypatch.setattr(fleet_module, "_URGENT_SECONDS", 0.3)
    late = site.servers[1]
    late.hang(1000)
    command = commands.rollback(site.deployment, "rollback")

    def others_are_back() -> str:
        late.silent_until = 0.0
        return str(site.stable())

    steps = [*command.steps[:-1], Step("see", others_are_back), command.steps[-1]]
    said = do(site.deployment, replace(command, steps=steps))
    assert said[-2:] == [
        "  see: {'1': 1, '2': 2, '3': 1}",
        "  servers that were late: done on 3 servers",
    ]
    assert site.stable() == {"1": 1, "2": 1, "3": 1}


def test_a_server_that_started_with_an_older_file_is_brought_along(site: Site) -> None:
    late = site.servers[2]
    late.kill()
    reading = threading.Event()

    def slow() -> float:
        reading.set()
        return 1.0

    late.load_seconds = slow
    starting = late.start()
    assert reading.wait(10)  # The older file is what it loads.
    deployment = site.deployment
    deployment.write(deployment.layout().with_version(2).with_labels(stable=2))
    deployment.write(deployment.layout().without_version(1))
    starting.join(10)
    assert site.stable()["3"] == 1
    promote(site)
    assert site.stable() == {"1": 2, "2": 2, "3": 2}
    deployment.server.wait_until_gone(1, 10)
    assert status(site.deployment, None, 0).notes == []


def test_a_server_that_joins_in_the_middle_is_waited_for(site: Site) -> None:
    late = site.servers[2]
    late.kill()
    command = commands.canary(site.deployment, "canary", TRIAL, LIMITS)
    at = [step.name for step in command.steps].index("load")
    late.load_seconds = lambda: 0.2
    steps = [*command.steps[:at], Step("start", lambda: str(late.start())), *command.steps[at:]]
    said = do(site.deployment, replace(command, steps=steps))
    assert "  load: AVAILABLE and warm on 3 servers" in said


def test_one_refusal_ends_the_step(site: Site) -> None:
    config = site.deployment.config.message()
    config.model_config_list.config[0].base_path = "/elsewhere"
    with pytest.raises(ServingError, match=r"grpc://10\.0\.0\.1:8500: .*is not below"):
        site.deployment.server.reload(config)


def test_without_any_server_nothing_is_waited_for(site: Site) -> None:
    for server in site.servers:
        server.kill()
    with pytest.raises(Unavailable):
        site.deployment.apply(site.deployment.layout())
    with pytest.raises(Refused, match="What was done stays"):
        rollback(site)


def test_status_has_a_column_for_each_server_and_names_those_that_differ(site: Site) -> None:
    message = site.deployment.config.message()
    message.model_config_list.config[0].model_version_policy.specific.versions[:] = [1, 3]
    site.deployment.server.members()[0].reload(message)
    site.servers[2].kill()
    deadline = time.monotonic() + 10
    while "AVAILABLE" not in (found := status(site.deployment, None, 0)).rows[0].states.values():
        assert time.monotonic() < deadline
    lines = table(found).splitlines()
    assert lines[1].split()[:6] == [
        "version",
        "on",
        "disk",
        "10.0.0.1:8500",
        "10.0.0.2:8500",
        "10.0.0.3:8500",
    ]
    assert lines[2].split()[:3] == ["3", "yes", "AVAILABLE"]
    assert found.rows[0].state == "AVAILABLE on 1 of 3"
    assert (
        "Version 3 is loaded, and the configuration does not ask for it on grpc://10.0.0.1:8500."
        in found.notes
    )
    assert (
        "The model server at grpc://10.0.0.3:8500 cannot be asked: connection refused"
        in found.notes
    )
