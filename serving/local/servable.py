"""One loaded SavedModel: the only module that calls TensorFlow, but for the reading of records.

The model runs through a session's C interface, the path that TensorFlow Serving takes too, so
values, shapes and error texts are those of the original; Python's own shape checks, which it does
not have, are not in the way (recorded cases 056, 113, 115).
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, saved_model_pb2
from tensorflow.python.client import pywrap_tf_session

from serving.local import memory
from serving.local.cores import DEFAULT_PARALLELISM, Parallelism
from serving.local.errors import Code, StatusError, not_found
from serving.local.storage import is_truncated
from serving.wire import messages_pb2 as pb
from serving.wire.tensors import MAX_RANK, Array

SERVE = "serve"
VARIABLE_OPS = frozenset({"VarHandleOp", "VariableV2", "Variable", "VarHandlesOp"})

_NO_ARRAY = "Could not allocate ndarray"
_TOO_MANY_DIMENSIONS = (
    f"An output has more than {MAX_RANK} dimensions, or no room: this server cannot take it over."
)

# The loader tells its callers to move to TensorFlow 2's loader, which has no such run path.
logging.getLogger("tensorflow").setLevel(logging.ERROR)


def start_runtime(parallelism: Parallelism = DEFAULT_PARALLELISM) -> None:
    """Starts TensorFlow's threads, and has it print now what it prints on its first run."""
    memory.share_arenas()
    with tf.Graph().as_default() as graph:
        nothing = tf.constant(0)
    with tf.compat.v1.Session(graph=graph, config=_config(parallelism)) as session:
        session.run(nothing)
    # What is imported by now stays; later collections need not look at it.
    gc.freeze()


class Servable(Protocol):
    """A version in memory. Safe to run from many threads at once."""

    signatures: Mapping[str, pb.SignatureDef]

    def run(
        self, feeds: Mapping[str, Array], fetches: Sequence[str], timeout_ms: int = 0
    ) -> list[Array]:
        """Runs the graph once; see `SavedModel.run`."""

    def close(self) -> None:
        """Frees what the version holds. No run may be under way or follow."""


class SavedModel:
    """A SavedModel of TensorFlow."""

    def __init__(self, path: Path, parallelism: Parallelism = DEFAULT_PARALLELISM) -> None:
        """Loads the SavedModel at `path`.

        Raises:
            StatusError: the directory is no SavedModel, or an incomplete or damaged one.
        """
        _require_complete(path)
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=_config(parallelism))
        try:
            with self._session.graph.as_default():
                loaded = tf.compat.v1.saved_model.loader.load(self._session, [SERVE], str(path))
        except Exception as error:
            self._session.close()
            raise _status_error(error) from error
        self.signatures: Mapping[str, pb.SignatureDef] = _signatures(loaded)

    def run(
        self, feeds: Mapping[str, Array], fetches: Sequence[str], timeout_ms: int = 0
    ) -> list[Array]:
        """Runs the graph once.

        TensorFlow keeps a compiled graph, tens of megabytes, for each set of fetches: the fewer
        sets are asked for, the better.

        Args:
            feeds: values by tensor name (`serving_default_x:0`).
            fetches: tensor names, in the order wanted.
            timeout_ms: milliseconds after which the run is given up; 0 waits for ever.

        Raises:
            StatusError: whatever the graph reports, with TensorFlow's text.
        """
        tensor = self._session.graph.get_tensor_by_name
        fed = {tensor(name)._as_tf_output(): value for name, value in feeds.items()}
        fetched = [tensor(name)._as_tf_output() for name in fetches]
        try:
            with _run_options(timeout_ms) as options:
                values = self._session._call_tf_sessionrun(options, fed, fetched, [], None)
        except Exception as error:
            raise _status_error(error) from error
        return [_as_array(value) for value in values]

    def close(self) -> None:
        """Frees variables and graph, and hands their memory back to the system."""
        self._session.close()
        del self._session
        memory.return_freed()


def _config(parallelism: Parallelism) -> config_pb2.ConfigProto:
    """Settings of a session. Threads are the process's: its first session's settings count."""
    config = config_pb2.ConfigProto(
        intra_op_parallelism_threads=parallelism.intra_op,
        inter_op_parallelism_threads=parallelism.inter_op,
    )
    # Else it keeps a copy of each signature's graph, weights and all, for who asks to see it.
    config.experimental.disable_output_partition_graphs = True
    return config


