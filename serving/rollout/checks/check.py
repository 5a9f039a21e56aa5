"""Loads and tries a version in a separate process, where a failure cannot hurt the server.

`validation` starts it as `python -m serving.rollout.checks.check FOLDER`; it prints one JSON
object. It is the only part of the rollouts that imports TensorFlow, and it loads a version in the
same way as the local model server.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.local.errors import StatusError
from serving.local.runtime import allocator, environment
from serving.rollout.checks.contract import LARGEST_BATCH, require_contract
from serving.rollout.checks.golden_set import BYTES_SIGNATURE, NO_GOLDEN, PHOTO, Golden, judge
from serving.rollout.checks.guards import require_guards
from serving.rollout.checks.operations import require_allowed
from serving.rollout.errors import Refused
from serving.rollout.state.card import kind_of
from serving.rollout.state.disk import size_of
from serving.wire import messages_pb2 as pb

if TYPE_CHECKING:
    from serving.local.runtime.saved_model import Servable
    from serving.wire.tensors import Array

_OWN = "__saved_model"


def main(arguments: list[str]) -> None:
    """Checks a version and prints the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--like", type=Path, help="a version whose signatures it must have")
    parser.add_argument("--golden", type=Path, help="photos that it must answer correctly")
    parser.add_argument("--allow-op", action="append", default=[], help="an operation to trust")
    options = parser.parse_args(arguments)
    environment.prepare_environment()
    environment.leave_out_python_api()
    try:
        found = check(options.folder, options.like, options.golden, options.allow_op)
    except (Refused, StatusError) as error:
        found = {"error": str(getattr(error, "message", error))}
    sys.stdout.write(json.dumps(found) + "\n")


def check(
    folder: Path, like: Path | None, golden: Path | None, allowed: Sequence[str] = ()
) -> dict[str, Any]:
    """Loads a version, replays its warm-up requests, compares signatures, sends wrong tensors.

    Also checks what its kind of model must have: the outputs, and the limit on the batch size.

    Args:
        folder: the version.
        like: a version whose signatures it must have.
        golden: photos that it must answer correctly.
        allowed: operations to trust in addition to the list of harmless ones.

    Returns:
        `growth_bytes` (peak memory growth of this process, or the size of the files if that is
        larger) and `golden` (a short text about the golden photos).

    Raises:
        Refused: the version must not serve.
        StatusError: the version cannot be loaded, or a warm-up request fails.
    """
    with environment.native_stderr_silenced():
        from serving.local.inference.dataplane import Served
        from serving.local.inference.loader import SavedModelLoader
        from serving.local.inference.predict import predict
        from serving.local.runtime.saved_model import read_complete, start_runtime

        require_allowed(read_complete(folder), allowed)
        start_runtime()
        before = _begin_peak()
        servable = SavedModelLoader()(folder)
        growth = max(_peak_bytes() - before, size_of(folder))
    if like is not None:
        require_same_contract(servable.signatures, _signatures_of(like))
    kind = kind_of(folder)
    require_contract(kind, servable.signatures, partial(predict, Served(servable)))
    require_guards(servable.signatures, partial(_run, servable), LARGEST_BATCH[kind])
    return {"growth_bytes": growth, "golden": _ask_golden(golden, servable)}


def _ask_golden(golden: Path | None, servable: Servable) -> str:
    if golden is None:
        return "no golden photos"
    if BYTES_SIGNATURE not in servable.signatures:
        return NO_GOLDEN
    from serving.local.inference.dataplane import Served
    from serving.local.inference.predict import predict

    served = Served(servable)
    return judge(Golden(golden), lambda photos: predict(served, BYTES_SIGNATURE, {PHOTO: photos}))


def _run(servable: Servable, name: str, inputs: Mapping[str, Array]) -> None:
    """Runs a signature's graph without the shape checks that the local server does first."""
    signature = servable.signatures[name]
    feeds = {signature.inputs[alias].name: value for alias, value in inputs.items()}
    servable.run(feeds, [output.name for output in signature.outputs.values()])


def require_same_contract(
    candidate: Mapping[str, pb.SignatureDef], stable: Mapping[str, pb.SignatureDef]
) -> None:
    """Compares the signatures of two versions; the number of classes may differ.

    Raises:
        Refused: names the signature that is missing or different.
    """
    for name, signature in stable.items():
        if name.startswith(_OWN):
            continue
        if name not in candidate:
            raise Refused(f"The signature {name} is missing. It has: {', '.join(candidate)}.")
        wanted, got = _contract(signature), _contract(candidate[name])
        if wanted != got:
            raise Refused(f"The signature {name} differs. Expected {wanted}. Received {got}.")


def _contract(signature: pb.SignatureDef) -> dict[str, str]:
    """Returns inputs with dtype and shape, and outputs with dtype and rank."""
    inputs = {
        f"input {name}": f"{pb.DataType.Name(info.dtype)} {[d.size for d in info.tensor_shape.dim]}"
        for name, info in sorted(signature.inputs.items())
    }
    outputs = {
        f"output {name}": f"{pb.DataType.Name(info.dtype)} rank {len(info.tensor_shape.dim)}"
        for name, info in sorted(signature.outputs.items())
    }
    return inputs | outputs


def _signatures_of(folder: Path) -> dict[str, pb.SignatureDef]:
    """Reads the signatures from a version's file, without loading the version."""
    from serving.local.runtime.saved_model import read_graph, signatures_of

    return signatures_of(read_graph(folder / "saved_model.pb"))


def _begin_peak() -> int:
    """Resets this process's peak memory, if the system allows it; returns the peak in bytes."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak_bytes()


def _peak_bytes() -> int:
    """Returns the peak memory of this process in bytes; Linux reports kB, macOS bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    # With the server's allocator, the measured memory is what the server will need.
    allocator.preload()
    main(sys.argv[1:])
