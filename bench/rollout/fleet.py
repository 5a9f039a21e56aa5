"""Rolls a version out over 50 to 500 model servers, some of which are slow, fail, or start late.

Run it as `python -m bench.rollout.fleet 50 200 500`. The commands and the servers' answers come
from the real code; the network and the loading of versions are stand-ins in this process (see
`simulated`). During the commands one server is killed and started again, one hangs, one never
starts, one joins; clients send requests all the time. No request may fail, and none may be answered
by a version that it did not ask for.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bench.names import MODEL
from bench.rollout.simulated import Network, SimulatedServer
from serving.client import GrpcClient, NotServed, ServingError, Unavailable
from serving.local.settings import Settings
from serving.rollout import commands
from serving.rollout.remote.addresses import Addresses
from serving.rollout.remote.fleet import Fleet
from serving.rollout.state.deployment import Check, Deployment
from serving.rollout.state.disk import digest_of
from serving.rollout.steps import Command, run
from serving.traffic import Traffic

CONFIG = """model_config_list {{ config {{ name: "{name}" base_path: "{folder}/{name}"
  model_platform: "tensorflow" model_version_policy {{ specific {{ versions: 1 }} }}
  version_labels {{ key: "stable" value: 1 }} }} }}
"""
LOAD_SECONDS = 4.0
ROUND_TRIP_SECONDS = 0.002
POLL_SECONDS = 30
PERCENT = 10.0
LEAST = 8  # Four servers are disturbed, and others have to answer meanwhile.
_X = {"x": np.zeros(1, np.float32)}


@dataclass
class Site:
    """Servers and the files that they read.

    Attributes:
        allowed: the versions that may be stable at this moment.
        deployment: the files of the rollout.
        said: the output lines of the commands.
    """

    folder: Path
    servers: list[SimulatedServer]
    network: Network
    deployment: Deployment
    allowed: frozenset[int] = frozenset({1})
    said: list[str] = field(default_factory=list)

    def fresh(self) -> Deployment:
        """Returns the deployment with a new fleet, which again waits for missing servers."""
        fleet = Fleet(
            Addresses(",".join(s.url for s in self.servers), "--server", "grpc", ""),
            lambda url: self.network.connect(url, MODEL),
            say=self.said.append,
        )
        return replace(self.deployment, server=fleet)

    def do(self, command: Command, *allowed: int) -> float:
        """Runs a command, during which `allowed` may be stable too; returns its seconds."""
        self.allowed = self.allowed.union(allowed)
        started = time.monotonic()
        run(command, self.deployment.history, self.said.append)
        took = time.monotonic() - started
        if allowed:
            # Requests in flight may still get an answer from the old version.
            time.sleep(0.1)
            self.allowed = frozenset(allowed)
        return took


def site(folder: Path, count: int, dice: random.Random) -> Site:
    """Creates the servers, without starting them; one in twenty loads four times as slowly."""
    for version in (1, 2):
        path = folder / MODEL / str(version)
        path.mkdir(parents=True)
        (path / "saved_model.pb").write_text(str(version))
    file = folder / "models.config"
    file.write_text(CONFIG.format(name=MODEL, folder=folder))
    settings = Settings(
        model_config_file=str(file),
        model_config_file_poll_wait_seconds=POLL_SECONDS,
        allow_version_labels_for_unavailable_models=True,
    )

    def server(number: int) -> SimulatedServer:
        seconds = LOAD_SECONDS * dice.uniform(0.8, 1.3) * (4 if number % 20 == 19 else 1)
        url = f"grpc://10.0.{number // 250}.{number % 250 + 1}:8500"
        return SimulatedServer(url, settings, lambda: seconds)

    servers = [server(number) for number in range(count)]
    network = Network(servers, ROUND_TRIP_SECONDS)
    made = Site(folder, servers, network, Deployment.at(file))
    for path in made.deployment.store.versions().values():
        made.deployment.checks[digest_of(path)] = Check(0)
    return made


class Clients:
    """Clients that ask stable and the canary of one server after the other, as front ends do."""

    def __init__(self, asked: Site, count: int) -> None:
        self.answers: Counter[tuple[str, int | None]] = Counter()
        self.failures: list[str] = []
        self.wrong: list[str] = []
        self._site = asked
        self._clients = [(s, asked.network.client(s.url)) for s in asked.servers]
        self._turns = itertools.count()
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._ask_on) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stops the clients, and waits for their last answers."""
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _ask_on(self) -> None:
        while not self._done.wait(0.01):
            turn, allowed = next(self._turns), self._site.allowed
            canary = self._site.deployment.traffic().canary
            try:
                if canary is not None and turn % 10 == 0:
                    self._ask("canary", canary, frozenset({canary}))
                else:
                    self._ask("stable", None, allowed)
            except ServingError as error:
                self.failures.append(str(error))

    def _ask(self, name: str, version: int | None, allowed: frozenset[int]) -> None:
        """Asks for a version; asks stable instead if the canary does not answer."""
        try:
            answered = self._call(version)
        except (NotServed, Unavailable):
            if version is None:
                raise
            self._ask("stable", None, self._site.allowed)
            return
        self.answers[name, answered] += 1
        # A version is right if it was allowed at the time of the request or of the answer.
        if answered not in allowed and (name, answered in self._site.allowed) != ("stable", True):
            self.wrong.append(f"{name}: {answered}")

    def _call(self, version: int | None, tries: int = 3) -> int | None:
        """Asks the next connected server; if it is unavailable, another one, up to `tries`."""
        label = "stable" if version is None else None
        try:
            client = self._next()
            return client.predict(MODEL, _X, version=version, label=label, timeout=30.0).version
        except Unavailable:
            if tries == 1:
                raise
            return self._call(version, tries - 1)

    def _next(self) -> GrpcClient:
        while True:
            server, client = self._clients[next(self._turns) % len(self._clients)]
            if server.listens and not server.is_silent:
                return client


