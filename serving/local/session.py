"""A graph of TensorFlow that can be run: a session by the C interface, the only code that calls it.

What Python's TensorFlow would build on top of it, an object for each operation, a second copy of
each function, and the 1,600 modules for that, a server never uses. This is the path that TensorFlow
Serving takes too, so values, shapes and error texts are those of the original; Python's own shape
checks, which it does not have, are not in the way (recorded cases 056, 113, 115).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.client import pywrap_tf_session as c_api
from tensorflow.python.framework import errors

from serving.local.cores import DEFAULT_PARALLELISM, Parallelism
from serving.wire.tensors import Array

# In the words of `subgraph.cc`, which the original asks by name.
_NO_FEED = "FeedInputs: unable to find feed output {}"
_NO_FETCH = "FetchOutputs node {}: not found"
_NO_TARGET = "PruneForTargets: Some target nodes not found: {} "


class Session:
    """Runs a graph; safe to use from many threads at once. Raises TensorFlow's own errors."""

    def __init__(
        self, graph: graph_pb2.GraphDef, parallelism: Parallelism = DEFAULT_PARALLELISM
    ) -> None:
        """Takes over a graph.

        Args:
            graph: its operations and functions.
            parallelism: threads. They are the process's: its first session's settings count.

        Raises:
            OpError: an operation is unknown, or does not fit the others.
        """
        self._graph = c_api.PyGraph()
        _import(graph, self._graph)
        self._operations = dict(_operations_of(self._graph))
        self._session = _start(self._graph, _config(parallelism))

    def run(
        self,
        feeds: Mapping[str, Array],
        fetches: Sequence[str] = (),
        targets: Sequence[str] = (),
        timeout_ms: int = 0,
    ) -> list[Any]:
        """Runs the part of the graph that is asked for.

        Args:
            feeds: values by tensor name (`serving_default_x:0`).
            fetches: names of the tensors wanted, in that order.
            targets: names of operations to run for what they do.
            timeout_ms: milliseconds after which the run is given up; 0 waits for ever.

        Raises:
            OpError: whatever the graph reports, or that it has no such tensor or target.
        """
        fed = {self._output(name, _NO_FEED): value for name, value in feeds.items()}
        fetched = [self._output(name, _NO_FETCH) for name in fetches]
        done = [self._operation(name, _NO_TARGET, name) for name in targets]
        options = config_pb2.RunOptions(timeout_in_ms=timeout_ms).SerializeToString()
        with _buffer(options) as buffer:
            values: list[Any] = c_api.TF_SessionRun_wrapper(
                self._session, buffer, fed, fetched, done, None
            )
        return values

    def close(self) -> None:
        """Frees the graph and what it holds."""
        try:
            c_api.TF_CloseSession(self._session)
        finally:
            c_api.TF_DeleteSession(self._session)
        del self._session, self._operations, self._graph

    def _output(self, tensor: str, unknown: str) -> Any:
        name, _, index = tensor.partition(":")
        output = c_api.TF_Output()
        output.oper = self._operation(name, unknown, tensor)
        output.index = int(index) if index.isdecimal() else 0
        return output

    def _operation(self, name: str, unknown: str, asked: str) -> Any:
        if name not in self._operations:
            raise errors.NotFoundError(None, None, unknown.format(asked))
        return self._operations[name]


def start_threads(parallelism: Parallelism) -> None:
    """Starts TensorFlow's threads, and has it print now what it prints on its first run."""
    graph = graph_pb2.GraphDef()
    graph.node.add(name="nothing", op="NoOp")
    session = Session(graph, parallelism)
    session.run({}, targets=["nothing"])
    session.close()


def _config(parallelism: Parallelism) -> config_pb2.ConfigProto:
    config = config_pb2.ConfigProto(
        intra_op_parallelism_threads=parallelism.intra_op,
        inter_op_parallelism_threads=parallelism.inter_op,
    )
    # Else it keeps a copy of each signature's graph, weights and all, for who asks to see it.
    config.experimental.disable_output_partition_graphs = True
    return config


def _import(definition: graph_pb2.GraphDef, graph: Any) -> None:
    with _import_options() as options, _buffer(definition.SerializeToString()) as buffer:
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
    try:
        return c_api.TF_NewSessionRef(graph, options)
    finally:
        c_api.TF_DeleteSessionOptions(options)


@contextmanager
def _import_options() -> Iterator[Any]:
    options = c_api.TF_NewImportGraphDefOptions()
    try:
        # A graph that was cut out of another may name operations that stayed there.
        c_api.TF_ImportGraphDefOptionsSetValidateColocationConstraints(options, False)
        yield options
    finally:
        c_api.TF_DeleteImportGraphDefOptions(options)


@contextmanager
def _buffer(data: bytes) -> Iterator[Any]:
    buffer = c_api.TF_NewBufferFromString(data)
    try:
        yield buffer
    finally:
        c_api.TF_DeleteBuffer(buffer)
