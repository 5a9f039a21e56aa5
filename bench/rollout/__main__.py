"""Rolls a version out under load and counts failed requests and answers of wrong versions.

Run it as `python -m bench.rollout`, or with `--servers 3 --front-ends 2`; `--containers` runs all
as containers. It takes about three minutes. It exits with status 1 if any request failed or a wrong
version answered, 2 if it cannot run. Model servers and front ends, one of each by default, run on a
copy of the configuration. Clients send requests without a pause while version 2 is published,
tried, promoted, rolled back and promoted again, and version 1 is retired. With several servers, one
is killed midway and another joins. Every answer must be 200 and come from a version that was right
for that client at that time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path

from bench.rollout.clients import PERCENT, Load
from bench.rollout.local import Deployment, local_deployment


def sequence(deployment: Deployment, load: Load, hold: float) -> list[tuple[str, float]]:
    """Runs all steps of the rollout while the load goes on.

    Args:
        deployment: the two tiers.
        load: the clients; the versions that they expect are updated.
        hold: seconds between the commands; the canary's share is measured four times as long.

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


def main() -> int:
    """Prints the results; returns 1 if a request failed or a wrong version answered."""
    parser = argparse.ArgumentParser("python -m bench.rollout", description=__doc__)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--servers", type=int, default=1, help="number of model servers")
    parser.add_argument("--front-ends", type=int, default=1)
    parser.add_argument("--hold", type=float, default=15.0, help="seconds between commands")
    parser.add_argument("--candidate", type=Path, help="folder of the version to roll out")
    parser.add_argument("--containers", action="store_true", help="run in containers")
    options = parser.parse_args()
    for name in ("clients", "servers", "front_ends"):
        if (count := getattr(options, name)) < 1:
            parser.error(f"expected at least 1 of --{name.replace('_', '-')}, received {count}")
    with tempfile.TemporaryDirectory() as folder, _started(options, Path(folder)) as deployment:
        load = Load(deployment.urls, options.clients)
        started = time.monotonic()
        load.start()
        try:
            took = sequence(deployment, load, options.hold)
        finally:
            load.stop()
        report(load, took, time.monotonic() - started)
        return 1 if load.failures or load.wrong else 0


def _started(options: argparse.Namespace, folder: Path) -> AbstractContextManager[Deployment]:
    many = {"servers": options.servers, "front_ends": options.front_ends}
    if not options.containers:
        return local_deployment(folder, options.candidate, **many)
    # Imports packages of Docker and of the tests, which a run with processes does not need.
    from bench.rollout.composed import composed_of_built_images

    return composed_of_built_images(folder, options.candidate, **many)


def report(load: Load, took: list[tuple[str, float]], seconds: float) -> None:
    """Prints commands, answers by version, the canary's share, and all errors."""
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
    sys.exit(main())
