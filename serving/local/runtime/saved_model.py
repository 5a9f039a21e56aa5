"""One loaded SavedModel: read from disk, restored, and run.

The steps that the original's `loader.cc` takes after the graph's import are session runs here.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow.python.framework import errors
from tensorflow.python.lib.io._pywrap_record_io import RecordIterator

from serving.local.deadline import NO_DEADLINE, Deadline
from serving.local.errors import Code, StatusError, failed_precondition, not_found
from serving.local.runtime import allocator, environment
from serving.local.runtime.session import Session, start_threads
from serving.local.threads import DEFAULT_PARALLELISM, Parallelism
from serving.wire import messages_pb2 as pb
from serving.wire.tensors import MAX_RANK, Array
from serving.wire.truncation import is_truncated

SERVE = "serve"
VARIABLE_OPS = frozenset({"VarHandleOp", "VariableV2", "Variable", "VarHandlesOp"})

# The signature that names the operation to run after the variables are restored; older SavedModels
# name the operation, and their asset files, in collections.
_INIT_OP = "__saved_model_init_op"
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
_ASSETS_COLLECTION = "saved_model_assets"
_NO_ARRAY = "Could not allocate ndarray"
_TOO_MANY_DIMENSIONS = (
    f"An output has more than {MAX_RANK} dimensions, or no room: this server cannot take it over."
)


def start_runtime(parallelism: Parallelism = DEFAULT_PARALLELISM) -> None:
    """Starts TensorFlow, before the first version; all versions share its threads."""
    environment.apply_log_level()
    allocator.share_arenas()
    start_threads(parallelism)
    # Imported modules stay; later garbage collections need not visit them.
    gc.freeze()


class Servable(Protocol):
    """A loaded version. Thread-safe."""

    signatures: Mapping[str, pb.SignatureDef]

    def run(
        self, feeds: Mapping[str, Array], fetches: Sequence[str], deadline: Deadline = NO_DEADLINE
    ) -> list[Array]:
        """Runs the graph once; see `SavedModel.run`."""

    def close(self) -> None:
        """Frees the version's memory. No run may be in progress or follow."""


class SavedModel:
    """A SavedModel of TensorFlow."""

    def __init__(self, path: Path, *, bfloat16: bool = False) -> None:
        """Loads a directory; raises `StatusError` if it is not a complete SavedModel."""
        meta_graph = read_complete(path)
        try:
            self._session = Session(meta_graph.graph_def, bfloat16=bfloat16)
        except Exception as error:
            raise _status_error(error) from error
        try:
            _restore(self._session, meta_graph, path)
        except Exception as error:
            self._session.close()
            raise _status_error(error) from error
        self.signatures: Mapping[str, pb.SignatureDef] = signatures_of(meta_graph)

    def run(
        self, feeds: Mapping[str, Array], fetches: Sequence[str], deadline: Deadline = NO_DEADLINE
    ) -> list[Array]:
        """Runs the graph once; a run that has begun ignores cancellation.

        `feeds` are values by tensor name (`serving_default_x:0`), `fetches` tensor names in the
        order of the results. TensorFlow keeps a compiled graph, tens of megabytes, for each set of
        fetches: use few sets. Wrappers of this class check before a run whether the client has
        disconnected. Raises `StatusError` with TensorFlow's text for any error of the graph.
        """
        try:
            values = self._session.run(feeds, fetches, timeout_ms=deadline.milliseconds_left())
        except Exception as error:
            raise _status_error(error) from error
        return [_as_array(value) for value in values]

    def close(self) -> None:
        """Frees variables and graph, and returns their memory to the system."""
        self._session.close()
        del self._session
        allocator.return_freed()


def _restore(session: Session, meta_graph: Any, path: Path) -> None:
    """Restores the variables, then runs the model's initialization, such as that of tables."""
    assets = {name: _text(path / "assets" / file) for name, file in _assets(meta_graph)}
    if (path / "variables" / "variables.index").is_file():
        saver = meta_graph.saver_def
        files = {saver.filename_tensor_name: _text(path / "variables" / "variables")}
        session.run(files | assets, targets=[saver.restore_op_name])
    init_op = _init_op(meta_graph, path)
    if init_op:
        session.run(assets, targets=[init_op])


def _text(path: Path) -> Array:
    return np.array(os.fsencode(path), np.object_)


def _assets(meta_graph: Any) -> Iterator[tuple[str, str]]:
    """Yields the tensors that take the path of an asset file, each with the file's name."""
    files = list(meta_graph.asset_file_def)
    if not files and _ASSETS_COLLECTION in meta_graph.collection_def:
        packed = meta_graph.collection_def[_ASSETS_COLLECTION].any_list.value
        files = [meta_graph_pb2.AssetFileDef.FromString(each.value) for each in packed]
    for file in files:
        yield file.tensor_info.name, file.filename


