"""Checks that a version is fit to serve: in a fresh process, then on the server next to stable."""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.client import ServingError
from serving.rollout.checks.golden_set import BYTES_SIGNATURE, NO_GOLDEN, PHOTO, Golden, judge
from serving.rollout.checks.sandbox import is_available, sandboxed
from serving.rollout.errors import Refused
from serving.rollout.remote.parallel import ask_all
from serving.rollout.remote.server import ModelServer
from serving.rollout.state.deployment import Check, Deployment
from serving.rollout.state.disk import digest_of, require_regular
from serving.wire.methods import DEFAULT_SIGNATURE

if TYPE_CHECKING:
    from serving.wire.tensors import Array

_CHECK_SECONDS = 300.0
_ROUNDS = 15
# Under load the median of one run may be off by half: a version that seems too slow is timed in
# more runs, and judged by the median of all of them.
_TIMES = 4
# A smaller difference means nothing: two runs of one version differ by as much.
_NOTICEABLE_SECONDS = 0.005


def check_files(deployment: Deployment, folder: Path, title: str) -> Check:
    """Checks a version in a fresh process, unless this process has already checked the same files.

    Checks in the history do not count: they may be of other golden photos and another stable
    version, and another user may have written to the history file.

    Args:
        deployment: its stable version has the signatures that the version must have.
        folder: the version, published or not.
        title: the command, for the history.

    Returns:
        The memory that the version needs, and the result for the golden photos.

    Raises:
        Refused: the version must not serve; the message says why.
    """
    require_regular(folder)
    digest = digest_of(folder)
    if digest in deployment.checks:
        return deployment.checks[digest]
    found = _in_fresh_process(deployment, folder)
    if "error" in found:
        raise Refused(str(found["error"]))
    how = {"sandboxed": _is_sandboxed(deployment), **_trusted(deployment)}
    deployment.history.note(title, "checked", checked=digest, **found, **how)
    golden = str(found["golden"]) if deployment.golden is not None else ""
    deployment.checks[digest] = Check(int(found["growth_bytes"]), golden)
    return deployment.checks[digest]


def _stable_folder(deployment: Deployment) -> Path | None:
    stable = deployment.layout().stable
    return deployment.store.versions().get(stable) if stable is not None else None


def _trusted(deployment: Deployment) -> dict[str, Any]:
    trusted = sorted(deployment.allowed_operations)
    return {"allowed_operations": trusted} if trusted else {}


def _is_sandboxed(deployment: Deployment) -> bool:
    """Says whether the sandbox is used; operations trusted by name may need access outside it."""
    return is_available() and not deployment.allowed_operations


def _in_fresh_process(deployment: Deployment, folder: Path) -> dict[str, Any]:
    like, golden = _stable_folder(deployment), deployment.golden
    command = [sys.executable, "-m", "serving.rollout.checks.check", str(folder)]
    command += ["--like", str(like)] if like else []
    command += ["--golden", str(golden)] if golden else []
    command += [f"--allow-op={name}" for name in deployment.allowed_operations]
    if _is_sandboxed(deployment):
        command = sandboxed(command, [path for path in (folder, like, golden) if path])
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=False, timeout=_CHECK_SECONDS
        )
    except subprocess.TimeoutExpired:
        return {"error": f"Loading took longer than {_CHECK_SECONDS:g} s."}
    if done.returncode != 0 or not done.stdout:
        return {"error": _how_it_ended(done)}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _how_it_ended(done: subprocess.CompletedProcess[str]) -> str:
    last = (done.stderr.strip().splitlines() or ["no word"])[-1]
    # Like a shell, bubblewrap reports a signal as exit status 128 plus the signal's number.
    number = done.returncode - 128 if done.returncode > 128 else -done.returncode
    if number > 0:
        name = signal.Signals(number).name
        return (
            f"The process that loaded it and sent it wrong tensors was ended by {name}, as a model"
            f" server would be: {last}"
        )
    return f"The process that loaded it ended with {done.returncode}: {last}"


def compare_on_server(deployment: Deployment, version: int, largest_ratio: float) -> str:
    """Sends the golden photos to a loaded version, and compares its latency with stable's.

    Every server with the version gets the photos, since each has read the files itself. Only the
    first of these servers is timed.

    Returns:
        A short text about the result.

    Raises:
        Refused: a photo is answered wrongly, or the version is slower than allowed.
        ServingError: a server cannot be asked.
    """
    said = []
    servers = deployment.server.serving(version)
    if not servers:
        raise Refused(f"Version {version} does not serve any more.")
    if deployment.golden is not None:
        takes_photos = BYTES_SIGNATURE in servers[0].signatures(version)
        golden = deployment.golden
        said += _ask_golden(Golden(golden), servers, version) if takes_photos else [NO_GOLDEN]
    stable = deployment.layout().stable
    if stable is not None and stable != version:
        said.append(_compare_latency(servers[0], version, stable, largest_ratio))
    return ", ".join(said)


def _ask_golden(golden: Golden, servers: Sequence[ModelServer], version: int) -> list[str]:
    """Asks all servers in parallel, and returns their distinct results, most often just one."""

    def ask(server: ModelServer) -> str:
        try:
            return judge(
                golden,
                lambda photos: server.predict(version, {PHOTO: photos}, BYTES_SIGNATURE).outputs,
            )
        except Refused as error:
            where = f" On {server.url}." if len(servers) > 1 else ""
            raise Refused(f"{error}{where}") from error

    found = ask_all(ask, servers).values()
    for answer in found:
        if isinstance(answer, ServingError):
            raise answer
    return list(dict.fromkeys(map(str, found)))


def _compare_latency(server: ModelServer, version: int, stable: int, largest_ratio: float) -> str:
    """Compares the medians of both versions, timed in turn so that other load affects both."""
    if DEFAULT_SIGNATURE not in server.signatures(version):
        return f"no signature {DEFAULT_SIGNATURE} to time"
    inputs = server.zeros(version)
    took: dict[int, list[float]] = {version: [], stable: []}
    for _ in range(_TIMES):
        for number in _ROUNDS * (version, stable):
            took[number].append(_seconds(server, number, inputs))
        new, old = statistics.median(took[version]), statistics.median(took[stable])
        words = f"{1000 * new:.1f} ms a request, stable {1000 * old:.1f} ms"
        if new <= largest_ratio * old or new - old <= _NOTICEABLE_SECONDS:
            return words
    raise Refused(f"It is too slow: {words}; at most {largest_ratio:g} times as long.")


def _seconds(server: ModelServer, version: int, inputs: dict[str, Array]) -> float:
    started = time.perf_counter()
    try:
        server.predict(version, inputs)
    except ServingError as error:
        raise Refused(f"Version {version} failed a request: {error}") from error
    return time.perf_counter() - started
