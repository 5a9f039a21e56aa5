"""Loads a version in a process of its own and tries it: what fails here cannot hurt the server.

`python -m serving.rollout.checks.check FOLDER` prints one JSON object, and is started by
`validation`. It is the only part of the rollouts that imports TensorFlow, and loads as the local
model server does.
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
    parser.add_argument("--golden", type=Path, help="photos that it must answer rightly")
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

    What its kind must answer is asked for too, and no more rows are sent than its kind may refuse.

    Args:
        folder: the version.
        like: a version whose signatures it must have.
        golden: photos that it must answer rightly.
        allowed: operations to trust beyond the list of harmless ones.

    Returns:
        `growth_bytes` (by how much this process grew at most, or the size of the files where that
        is more) and `golden` (a few words).

    Raises:
        Refused: it loads, but must not serve.
        StatusError: it cannot be loaded, or a warm-up request fails.
    """
    with environment.native_stderr_silenced():
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
    require_contract(kind, servable.signatures, partial(predict, servable))
    require_guards(servable.signatures, partial(_run, servable), LARGEST_BATCH[kind])
    return {"growth_bytes": growth, "golden": _ask_golden(golden, servable)}


def _ask_golden(golden: Path | None, servable: Servable) -> str:
    if golden is None:
        return "no golden photos"
    if BYTES_SIGNATURE not in servable.signatures:
        return NO_GOLDEN
    from serving.local.inference.predict import predict

    return judge(Golden(golden), lambda photos: predict(servable, BYTES_SIGNATURE, {PHOTO: photos}))


def _run(servable: Servable, name: str, inputs: Mapping[str, Array]) -> None:
    """Runs a signature's graph as it is: the local server would compare the shapes first."""
    signature = servable.signatures[name]
    feeds = {signature.inputs[alias].name: value for alias, value in inputs.items()}
    servable.run(feeds, [output.name for output in signature.outputs.values()])


def require_same_contract(
    candidate: Mapping[str, pb.SignatureDef], stable: Mapping[str, pb.SignatureDef]
) -> None:
    """Compares what clients see of two versions; the number of classes may differ.

    Raises:
        Refused: names what the candidate lacks or does in another way.
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
    """Inputs with dtype and shape, outputs with dtype and rank."""
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
    """The signatures as the file tells them; the version need not be loaded for that."""
    from serving.local.runtime.saved_model import read_graph, signatures_of

    return signatures_of(read_graph(folder / "saved_model.pb"))


def _begin_peak() -> int:
    """Bytes that this process has now; where the system lets it, its peak begins anew here."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak_bytes()


def _peak_bytes() -> int:
    """The most memory that this process has had; Linux counts it in kB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    # What it measures is what the server will need.
    allocator.preload()
    main(sys.argv[1:])
