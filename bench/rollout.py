"""Rolls a version out under load and counts what clients noticed of it.

Run it as `python -m bench.rollout`. Model servers and front ends, one of each by default, are
started on a copy of the configuration; clients ask without a pause while one version is published,
tried, promoted, taken back, promoted again, and the other retired. Of several servers one is killed
in the middle, and one joins. Every answer must be 200 and come from a version that was right for
that client at that time.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from serving.traffic import BUCKETS, Traffic
from tests.support.servers import HOW_TO_SERVE, ROOT, ModelServer
from tests.webapp.server import FrontEnd
from webapp.inference.traffic_split import COOKIE

PERCENT = 10.0
# A server that is killed here stays away, and each command would wait for it.
PATIENCE_SECONDS = 3.0
SHIPPED = ROOT / "models" / "us_bills" / "1"
PHOTO = (ROOT / "webapp" / "static" / "samples" / "five.webp").read_bytes()
FLAGS = (*HOW_TO_SERVE, "--model_config_file_poll_wait_seconds=2")
# Steps through all buckets before one comes again, evenly at any time.
_STRIDE = 6_181


@dataclass
class Stage:
    """Two tiers on files of their own.

    Attributes:
        folder: holds `config/` and `models/`.
        candidate: the version to roll out, outside of the base path.
        servers: the model servers; of several, the last one is not running at the beginning.
        webapps: the front ends.
    """

    folder: Path
    candidate: Path
    servers: list[ModelServer] = field(default_factory=list)
    webapps: list[FrontEnd] = field(default_factory=list)

    @property
    def server(self) -> ModelServer:
        """The only model server, or the first."""
        return self.servers[0]

    @property
    def webapp(self) -> FrontEnd:
        """The only front end, or the first."""
        return self.webapps[0]

    @property
    def target(self) -> str:
        """The model servers, as front ends and rollouts are told of them."""
        return "grpc://" + ",".join(server.grpc_address for server in self.servers)

    @property
    def config(self) -> Path:
        """The `models.config` of this stage."""
        return self.folder / "config" / "models.config"

    def rollout(self, *arguments: str, capture: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs `python -m serving rollout` as a person would, and keeps or shows what it says."""
        where = [
            f"--config={self.config}",
            f"--models-root={self.folder / 'models'}",
            f"--server={self.target}",
            *(f"--webapp={webapp.url}" for webapp in self.webapps),
            f"--patience={PATIENCE_SECONDS:g}",
        ]
        return subprocess.run(  # noqa: S603
            [sys.executable, "-m", "serving", "rollout", *where, *arguments],
            cwd=ROOT,
            capture_output=capture,
            text=True,
            check=False,
        )

    def change_servers(self) -> None:
        """Kills one of several servers, and lets the last one join."""
        if len(self.servers) > 1:
            self.servers[-2].kill()
            self.servers[-1].launch()


@contextmanager
def stage(
    folder: Path,
    candidate: Path | None = None,
    stable: Path = SHIPPED,
    *,
    servers: int = 1,
    front_ends: int = 1,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Stage]:
    """Starts both tiers with one version.

    Args:
        folder: an empty folder.
        candidate: the version to roll out; by default the stable one with a note, so another one.
        stable: version 1.
        servers: how many model servers; beside several there is one more, which is started later.
        front_ends: how many front ends.
        settings: further settings of theirs, by the whole names of the variables.
    """
    shutil.copytree(stable, folder / "models/us_bills/1")
    if candidate is None:
        candidate = shutil.copytree(stable, folder / "candidate")
        (candidate / "assets.extra" / "note.txt").write_text("The same model once more.\n")
    made = Stage(folder, candidate)
    made.config.parent.mkdir()
    shutil.copy(ROOT / "serving/config/models.config", made.config)
    flags = [*FLAGS, f"--model_config_file={made.config}", f"--models_root={folder / 'models'}"]
    names = [str(number) for number in range(servers + (servers > 1))]
    made.servers = [ModelServer(folder / f"server{n}", flags, wait_for=["us_bills"]) for n in names]
    traffic = str(made.config.with_name("traffic.json"))
    settings = {"US_BILLS_TRAFFIC_FILE": traffic, **(settings or {})}
    with ExitStack() as stack:
        for server in made.servers[:servers]:
            stack.enter_context(server)
        for server in made.servers[servers:]:
            stack.callback(server.kill)
        for _ in range(front_ends):
            made.webapps.append(stack.enter_context(FrontEnd(made.target, **settings)))
            made.webapps[-1].wait_for("/readyz", 200)
        yield made


@dataclass(frozen=True)
class Epoch:
    """What may answer from a moment on: stable versions, and the canary if there is one."""

    start: float
    stable: frozenset[int]
    canary: int | None
    share: Traffic


