"""Recorded exchanges with a real TensorFlow Serving, and functions that replay them."""

from __future__ import annotations

import ast
import base64
import dataclasses
import re
import socket
from collections.abc import Collection
from typing import Any

import grpc
from google.protobuf import text_format
from google.protobuf.message import Message
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from serving.wire import messages_pb2 as pb
from serving.wire import methods
from serving.wire import operations_pb2 as operations
from tests.serving.exchanges.comparing import (
    error_of,
    lost_names,
    near,
    numbers,
    same_json,
    without_numbers,
    words,
)
from tests.serving.exchanges.recorded import NAMES, Case, Stage, rebuilt_body

TYPES: dict[str, tuple[Any, Any]] = {
    methods.PREDICT: (pb.PredictRequest, pb.PredictResponse),
    methods.CLASSIFY: (pb.ClassificationRequest, pb.ClassificationResponse),
    methods.REGRESS: (pb.RegressionRequest, pb.RegressionResponse),
    methods.MULTI_INFERENCE: (pb.MultiInferenceRequest, pb.MultiInferenceResponse),
    methods.GET_MODEL_METADATA: (pb.GetModelMetadataRequest, pb.GetModelMetadataResponse),
    methods.GET_MODEL_STATUS: (pb.GetModelStatusRequest, pb.GetModelStatusResponse),
    methods.RELOAD_CONFIG: (operations.ReloadConfigRequest, operations.ReloadConfigResponse),
    methods.HEALTH_CHECK: (HealthCheckRequest, HealthCheckResponse),
}

CONTINUE = b"HTTP/1.1 100 (Continue)\r\n\r\n"
"""The original leaves it out (case 185); clients that ask for it wait for it."""

_CUT = "...<cut>"
_QUOTED = re.compile(r'"([^"]*)"')
"""The names in a message's text, beside its fields."""


def difference(case: Case, stage: Stage) -> str:
    """Has a recorded exchange again; says how the reply differs, empty where it does not."""
    if "rpc" in case.record["request"]:
        return _grpc_difference(case, ask_grpc(case, stage))
    return _rest_difference(case, ask_rest(case, stage))


def _rest_difference(case: Case, reply: HttpReply) -> str:
    if "connection" in case.record["reply"]:
        return f"{reply} where the original died"
    expected = recorded_rest(case)
    if case.record["request"].get("method") == "HEAD":
        expected = dataclasses.replace(expected, body=b"")
    return unlike(expected, reply, _asked(case))


def unlike(expected: HttpReply, reply: HttpReply, asked: Collection[str]) -> str:
    """Says how a reply differs from a recorded one, empty where it does not.

    Args:
        expected: the recorded reply.
        reply: ours.
        asked: the names in the request, which an error may be about.
    """
    if expected.content_type == "text/html" or reply.content_type is None:
        return _unequal(reply.status, expected.status)
    ours, theirs = (reply.status, reply.content_type), (expected.status, expected.content_type)
    return _unequal(ours, theirs) or _body_difference(reply, expected.body, asked)


def _body_difference(reply: HttpReply, expected: bytes, asked: Collection[str]) -> str:
    cut = expected.endswith(_CUT.encode())
    if not expected:
        return ""
    if reply.content_type == "text/plain" and cut:
        return "" if reply.body.startswith(b"# TYPE :") else f"no metrics: {reply.body[:99]!r}"
    if cut and reply.status == 200:
        return _beginning_difference(reply.body.decode(), expected.decode().removesuffix(_CUT))
    if reply.content_type != "application/json":
        return _unequal(reply.body, expected)
    if reply.status != 200:
        return _error_difference(asked, error_of(reply.body), expected.decode("utf-8", "replace"))
    return "" if same_json(reply.body, expected) else _unequal(reply.body, expected)


def _beginning_difference(ours: str, beginning: str) -> str:
    """Of a long reply only its beginning was kept; its last number may be cut."""
    expected = list(numbers(beginning))[:-1]
    pairs = zip(numbers(ours[: 4 * len(beginning)]), expected, strict=False)
    return "" if all(near(*pair) for pair in pairs) else f"{ours[:500]} in place of {beginning}"


def _error_difference(asked: Collection[str], ours: str, body: str) -> str:
    """What an error leaves unsaid; recorded is its text, or the JSON around it."""
    theirs = error_of(body.encode()) if body.startswith("{") else body
    if not ours and theirs:
        return f"no error text in place of {theirs}"
    lost = lost_names(ours, theirs, NAMES | set(asked))
    return f"{ours} does not name {lost} as {theirs}" if lost else ""


def _asked(case: Case) -> set[str]:
    request = case.record["request"]
    quoted = _QUOTED.findall(str(request.get("message", "")))
    return words(" ".join([str(request.get("path", "")), str(request.get("body", "")), *quoted]))


def _grpc_difference(case: Case, reply: GrpcReply) -> str:
    expected = recorded_grpc(case)
    ours, theirs = (reply.code, _text(reply.message)), (expected.code, _text(expected.message))
    if ours != theirs:
        return f"{reply} in place of {expected}"
    pairs = zip(numbers(reply.message), numbers(expected.message), strict=True)
    far = [pair for pair in pairs if not near(*pair)]
    return (
        f"numbers {far}"
        if far
        else _error_difference(_asked(case), reply.details, expected.details)
    )


def _unequal(ours: object, theirs: object) -> str:
    return "" if ours == theirs else f"{ours!r} in place of {theirs!r}"[:1000]


