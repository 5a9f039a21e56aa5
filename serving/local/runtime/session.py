"""Runs a TensorFlow graph in a session of the C interface; no other module uses that interface.

TensorFlow's Python API would add an object for each operation, a second copy of each function, and
1,600 modules, none of which a server uses. TensorFlow Serving takes the same path, so values,
shapes and error texts are those of the original; Python's own shape checks, which the original
lacks, are avoided (recorded cases 056, 113, 115). The wrappers are private to TensorFlow;
`docs/decisions/0001-tensorflow-c-interface.md` says what they save.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from google.protobuf.message import Message
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2
from tensorflow.python.client import pywrap_tf_session as c_api
from tensorflow.python.framework import errors

from serving.local.threads import Parallelism
from serving.wire.tensors import Array

_CONFIG = config_pb2.ConfigProto()
"""The settings of all sessions; `start_threads` adds the process's thread counts."""

# Otherwise TensorFlow keeps a copy of each signature's graph and weights, for later queries.
_CONFIG.experimental.disable_output_partition_graphs = True


class Session:
    """Runs a graph. Thread-safe. Raises TensorFlow's own errors."""

    def __init__(self, graph: graph_pb2.GraphDef, *, bfloat16: bool = False) -> None:
        """Imports a graph; raises `OpError` if its operations do not fit each other.

        With `bfloat16` suitable operations compute in that type; inputs and outputs keep theirs.
        """
        self._graph = c_api.PyGraph()
        _import(graph, self._graph)
        self._operations = dict(_operations_of(self._graph))
        self._session = _start(self._graph, _config(bfloat16))

    def run(
        self,
        feeds: Mapping[str, Array],
        fetches: Sequence[str] = (),
        targets: Sequence[str] = (),
        timeout_ms: int = 0,
    ) -> list[Any]:
        """Runs the requested part of the graph, and returns the fetches in their order.

        Feeds and fetches use tensor names (`serving_default_x:0`); `targets` are operations to run
        for their effect; the run is aborted after `timeout_ms` milliseconds, with 0 never.
        Raises `OpError` for any error of the graph, and for an unknown tensor or target.
        """
        fed = {self._output(name): value for name, value in feeds.items()}
        fetched = [self._output(name) for name in fetches]
        done = [self._operation(name) for name in targets]
        options = config_pb2.RunOptions(timeout_in_ms=timeout_ms)
        with _buffer(options) as buffer:
            values: list[Any] = c_api.TF_SessionRun_wrapper(
                self._session, buffer, fed, fetched, done, None
            )
        return values

    def close(self) -> None:
        """Frees the session and its graph."""
        try:
            c_api.TF_CloseSession(self._session)
        finally:
            c_api.TF_DeleteSession(self._session)
        del self._session, self._operations, self._graph

    def _output(self, tensor: str) -> Any:
        name, _, index = tensor.partition(":")
        output = c_api.TF_Output()
        output.oper = self._operation(name)
        output.index = int(index) if index.isdecimal() else 0
        return output

    def _operation(self, name: str) -> Any:
        if name not in self._operations:
            raise errors.NotFoundError(None, None, f"Operation {name} is not found in the graph")
        return self._operations[name]


def start_threads(parallelism: Parallelism) -> None:
    """Starts TensorFlow's threads by a first run, so that the messages of that run appear now.

    All sessions share the threads, whose numbers only the process's first session can set.
    """
    _CONFIG.intra_op_parallelism_threads = parallelism.intra_op
    _CONFIG.inter_op_parallelism_threads = parallelism.inter_op
    graph = graph_pb2.GraphDef()
    graph.node.add(name="nothing", op="NoOp")
    session = Session(graph)
    session.run({}, targets=["nothing"])
    session.close()


def _config(bfloat16: bool) -> config_pb2.ConfigProto:
    config = config_pb2.ConfigProto()
    config.CopyFrom(_CONFIG)
    if bfloat16:
        # The same as in TensorFlow Serving. Has no effect without oneDNN (TF_ENABLE_ONEDNN_OPTS=0).
        rewrites = config.graph_options.rewrite_options
        rewrites.auto_mixed_precision_onednn_bfloat16 = rewriter_config_pb2.RewriterConfig.ON
    return config


def _import(definition: graph_pb2.GraphDef, graph: Any) -> None:
    options = c_api.TF_NewImportGraphDefOptions()
    with _freed(options, c_api.TF_DeleteImportGraphDefOptions), _buffer(definition) as buffer:
        # A graph that was extracted from another may name operations that only the other has.
        c_api.TF_ImportGraphDefOptionsSetValidateColocationConstraints(options, False)
        results = c_api.TF_GraphImportGraphDefWithResults(graph, buffer, options)
        c_api.TF_DeleteImportGraphDefResults(results)


def _operations_of(graph: Any) -> Iterator[tuple[str, Any]]:
    position = 0
    while True:
        operation, position = c_api.TF_GraphNextOperation(graph, position)
        if operation is None:
            return
        yield c_api.TF_OperationName(operation), operation


def _start(graph: Any, config: config_pb2.ConfigProto) -> Any:
    options = c_api.TF_NewSessionOptions(target="", config=config)
    with _freed(options, c_api.TF_DeleteSessionOptions):
        return c_api.TF_NewSessionRef(graph, options)


def _buffer(message: Message) -> AbstractContextManager[Any]:
    buffer = c_api.TF_NewBufferFromString(message.SerializeToString())
    return _freed(buffer, c_api.TF_DeleteBuffer)


@contextmanager
def _freed(made: Any, free: Callable[[Any], None]) -> Iterator[Any]:
    """Frees an object of the C library after the block, which Python would not do."""
    try:
        yield made
    finally:
        free(made)
