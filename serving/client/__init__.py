"""A client for a model server, TensorFlow Serving or the local one, over gRPC or REST.

    client = connect("grpc://127.0.0.1:8500")
    prediction = client.predict("us_bills", {"image": images}, label="stable")
    prediction.outputs["classes"][0, 0]  # b"20"

Both protocols raise the same errors:

    ServingError
    ├── InvalidRequest      the model or its signature does not accept what was sent
    ├── NotServed           no such model, version or label is served
    ├── Unavailable         the server cannot be reached, or has too much to do
    ├── DeadlineExceeded    no answer within the time given
    └── BadReply            any other failure, or an answer that cannot be understood

A client is safe to use from many threads and keeps its connections. Create it after a fork, not
before. The package never imports TensorFlow.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from serving.client.channel import open_channel
from serving.client.grpc import GrpcClient
from serving.client.interface import (
    BadReply,
    Client,
    DeadlineExceeded,
    InvalidRequest,
    NotServed,
    PendingPrediction,
    Prediction,
    ServingError,
    Unavailable,
    VersionStatus,
)
from serving.client.tls import NO_TLS, Tls, require_encryption

__all__ = [
    "BadReply",
    "Client",
    "DeadlineExceeded",
    "GrpcClient",
    "InvalidRequest",
    "NotServed",
    "PendingPrediction",
    "Prediction",
    "ServingError",
    "Tls",
    "Unavailable",
    "VersionStatus",
    "connect",
]


# Each label of a host name has at most 63 characters (RFC 1035).
_HOST = re.compile(r"(\[[\w:.%]+\]|[\w-]{1,63}(\.[\w-]{1,63})*\.?)(:\d{1,5})?", re.ASCII)
_SEVERAL = re.compile(r"(grpcs?)://((\d+(?:\.\d+){3}):\d+(?:,\d+(?:\.\d+){3}:\d+)+)")


def connect(url: str, tls: Tls = NO_TLS) -> Client:
    """Creates the client for a URL; the first call opens the connection.

    Args:
        url: `grpc://host:port` or `http://host:port`, or with TLS `grpcs://host:port` or
            `https://host:port`; over HTTP the default port may be left out. Over gRPC a client may
            use several interchangeable servers: a name with several addresses, or a list such as
            `grpc://10.0.0.1:8500,10.0.0.2:8500`. With TLS, the certificates of all servers in a
            list must have the first address.
        tls: for the URLs with TLS.

    Raises:
        ValueError: the URL has another form, or is plain text although `tls` names files.
        OSError: one of the files cannot be read.
    """
    if several := _SEVERAL.fullmatch(url):
        require_encryption(url, tls)
        scheme, addresses, first = several.groups()
        return GrpcClient(
            open_channel(f"ipv4:{addresses}", tls if scheme == "grpcs" else None, first)
        )
    try:
        parts = urlsplit(url)
        has_port = parts.port is not None or not parts.scheme.startswith("grpc")
        rest = parts.path.removesuffix("/") or parts.query or parts.fragment
        complete = bool(_HOST.fullmatch(parts.netloc)) and has_port and parts.port != 0 and not rest
    except ValueError:
        complete = False
    if complete:
        require_encryption(url, tls)
    if complete and parts.scheme in ("grpc", "grpcs"):
        return GrpcClient(open_channel(parts.netloc, tls if parts.scheme == "grpcs" else None))
    if complete and parts.scheme in ("http", "https"):
        # Imported here: without these packages, a process that only uses gRPC is 7 MB smaller.
        from serving.client.rest import RestClient

        return RestClient(f"{parts.scheme}://{parts.netloc}", tls)
    raise ValueError(
        "Unrecognized URL of a model server. "
        f"Expected: grpc(s)://host:port or http(s)://host:port. Received: {url!r}"
    )
