"""Measures the cost of the guards in a version's graph: `python -m bench.guards`.

A version is loaded unchanged and without its guards into one process, and `serving_default` of both
is called in turn in the local server's session. Both are reloaded several times, because the memory
addresses of their constants may change the time of a call by more than the guards do.
"""

from __future__ import annotations

import argparse
import math
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.photos import MEGAPIXEL, jpeg
from serving.local.runtime import allocator, environment
from serving.wire.methods import DEFAULT_SIGNATURE
from training.flags import whole
from webapp.imaging.preprocessing import IMAGE_SIZE, letterboxed, open_upright, to_tensor

LOADS = 6
_STUDENT = 2.571
"""Student's t for 95 % and `LOADS` - 1 degrees of freedom."""
_VERSIONS = [Path("models/us_bills/1"), Path("models/us_bills_count/1")]

Call = Callable[[], object]
Seconds = np.ndarray[Any, np.dtype[np.float64]]


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.guards", description=__doc__)
    parser.add_argument("versions", nargs="*", type=Path, default=_VERSIONS, help="version folders")
    parser.add_argument(
        "--rounds", type=partial(whole, least=1), default=100, help="calls of both per load"
    )
    parser.add_argument("--bfloat16", action="store_true", help="compute in bfloat16")
    options = parser.parse_args()
    environment.prepare_environment()
    environment.leave_out_python_api()
    from serving.local.runtime.saved_model import start_runtime
    from serving.local.threads import Parallelism

    start_runtime(Parallelism(intra_op=1))
    for version in options.versions:
        print(f"{version}: {measure(version, options)}", flush=True)  # noqa: T201


def measure(version: Path, options: argparse.Namespace) -> str:
    """Returns a line: a call's time without guards, and the ratio of the time with guards to it."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        bare = without_guards(version, Path(folder))
        for load in range(LOADS):
            with ExitStack() as loaded:
                order = (version, bare) if load % 2 else (bare, version)
                calls = {path: _load(path, options.bfloat16, loaded) for path in order}
                found.append(_medians((calls[version], calls[bare]), options.rounds))
    return _describe(np.array(found))


def without_guards(version: Path, folder: Path) -> Path:
    """Writes a copy of a version to a folder, without the shape assertions of its signatures.

    Raises:
        ValueError: A signature of the version has no guard, see `training.export.guards`.
    """
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    twin = Path(shutil.copytree(version, folder / "bare"))
    file = twin / "saved_model.pb"
    model = SavedModel.FromString(file.read_bytes())
    meta_graph = model.meta_graphs[0]
    cut = [_cut_guard(function) for function in meta_graph.graph_def.library.function]
    asked = [name for name in meta_graph.signature_def if not name.startswith("__")]
    if sum(cut) != len(asked):
        raise ValueError(f"Expected a guard for each of {asked}. Found {sum(cut)}.")
    file.write_bytes(model.SerializeToString())
    return twin


def _cut_guard(function: Any) -> bool:
    """Removes a signature function's assertion; nodes that only the assertion needs do not run."""
    if not any(node.op == "PlaceholderWithDefault" for node in function.node_def):
        return False
    guards = [node for node in function.node_def if node.op == "Assert"]
    for guard in guards:
        function.node_def.remove(guard)
        for node in function.node_def:
            node.input[:] = [name for name in node.input if name != f"^{guard.name}"]
        for name in [name for name, node in function.control_ret.items() if node == guard.name]:
            del function.control_ret[name]
            function.signature.control_output.remove(name)
    return bool(guards)


def _load(version: Path, bfloat16: bool, loaded: ExitStack) -> Call:
    """Loads a version and returns its call, after two calls to warm up."""
    from serving.local.runtime.saved_model import SavedModel

    model = SavedModel(version, bfloat16=bfloat16)
    loaded.callback(model.close)
    signature = model.signatures[DEFAULT_SIGNATURE]
    (image,) = signature.inputs.values()
    photo = open_upright(jpeg(MEGAPIXEL))
    small = to_tensor if image.tensor_shape.dim[1].size == IMAGE_SIZE else letterboxed
    fetches = sorted(output.name for output in signature.outputs.values())
    call = partial(model.run, {image.name: np.array(small(photo))[None]}, fetches)
    call()
    call()
    return call


def _medians(calls: tuple[Call, Call], rounds: int) -> Seconds:
    """Calls both in turn; returns seconds, float64 [2 calls, 2 clocks]: wall, then processor."""
    took = np.empty((rounds, 2, 2))
    for number in range(rounds):
        for place in (0, 1) if number % 2 else (1, 0):
            before = time.perf_counter(), time.process_time()
            calls[place]()
            took[number, place] = time.perf_counter() - before[0], time.process_time() - before[1]
    return np.array(np.median(took, 0))


def _describe(medians: Seconds) -> str:
    """Describes float64 [loads, 2 calls, 2 clocks]: medians, and mean ratios over the loads."""
    bare = 1e3 * np.median(medians[:, 1], 0)
    logs = np.log(medians[:, 0] / medians[:, 1])
    mean, half = logs.mean(0), _STUDENT * logs.std(0, ddof=1) / math.sqrt(len(logs))
    ratios = np.exp([mean, mean - half, mean + half]).T
    wall, processor = (f"{ratio:.4f} ({low:.4f} to {high:.4f})" for ratio, low, high in ratios)
    return f"{bare[0]:.2f} ms bare, ratio {wall}; processor {bare[1]:.2f} ms, ratio {processor}"


if __name__ == "__main__":
    allocator.preload()
    main()