def roll_out(count: int) -> bool:
    """Runs the simulation, prints the cost, and returns whether all answers were right."""
    with tempfile.TemporaryDirectory() as folder:
        made = site(Path(folder), count, random.Random(count))  # noqa: S311
        *running, late, _never = made.servers
        for thread in [server.start() for server in running]:
            thread.join()
        clients = Clients(made, 8)
        try:
            took = sequence(made, late)
        finally:
            clients.stop()
            for server in made.servers:
                server.kill()
        report(made, clients, took)
        return not (clients.failures or clients.wrong)


def sequence(made: Site, late: SimulatedServer) -> dict[str, float]:
    """Runs the commands while servers fail; returns the seconds of each."""
    limits, took = commands.Limits(), dict[str, float]()
    lost, hanging = made.servers[len(made.servers) // 2], made.servers[3]

    def restart() -> None:
        lost.kill()
        lost.start()

    # This is midway through the loading, which one server starts before the others.
    disturbance = threading.Timer(2 * LOAD_SECONDS, restart)
    disturbance.start()
    trial = Traffic(2, PERCENT)
    took["canary"] = made.do(commands.canary(made.fresh(), "canary", trial, limits))
    joining = late.start()
    hanging.hang(5.0)
    took["promote"] = made.do(commands.promote(made.fresh(), "promote", 2, limits), 2)
    joining.join()
    hanging.hang(5.0)
    took["rollback"] = made.do(commands.rollback(made.fresh(), "rollback"), 1)
    time.sleep(5.0)
    took["promote again"] = made.do(commands.promote(made.fresh(), "promote", 2, limits), 2)
    took["retire"] = made.do(commands.retire(made.fresh(), "retire", 1, delete=False))
    return took


def report(made: Site, clients: Clients, took: dict[str, float]) -> None:
    """Prints seconds, calls and answers, and all errors."""
    print_ = sys.stdout.write
    print_(f"{len(made.servers)} servers, {made.network.calls} calls of all\n")
    for name, seconds in took.items():
        print_(f"  {seconds:6.1f} s  {name}\n")
    for (name, version), number in sorted(clients.answers.items(), key=str):
        print_(f"  {number:7} answers by {name}, version {version}\n")
    print_(f"  failed requests: {len(clients.failures)} {clients.failures[:3]}\n")
    print_(f"  wrong versions: {len(clients.wrong)} {clients.wrong[:3]}\n")
    print_("".join(f"  |{line[:200]}\n" for line in made.said))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the simulations; returns 1 if a request failed or a wrong version answered."""
    parser = argparse.ArgumentParser("python -m bench.rollout.fleet", description=__doc__)
    parser.add_argument("servers", type=int, nargs="*", default=[50, 200, 500])
    counts = parser.parse_args(arguments).servers
    if min(counts) < LEAST:
        parser.error(f"expected at least {LEAST} servers, received {min(counts)}")
    failed = [count for count in counts if not roll_out(count)]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