class Load:
    """Clients that ask without a pause, each time as another person, one front end each."""

    def __init__(self, urls: Sequence[str], clients: int) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        self.shares: Counter[bool] = Counter()
        self.failures: list[str] = []
        self.wrong: list[str] = []
        self._epochs = [Epoch(0.0, frozenset({1}), None, Traffic())]
        self._people = itertools.count()
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._ask_all_the_time, args=(urls[n % len(urls)],))
            for n in range(clients)
        ]

    def start(self) -> None:
        """Lets the clients begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Waits for their last answers."""
        self._done.set()
        for thread in self._threads:
            thread.join()

    def expect(self, *stable: int, canary: int | None = None, percent: float = 0.0) -> None:
        """Says what may answer from now on; while a command runs, both before and after."""
        epoch = Epoch(time.monotonic(), frozenset(stable), canary, Traffic(canary, percent))
        with self._lock:
            self._epochs.append(epoch)

    def _ask_all_the_time(self, url: str) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not self._done.is_set():
                with self._lock:
                    person = next(self._people)
                self._ask(session, url, person)

    def _ask(self, session: requests.Session, url: str, person: int) -> None:
        bucket = person * _STRIDE % BUCKETS
        # Every tenth names a version, every tenth a label, whatever the trial would give them.
        query = {3: "?label=stable", 7: self._query_by_number()}.get(person % 10, "")
        session.cookies.clear()
        started = time.monotonic()
        try:
            reply = session.post(
                f"{url}/predict{query}",
                files={"image": PHOTO},
                cookies={COOKIE: str(bucket)},
                timeout=30,
            )
        except requests.RequestException as error:
            self.failures.append(f"{query or 'plain'}: {error}")
            return
        if reply.status_code != 200:
            self.failures.append(f"{query or 'plain'}: {reply.status_code} {reply.text[:200]}")
            return
        model = reply.json()["model"]
        with self._lock:
            self._judge(query, bucket, started, model["version"], model["label"])

    def _query_by_number(self) -> str:
        """A version that is sure to be loaded, so not one that is on its way out or in."""
        stable = self._epochs[-1].stable
        return f"?version={max(stable)}" if len(stable) == 1 else "?label=stable"

    def _judge(
        self, query: str, bucket: int, started: float, version: int, label: str | None
    ) -> None:
        later = [epoch.start for epoch in self._epochs[1:]] + [float("inf")]
        during = [e for e, end in zip(self._epochs, later, strict=True) if end >= started]
        self.answers[label or "by number", version] += 1
        if label == "canary":
            good = not query and any(e.canary == version and e.share.takes(bucket) for e in during)
        elif query.startswith("?version"):
            good = query == f"?version={version}"
        else:
            good = any(version in epoch.stable for epoch in during)
        if not good:
            self.wrong.append(f"{query or 'plain'} of {bucket}: {label} {version}")
        if len(during) == 1 and not query and during[0].share.percent == PERCENT:
            self.shares[label == "canary"] += 1


def sequence(deployment: Stage, load: Load, hold: float) -> list[tuple[str, float]]:
    """Does everything that the tool can do, while the load goes on.

    Args:
        deployment: the two tiers.
        load: the clients; told what to expect.
        hold: seconds between the commands; four times as long for the share of the canary.

    Returns:
        Each command and the seconds that it took.
    """
    took: list[tuple[str, float]] = []

    def do(*arguments: str) -> None:
        started = time.monotonic()
        done = deployment.rollout(*arguments)
        took.append((" ".join(arguments), time.monotonic() - started))
        if done.returncode != 0:
            raise RuntimeError(f"{arguments}: {done.stdout}{done.stderr}")

    def move(*arguments: str, before: int, after: int) -> None:
        load.expect(before, after, canary=2, percent=100)
        do(*arguments)
        load.expect(after)
        time.sleep(hold)

    time.sleep(hold)
    do("publish", str(deployment.candidate))
    load.expect(1, canary=2, percent=PERCENT)
    do("canary", "2", "--percent", f"{PERCENT:g}")
    load.shares.clear()
    time.sleep(2 * hold)
    deployment.change_servers()
    time.sleep(2 * hold)
    do("canary", "2", "--percent", f"{PERCENT:g}", "--shadow")
    time.sleep(hold)
    move("promote", "2", before=1, after=2)
    move("rollback", before=2, after=1)
    move("promote", "2", before=1, after=2)
    move("retire", "1", before=2, after=2)
    return took


def main() -> None:
    """Prints what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--servers", type=int, default=1, help="model servers")
    parser.add_argument("--front-ends", type=int, default=1)
    parser.add_argument("--hold", type=float, default=15.0, help="seconds between commands")
    parser.add_argument("--candidate", type=Path, help="the version to roll out")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        stage(
            Path(folder),
            options.candidate,
            servers=options.servers,
            front_ends=options.front_ends,
        ) as deployment,
    ):
        load = Load([webapp.url for webapp in deployment.webapps], options.clients)
        started = time.monotonic()
        load.start()
        try:
            took = sequence(deployment, load, options.hold)
        finally:
            load.stop()
        report(load, took, time.monotonic() - started)


def report(load: Load, took: list[tuple[str, float]], seconds: float) -> None:
    """Prints commands, answers by version, the canary's share, and all that went wrong."""
    for command, needed in took:
        sys.stdout.write(f"{needed:6.1f} s  {command}\n")
    total = sum(load.answers.values())
    sys.stdout.write(f"{total} answers in {seconds:.0f} s, {total / seconds:.1f}/s\n")
    for (label, version), count in sorted(load.answers.items()):
        sys.stdout.write(f"  {label} version {version}: {count}\n")
    asked = sum(load.shares.values())
    share = 100 * load.shares[True] / max(1, asked)
    sys.stdout.write(f"canary's share {share:.1f} % of {asked}, asked for {PERCENT:g} %\n")
    sys.stdout.write(f"failed requests: {len(load.failures)} {load.failures[:5]}\n")
    sys.stdout.write(f"wrong versions: {len(load.wrong)} {load.wrong[:5]}\n")


if __name__ == "__main__":
    main()
