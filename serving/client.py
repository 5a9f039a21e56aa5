"""Asks a model server, TensorFlow Serving or the local one, over gRPC or REST.

    client = connect("grpc://127.0.0.1:8500")
    prediction = client.predict("us_bills", {"image": images}, label="stable")
    prediction.outputs["classes"][0, 0]  # b"20"

What can go wrong, one tree for both protocols:

    ServingError
    ├── InvalidRequest      the model or its signature does not accept what was sent
    ├── NotServed           no such model, version or label is served
    ├── Unavailable         the server cannot be reached, or has too much to do
    ├── DeadlineExceeded    no answer within the time given
    └── BadReply            anything else, also an answer that cannot be understood

A client is safe to use from many threads and keeps its connections; make it after a fork, not
before. It never imports TensorFlow.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from serving.transports.grpc_client import GrpcClient
from serving.transports.interface import (
    BadReply,
    Client,
    DeadlineExceeded,
    InvalidRequest,
    NotServed,
    Prediction,
    ServingError,
    Unavailable,
    VersionStatus,
)

__all__ = [
    "BadReply",
    "Client",
    "DeadlineExceeded",
    "GrpcClient",
    "InvalidRequest",
    "NotServed",
    "Prediction",
    "ServingError",
    "Unavailable",
    "VersionStatus",
    "connect",
]


def connect(url: str) -> Client:
    """Makes the client for a URL; the connection is made by the first call.

    Args:
        url: `grpc://host:port`, `http://host:port` or `https://host:port`.

    Raises:
        ValueError: the URL is of no such form.
    """
    try:
        parts = urlsplit(url)
        complete = bool(parts.hostname and parts.port) and parts.path in ("", "/")
    except ValueError:
        complete = False
    if complete and parts.scheme == "grpc":
        return GrpcClient(parts.netloc)
    if complete and parts.scheme in ("http", "https"):
        # Only now: without these packages a front end that speaks gRPC is 7 MB a process smaller.
        from serving.transports.rest_client import RestClient

        return RestClient(f"{parts.scheme}://{parts.netloc}")
    raise ValueError(
        "Unrecognized URL of a model server. "
        f"Expected: grpc://host:port or http(s)://host:port. Received: {url!r}"
    )