@contextmanager
def _run_options(timeout_ms: int) -> Iterator[Any]:
    """Options of one more run, in the form that the C interface wants, in memory of its own."""
    options = config_pb2.RunOptions(timeout_in_ms=timeout_ms)
    buffer = pywrap_tf_session.TF_NewBufferFromString(options.SerializeToString())
    try:
        yield buffer
    finally:
        pywrap_tf_session.TF_DeleteBuffer(buffer)


def _signatures(meta_graph: Any) -> dict[str, pb.SignatureDef]:
    """Translates TensorFlow's messages into ours; the bytes are the same."""
    return {
        name: pb.SignatureDef.FromString(signature.SerializeToString())
        for name, signature in meta_graph.signature_def.items()
    }


def _as_array(value: Any) -> Array:
    array = np.asarray(value)
    if array.dtype.kind != "S":
        return array
    return array.astype(np.object_)


def _require_complete(path: Path) -> None:
    """Refuses a directory that lacks a part of its model.

    The original loads a model whose `variables/` is missing and lets it replace a good one
    (recorded case 617_novars). A half-copied version would do the same, so here it is refused.
    """
    if not path.is_dir():
        raise StatusError(Code.FAILED_PRECONDITION, _not_a_directory(path))
    file = path / "saved_model.pb"
    if not file.is_file():
        raise not_found(_not_a_saved_model(path))
    if _has_variables(_read(file)) and not (path / "variables" / "variables.index").is_file():
        raise not_found(f"Variables of the model are missing: {path}/variables/variables.index")


def _not_a_directory(path: Path) -> str:
    servable = f"{{name: {path.parent.name} version: {path.name}}}"
    attempt = "Error while attempting to reserve resources to load servable"
    return f"{attempt} {servable}: {path}; Not a directory"


def _not_a_saved_model(path: Path) -> str:
    return (
        "Specified file path does not appear to contain a SavedModel bundle "
        f"(should have a file called `saved_model.pb`)\nSpecified file path: {path}"
    )


def _read(file: Path) -> Any:
    saved_model = saved_model_pb2.SavedModel()
    data = file.read_bytes()
    try:
        saved_model.ParseFromString(data)
    except Exception as error:
        if is_truncated(data):
            raise StatusError(Code.OUT_OF_RANGE, "Read less bytes than requested") from error
        raise StatusError(Code.DATA_LOSS, f"Can't parse {file} as binary proto") from error
    for meta_graph in saved_model.meta_graphs:
        if SERVE in meta_graph.meta_info_def.tags:
            return meta_graph
    raise not_found(
        f"Could not find meta graph def matching supplied tags: {{ {SERVE} }}. To inspect "
        "available tag-sets in the SavedModel, please use the SavedModel CLI: `saved_model_cli`"
    )


def _has_variables(meta_graph: Any) -> bool:
    graph = meta_graph.graph_def
    functions = (node for function in graph.library.function for node in function.node_def)
    return any(node.op in VARIABLE_OPS for nodes in (graph.node, functions) for node in nodes)


def _status_error(error: Exception) -> StatusError:
    if isinstance(error, StatusError):
        return error
    if isinstance(error, tf.errors.OpError):
        original = _first_cause(error)
        if original.message == _NO_ARRAY:
            return StatusError(Code.UNIMPLEMENTED, _TOO_MANY_DIMENSIONS)
        return StatusError(Code(original.error_code), _without_caller_traceback(original.message))
    if isinstance(error, (TypeError, ValueError)):
        return StatusError(Code.INVALID_ARGUMENT, str(error))
    return StatusError(Code.INTERNAL, f"{type(error).__name__}: {error}")


def _first_cause(error: Any) -> Any:
    """The error as C++ gave it; Python's TensorFlow raises another with more words in its text."""
    while isinstance(error.__context__, tf.errors.OpError):
        error = error.__context__
    return error


def _without_caller_traceback(message: str) -> str:
    """Cuts what Python's TensorFlow adds to the text of the C++ one."""
    return message.split("\n\nOriginal stack trace", 1)[0].split("\n\nErrors may have", 1)[0]
