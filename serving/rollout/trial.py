"""Is a version fit to serve? Tried on disk in a fresh process, then on the server beside stable."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.client import ServingError
from serving.rollout.disk import digest_of
from serving.rollout.errors import Refused
from serving.rollout.golden import BYTES_SIGNATURE, PHOTO, Golden, judge
from serving.rollout.history import Check
from serving.rollout.site import Site
from serving.wire.methods import DEFAULT_SIGNATURE

if TYPE_CHECKING:
    from serving.wire.tensors import Array

_CHECK_SECONDS = 300.0
_ROUNDS = 15
# Under load the median of one run may be off by half: what looks too slow is asked on, and judged
# by all its answers.
_TIMES = 4
# Below this a ratio says nothing: two runs of one version differ by as much.
_NOTICEABLE_SECONDS = 0.005


def check_files(site: Site, folder: Path, title: str) -> Check:
    """Loads a version in a fresh process, unless the same files have passed already.

    Args:
        site: whose stable version tells what the signatures must be.
        folder: the version, published or not.
        title: the command, for the history.

    Returns:
        What it takes to hold the version in memory.

    Raises:
        Refused: it must not serve, and why.
    """
    digest = digest_of(folder)
    known = site.history.check_of(digest)
    if known is not None:
        return known
    found = _in_fresh_process(folder, _stable_folder(site), site.golden)
    if "error" in found:
        raise Refused(str(found["error"]))
    site.history.note(title, "checked", checked=digest, **found)
    return Check(int(found["growth_bytes"]))


def _stable_folder(site: Site) -> Path | None:
    stable = site.layout().stable
    return site.store.versions().get(stable) if stable is not None else None


def _in_fresh_process(folder: Path, like: Path | None, golden: Path | None) -> dict[str, Any]:
    command = [sys.executable, "-m", "serving.rollout.check", str(folder)]
    command += ["--like", str(like)] if like else []
    command += ["--golden", str(golden)] if golden else []
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=False, timeout=_CHECK_SECONDS
        )
    except subprocess.TimeoutExpired:
        return {"error": f"Loading took longer than {_CHECK_SECONDS:g} s."}
    if done.returncode != 0 or not done.stdout:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        return {"error": f"The process that loaded it ended with {done.returncode}: {last}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare_on_server(site: Site, version: int, largest_ratio: float) -> str:
    """Asks a loaded version about the golden photos, and times it against stable.

    Returns:
        A few words.

    Raises:
        Refused: a photo is answered wrongly, or it is slower than allowed.
        ServingError: the server cannot be asked.
    """
    said = []
    if site.golden is not None and _reads_bytes(site, version):
        said.append(_ask_golden(site, Golden(site.golden), version))
    stable = site.layout().stable
    if stable is not None and stable != version:
        said.append(_compare_latency(site, version, stable, largest_ratio))
    return ", ".join(said)


def _reads_bytes(site: Site, version: int) -> bool:
    return BYTES_SIGNATURE in site.server.signatures(version)


def _ask_golden(site: Site, golden: Golden, version: int) -> str:
    return judge(
        golden,
        lambda photos: site.server.predict(version, {PHOTO: photos}, BYTES_SIGNATURE).outputs,
    )


def _compare_latency(site: Site, version: int, stable: int, largest_ratio: float) -> str:
    """Medians of both, asked in turn, so that whatever else the machine does falls on both."""
    if DEFAULT_SIGNATURE not in site.server.signatures(version):
        return f"no signature {DEFAULT_SIGNATURE} to time"
    inputs = site.server.zeros(version)
    took: dict[int, list[float]] = {version: [], stable: []}
    for _ in range(_TIMES):
        for number in _ROUNDS * (version, stable):
            took[number].append(_seconds(site, number, inputs))
        new, old = statistics.median(took[version]), statistics.median(took[stable])
        words = f"{1000 * new:.1f} ms a request, stable {1000 * old:.1f} ms"
        if new <= largest_ratio * old or new - old <= _NOTICEABLE_SECONDS:
            return words
    raise Refused(f"It is too slow: {words}; at most {largest_ratio:g} times as long.")


def _seconds(site: Site, version: int, inputs: dict[str, Array]) -> float:
    started = time.perf_counter()
    try:
        site.server.predict(version, inputs)
    except ServingError as error:
        raise Refused(f"Version {version} failed a request: {error}") from error
    return time.perf_counter() - started
