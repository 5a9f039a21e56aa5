"""The operations that a version's graph may have: none reads, writes or runs anything outside it.

A graph is a program. `WriteFile` writes any file that the model server may write, and a graph's
initialisation runs when the graph is loaded. So the graph is checked before TensorFlow loads it.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from serving.rollout.errors import Refused

_NUMBERS = """
Abs Add AddN AddV2 All Any ArgMax ArgMin Atan2 BatchMatMulV2 Cast Ceil ClipByValue Cos Cumsum
DivNoNan Einsum Equal Erf Exp Floor FloorDiv FloorMod Greater GreaterEqual IsFinite IsNan LeftShift
Less LessEqual Log Log1p LogicalAnd LogicalNot LogicalOr MatMul Max Maximum Mean Min Minimum Mul
MulNoNan Neg NotEqual Pow Prod RealDiv Reciprocal RightShift Round Rsqrt Select SelectV2 Sigmoid
Sign Sin Sqrt Square SquaredDifference StopGradient Sub Sum Tanh TopKV2 TruncateDiv Xdivy
"""
_SHAPES = """
BroadcastTo Concat ConcatV2 Const DepthToSpace EnsureShape ExpandDims Fill GatherNd GatherV2
Identity IdentityN MatrixDiagPartV3 MatrixDiagV3 MirrorPad NoOp OneHot OnesLike Pack Pad PadV2
Placeholder PlaceholderWithDefault Range Rank Reshape ResourceGather ReverseV2 ScatterNd Shape
ShapeN Size Slice SpaceToDepth Split SplitV Squeeze StridedSlice TensorScatterUpdate Tile Transpose
Unpack Where ZerosLike
"""
_NETWORKS = """
AvgPool BiasAdd Conv2D DepthwiseConv2dNative Elu FusedBatchNormV3 LeakyRelu LogSoftmax MaxPool
Relu Relu6 Selu Softmax Softplus Softsign
"""
_PICTURES = """
AdjustContrastv2 CropAndResize DecodeAndCropJpeg DecodeBase64 DecodeBmp DecodeGif DecodeImage
DecodeJpeg DecodePng DecodeRaw ExtractJpegShape ImageProjectiveTransformV3 ResizeBicubic
ResizeBilinear ResizeNearestNeighbor ScaleAndTranslate
"""
_STRINGS = """
AsString RegexFullMatch StaticRegexFullMatch StringFormat StringJoin StringLength Substr
"""
_FLOW = """
Assert Case If PartitionedCall StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile
TensorListFromTensor TensorListGetItem TensorListReserve TensorListSetItem TensorListStack While
"""
_VARIABLES = """
AssignVariableOp DisableCopyOnRead ReadVariableOp VarHandleOp VarIsInitializedOp
"""
_GROUPS = (_NUMBERS, _SHAPES, _NETWORKS, _PICTURES, _STRINGS, _FLOW, _VARIABLES)
ALLOWED = frozenset(" ".join(_GROUPS).split())
RESTORING = ALLOWED | {"RestoreV2"}
"""Operations that may run while the variables are restored."""
ANYWHERE = RESTORING | {"MergeV2Checkpoints", "SaveV2", "ShardedFilename"}
"""Operations that a graph may contain; each export has those that save it, which no server runs."""

_IMPLEMENTS = "api_implements"
"""The attribute of functions that do the same, each for another device."""


def require_allowed(meta_graph: Any, also: Collection[str] = ()) -> None:
    """Checks every operation of a graph and of its functions against the lists.

    Args:
        meta_graph: the `MetaGraphDef`, with its signatures, which include the initialisation.
        also: further operations that the caller trusts.

    Raises:
        Refused: names the operations that are not on the list, and where they are.
    """
    graph = _Graph(meta_graph.graph_def)
    graph.require_fixed_functions()
    found = {
        **_unknown(graph.all(), ANYWHERE.union(also)),
        **_unknown(graph.behind([meta_graph.saver_def.restore_op_name]), RESTORING.union(also)),
        **_unknown(graph.behind(_run_by_server(meta_graph)), ALLOWED.union(also)),
    }
    if found:
        raise Refused(
            "Its graph has operations that are not on the list of harmless ones:"
            f" {', '.join(sorted(found.values()))}. Where they are to be trusted:"
            f" {' '.join(f'--allow-op {shlex.quote(name)}' for name in sorted(found))}."
        )


def _unknown(nodes: Iterable[tuple[Any, str]], allowed: Collection[str]) -> dict[str, str]:
    return {node.op: f"{node.op} ({where})" for node, where in nodes if node.op not in allowed}


def _run_by_server(meta_graph: Any) -> Iterator[str]:
    """Yields what requests ask for and what loading runs, from signatures and collections."""
    for signature in meta_graph.signature_def.values():
        yield from (info.name for info in signature.outputs.values())
    for collection in meta_graph.collection_def.values():
        yield from collection.node_list.value


class _Graph:
    """The nodes of a graph, each with a text that says where it is."""

    def __init__(self, graph: Any) -> None:
        self._nodes = {node.name: node for node in graph.node}
        self._functions = {f.signature.name: f.node_def for f in graph.library.function}
        self._open = {f.signature.name for f in graph.library.function if f.signature.attr}
        self._implements = {
            f.signature.name: f.attr[_IMPLEMENTS].s
            for f in graph.library.function
            if _IMPLEMENTS in f.attr
        }

    def require_fixed_functions(self) -> None:
        """Refuses functions that take another function as an attribute: nothing tells what runs."""
        for name, nodes in self._functions.items():
            filled_in = any(value.placeholder for node in nodes for value in node.attr.values())
            if filled_in or name in self._open:
                raise Refused(
                    f"The function {name} of its graph takes attributes from its caller, so that"
                    " what it runs cannot be told. Expected functions without attributes."
                )

    def all(self) -> Iterator[tuple[Any, str]]:
        yield from ((node, f"node {name}") for name, node in self._nodes.items())
        for name in self._functions:
            yield from self._within(name)

    def behind(self, tensors: Iterable[str]) -> Iterator[tuple[Any, str]]:
        """Yields the nodes that run to compute some tensors, including those in functions."""
        seen: set[str] = set()
        left = list(tensors)
        while left:
            name = left.pop().removeprefix("^").partition(":")[0]
            if name in seen or name not in self._nodes:
                continue
            seen.add(name)
            node = self._nodes[name]
            yield node, f"node {name}"
            for function in self._called(_functions_of(node)):
                yield from self._within(function)
            left.extend(node.input)

    def _called(self, names: Iterable[str]) -> set[str]:
        """Returns functions and all functions that they call, directly or indirectly."""
        seen: set[str] = set()
        left = list(names)
        while left:
            name = left.pop()
            if name not in seen and name in self._functions:
                seen.add(name)
                left.extend(f for node in self._functions[name] for f in _functions_of(node))
                left.extend(self._in_place_of(name))
        return seen

    def _in_place_of(self, name: str) -> Iterator[str]:
        """Yields the functions that TensorFlow may run where a graph calls another one.

        Source: `implementation_selector.cc` of its graph optimizers.
        """
        if name in self._implements:
            key = self._implements[name]
            yield from (other for other, same in self._implements.items() if same == key)

    def _within(self, function: str) -> Iterator[tuple[Any, str]]:
        for node in self._functions[function]:
            yield node, f"node {node.name} of the function {function}"


def _functions_of(node: Any) -> Iterator[str]:
    """Yields the functions that an operation may call, also by attributes of functions."""
    for value in node.attr.values():
        for function in (value.func, *value.list.func):
            yield function.name
            yield from _functions_of(function)