def _text(message: object) -> str:
    """A message's text without its numbers, which are compared with a tolerance."""
    return without_numbers(str(message))


# ---- REST ----


@dataclasses.dataclass(frozen=True)
class HttpReply:
    """A reply."""

    status: int
    content_type: str | None
    body: bytes


def ask_rest(case: Case, stage: Stage) -> HttpReply:
    """Sends the recorded request byte by byte."""
    head = case.record["request"].get("method") == "HEAD"
    reply = exchange(stage.server.rest_port, _request(case), head=head)
    return HttpReply(reply.status, reply.content_type, stage.recorded_paths(reply.body))


def exchange(port: int, request: bytes, *, head: bool = False) -> HttpReply:
    """Sends bytes and reads one reply."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall(request)
        return _read_reply(connection, head=head)


def recorded_rest(case: Case) -> HttpReply:
    """The recorded reply."""
    reply = case.record["reply"]
    headers = {name.lower(): value for name, value in reply["headers"]}
    return HttpReply(reply["status"], headers.get("content-type"), _body(reply))


def _request(case: Case) -> bytes:
    request = case.record["request"]
    body = rebuilt_body(case.name)
    if "raw_b64" in request:
        return body or base64.b64decode(request["raw_b64"])
    lines = [f"{request['method']} {request['path']} {request['http_version']}"]
    lines += [f"{name}: {value}" for name, value in request["headers"]]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or _body(request))


def _body(message: dict[str, Any]) -> bytes:
    if "body_b64" in message:
        return base64.b64decode(message["body_b64"])
    return (message.get("body") or "").encode()


def _read_reply(connection: socket.socket, *, head: bool) -> HttpReply:
    received = b""
    while b"\r\n\r\n" not in (received := received.removeprefix(CONTINUE)):
        received += _receive(connection)
    top, _, rest = received.partition(b"\r\n\r\n")
    body = bytearray(rest)
    status_line, *lines = top.decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    length = int(headers["content-length"]) if "content-length" in headers else None
    while not head and (length is None or len(body) < length):
        piece = connection.recv(2**20)
        if not piece:
            break
        body += piece
    return HttpReply(int(status_line.split()[1]), headers.get("content-type"), bytes(body))


def _receive(connection: socket.socket) -> bytes:
    piece = connection.recv(2**16)
    if not piece:
        raise ConnectionError("The server closed without a reply.")
    return piece


# ---- gRPC ----


@dataclasses.dataclass(frozen=True)
class GrpcReply:
    """A reply."""

    code: str
    details: str
    message: Message | None


def ask_grpc(case: Case, stage: Stage) -> GrpcReply:
    """Makes the recorded call."""
    request = case.record["request"]
    with grpc.insecure_channel(stage.server.grpc_address) as channel:
        call: Any = channel.unary_unary(request["rpc"])
        try:
            data = call(_request_bytes(request, stage), timeout=_timeout(case))
        except grpc.RpcError as error:
            details = stage.recorded_paths((error.details() or "").encode()).decode()
            return GrpcReply(error.code().name, details, None)
    return GrpcReply("OK", "", _unpacked(TYPES[request["rpc"]][1].FromString(data)))


def recorded_grpc(case: Case) -> GrpcReply:
    """The recorded reply."""
    reply = case.record["reply"]
    reply_type = TYPES.get(case.record["request"]["rpc"], (None, None))[1]
    if "message_bytes" in reply:
        data = ast.literal_eval(reply["message_bytes"])
        return GrpcReply(reply["code"], "", reply_type.FromString(data))
    if reply.get("message") is None:
        return GrpcReply(reply["code"], reply["details"], None)
    return GrpcReply(reply["code"], reply["details"], _parse(reply["message"], reply_type()))


def _timeout(case: Case) -> float:
    # gRPC rounds up to a millisecond, in which a quick server answers: one that is over already.
    return {"450_grpc_deadline_tiny": -1.0, "742_grpc_deadline_1s": 1.0}.get(case.name, 30.0)


def _request_bytes(request: dict[str, Any], stage: Stage) -> bytes:
    if "bytes" in request:
        return bytes(ast.literal_eval(request["bytes"]))
    if request["rpc"] not in TYPES:
        return b""
    text = stage.own_paths(request["message"])
    message = _parse(text, TYPES[request["rpc"]][0]())
    return bytes(message.SerializeToString())


def _parse(text: str, message: Message) -> Message:
    """Parses text format; of metadata, the signatures alone.

    They stand in an `Any` under TensorFlow Serving's type name, which is not the name of ours.
    """
    url = f"[{methods.SIGNATURE_DEF_MAP_URL}]"
    if url not in text:
        return text_format.Parse(text, message)
    inner = text.partition(url)[2].partition("{")[2]
    return text_format.Parse(_without_last_braces(inner, 3), pb.SignatureDefMap())


def _unpacked(message: Message) -> Message:
    """The signatures of a metadata reply; any other message as it is."""
    if not isinstance(message, pb.GetModelMetadataResponse):
        return message
    field = message.metadata[methods.SIGNATURE_FIELD]
    assert field.type_url == methods.SIGNATURE_DEF_MAP_URL
    return pb.SignatureDefMap.FromString(field.value)


def _without_last_braces(text: str, count: int) -> str:
    for _ in range(count):
        text = text[: text.rindex("}")]
    return text
