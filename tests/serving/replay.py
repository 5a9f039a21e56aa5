"""Recorded exchanges with a real TensorFlow Serving, and how to have them again."""

from __future__ import annotations

import base64
import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import text_format
from google.protobuf.message import Message

from serving.wire import messages_pb2 as pb
from serving.wire import methods
from tests.support.servers import ROOT, ModelServer

RECORDED = ROOT.parent / "shared" / "tfserving"
OWN_FLAGS = ("--port", "--rest_api_port", "--model_config_file")
TYPES: dict[str, tuple[Any, Any]] = {
    methods.PREDICT: (pb.PredictRequest, pb.PredictResponse),
    methods.GET_MODEL_METADATA: (pb.GetModelMetadataRequest, pb.GetModelMetadataResponse),
    methods.GET_MODEL_STATUS: (pb.GetModelStatusRequest, pb.GetModelStatusResponse),
}
USUAL = {
    "flags": [],
    "model_config": 'model_config_list { config { name: "half" base_path: "/models/half" '
    'model_platform: "tensorflow" } }',
}
"""Of a recording that leaves out what plays no part in it."""

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class Case:
    """One recorded exchange."""

    name: str
    record: dict[str, Any]

    @property
    def server(self) -> tuple[tuple[str, ...], str]:
        """The flags and the configuration that it was recorded with; our ports left out."""
        flags = [f for f in self.record["flags"] if f.partition("=")[0] not in OWN_FLAGS]
        return tuple(flags), self.record["model_config"]

    @property
    def models(self) -> list[str]:
        """The models that its server had."""
        return re.findall(r'name: "(\w+)"', self.record["model_config"])


def cases(pattern: str) -> list[Case]:
    """Recorded cases whose name matches, in order; none where the recordings are not at hand."""
    files = sorted(RECORDED.glob("replies/*.json"))
    names = [file for file in files if re.match(pattern, file.stem)]
    found = [Case(file.stem, USUAL | json.loads(file.read_text())) for file in names]
    return [case for case in found if "<cut>" not in str(case.record["request"].get("body"))]


def launch(case: Case, folder: Path) -> ModelServer:
    """A server as the case's was, with the recorded models."""
    flags, config = case.server
    root = f"--models_root={RECORDED / 'models'}"
    return ModelServer(folder, [*flags, root], config, wait_for=case.models)


# ---- REST ----


@dataclass(frozen=True)
class HttpReply:
    """What came back."""

    status: int
    content_type: str | None
    body: bytes


def ask_rest(case: Case, port: int) -> HttpReply:
    """Sends the recorded request byte by byte."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(_request(case.record["request"]))
        return _read_reply(connection, head=case.record["request"].get("method") == "HEAD")


def recorded_rest(case: Case) -> HttpReply:
    """The recorded reply."""
    reply = case.record["reply"]
    headers = {name.lower(): value for name, value in reply["headers"]}
    return HttpReply(reply["status"], headers.get("content-type"), _body(reply))


def close_json(ours: bytes, theirs: bytes, tolerance: float = 1e-5) -> bool:
    """Whether two bodies have the same JSON value.

    Numbers are compared as they are written, but for their last digits: another processor
    computed them.
    """
    return _close(_loads(ours), _loads(theirs), tolerance)


def _request(request: dict[str, Any]) -> bytes:
    if "raw_b64" in request:
        return base64.b64decode(request["raw_b64"])
    lines = [f"{request['method']} {request['path']} {request['http_version']}"]
    lines += [f"{name}: {value}" for name, value in request["headers"]]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + _body(request)


def _body(message: dict[str, Any]) -> bytes:
    if "body_b64" in message:
        return base64.b64decode(message["body_b64"])
    return (message.get("body") or "").encode()


def _read_reply(connection: socket.socket, *, head: bool) -> HttpReply:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _receive(connection)
    top, _, body = received.partition(b"\r\n\r\n")
    status_line, *lines = top.decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    length = int(headers["content-length"]) if "content-length" in headers else None
    while not head and (length is None or len(body) < length):
        piece = connection.recv(2**16)
        if not piece:
            break
        body += piece
    return HttpReply(int(status_line.split()[1]), headers.get("content-type"), body)


def _receive(connection: socket.socket) -> bytes:
    piece = connection.recv(2**16)
    if not piece:
        raise ConnectionError("The server closed without a reply.")
    return piece


def _loads(body: bytes) -> Any:
    text = body.decode("utf-8", "surrogateescape")
    return json.loads(text, parse_float=_NumberText, parse_int=_NumberText)


class _NumberText(str):
    """A JSON number as it was written."""


def _close(ours: Any, theirs: Any, tolerance: float) -> bool:
    if isinstance(ours, _NumberText) and isinstance(theirs, _NumberText):
        a, b = float(ours), float(theirs)
        same_kind = ours.isdecimal() == theirs.isdecimal()
        near = ours == theirs or abs(a - b) <= tolerance * max(abs(a), abs(b))
        return same_kind and near
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = ours.keys() == theirs.keys()
        return keys and all(_close(ours[k], theirs[k], tolerance) for k in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        pairs = zip(ours, theirs, strict=False)
        return len(ours) == len(theirs) and all(_close(a, b, tolerance) for a, b in pairs)
    return bool(ours == theirs or (ours != ours and theirs != theirs))


# ---- gRPC ----


@dataclass(frozen=True)
class GrpcReply:
    """What came back."""

    code: str
    details: str
    message: Message | None


def ask_grpc(case: Case, port: int) -> GrpcReply:
    """Makes the recorded call."""
    request = case.record["request"]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.unary_unary(request["rpc"])
        try:
            data = call(_request_bytes(request), timeout=_timeout(case))
        except grpc.RpcError as error:
            return GrpcReply(error.code().name, error.details() or "", None)
    return GrpcReply("OK", "", _unpacked(TYPES[request["rpc"]][1].FromString(data)))


def recorded_grpc(case: Case) -> GrpcReply:
    """The recorded reply."""
    reply = case.record["reply"]
    if reply.get("message") is None:
        return GrpcReply(reply["code"], reply["details"], None)
    reply_type = TYPES[case.record["request"]["rpc"]][1]
    return GrpcReply(reply["code"], reply["details"], _parse(reply["message"], reply_type()))


def _timeout(case: Case) -> float:
    return {"450_grpc_deadline_tiny": 1e-9, "742_grpc_deadline_1s": 1.0}.get(case.name, 30.0)


def _request_bytes(request: dict[str, Any]) -> bytes:
    if "bytes" in request:
        return b"\xff\xff\xff\xff"
    if request["rpc"] not in TYPES:
        return b""
    message = _parse(request["message"], TYPES[request["rpc"]][0]())
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


def without_numbers(text: str) -> str:
    """A message's text, each number replaced by `#`."""
    return _NUMBER.sub("#", text)


def numbers(message: Message | None) -> Iterator[float]:
    """All numbers of a message's text, in order."""
    yield from map(float, _NUMBER.findall(str(message)))