def _init_op(meta_graph: Any, path: Path) -> str:
    """Returns the initialization operation's name, if any; error texts are of `loader_util.cc`."""
    if _INIT_OP in meta_graph.signature_def:
        outputs = meta_graph.signature_def[_INIT_OP].outputs
        if _INIT_OP not in outputs:
            raise failed_precondition(f"Could not find output {_INIT_OP}")
        return str(outputs[_INIT_OP].name.partition(":")[0])
    for collection in _INIT_COLLECTIONS:
        if collection in meta_graph.collection_def:
            names = meta_graph.collection_def[collection].node_list.value
            if len(names) != 1:
                raise failed_precondition(f"Expected exactly one main op in : {path}")
            return str(names[0].partition(":")[0])
    return ""


def signatures_of(meta_graph: Any) -> dict[str, pb.SignatureDef]:
    """Translates TensorFlow's messages into ours; the bytes are the same."""
    return {
        name: pb.SignatureDef.FromString(signature.SerializeToString())
        for name, signature in meta_graph.signature_def.items()
    }


def _as_array(value: Any) -> Array:
    # A single string comes as `bytes`, of which numpy's own type would drop zero bytes at the end.
    return np.array(value, np.object_) if isinstance(value, bytes) else np.asarray(value)


def read_complete(path: Path) -> Any:
    """Reads the graph of a directory, and refuses an incomplete model.

    The original loads a model whose `variables/` is missing and lets it replace a good one
    (recorded case 617_novars). A half-copied version would do the same, so it is refused here.
    """
    if not path.is_dir():
        raise failed_precondition(f"{path}; Not a directory")
    require_own_files(path)
    file = path / "saved_model.pb"
    if not file.is_file():
        raise not_found(f"No SavedModel at {path}: it should have a file `saved_model.pb`.")
    meta_graph = read_graph(file)
    if _has_variables(meta_graph) and not (path / "variables" / "variables.index").is_file():
        raise not_found(f"Variables of the model are missing: {path}/variables/variables.index")
    return meta_graph


def require_own_files(version: Path) -> None:
    """Refuses a version with links to outside its folder; the folder itself may be a link.

    `StatusError` names the first such link, or the first path that is neither file nor folder.
    """
    folder = version.resolve()
    for path in sorted(folder.rglob("*")):
        target = Path(os.path.realpath(path))  # `resolve` would raise for a circle of links.
        if not target.is_relative_to(folder):
            raise failed_precondition(f"{path} is a link to {target}, outside the version.")
        if not (path.is_file() or path.is_dir()):
            raise failed_precondition(f"{path} is neither a file nor a folder.")


def read_graph(file: Path) -> Any:
    """Returns the graph to serve, with its signatures; `StatusError` if the file has none."""
    saved_model = saved_model_pb2.SavedModel()
    data = file.read_bytes()
    try:
        saved_model.ParseFromString(data)
    except Exception as error:
        if is_truncated(data):
            raise StatusError(Code.OUT_OF_RANGE, "Read less bytes than requested") from error
        raise StatusError(Code.DATA_LOSS, f"Can't parse {file} as binary proto") from error
    for meta_graph in saved_model.meta_graphs:
        if set(meta_graph.meta_info_def.tags) == {SERVE}:
            return meta_graph
    raise not_found(
        f"Could not find meta graph def matching supplied tags: {{ {SERVE} }}. To inspect "
        "available tag-sets in the SavedModel, please use the SavedModel CLI: `saved_model_cli`"
    )


def records(file: Path) -> Iterator[bytes]:
    """Yields a TFRecord file's records; ignores trailing bytes that are shorter than a header.

    Raises `StatusError` if the file is damaged (`DATA_LOSS`) or cannot be read.
    """
    try:
        yield from RecordIterator(str(file), "")
    except errors.OpError as error:
        raise StatusError(Code(error.error_code), f"{error.message}, reading {file}") from error


def _has_variables(meta_graph: Any) -> bool:
    graph = meta_graph.graph_def
    functions = (node for function in graph.library.function for node in function.node_def)
    return any(node.op in VARIABLE_OPS for nodes in (graph.node, functions) for node in nodes)


def _status_error(error: Exception) -> StatusError:
    if isinstance(error, errors.OpError):
        if error.message == _NO_ARRAY:
            return StatusError(Code.UNIMPLEMENTED, _TOO_MANY_DIMENSIONS)
        return StatusError(Code(error.error_code), error.message)
    if isinstance(error, UnicodeDecodeError):
        # TensorFlow's text quotes bytes of the request that are not UTF-8; its code is lost.
        return StatusError(Code.INVALID_ARGUMENT, error.object.decode("utf-8", "replace"))
    if isinstance(error, (TypeError, ValueError)):
        return StatusError(Code.INVALID_ARGUMENT, str(error))
    return StatusError.of(error)
