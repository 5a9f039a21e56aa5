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

from collections.abc import Sequence

from serving.client.addresses import is_address, is_ipv4_address
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


_GRPC, _REST = ("grpc", "grpcs"), ("http", "https")


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
    scheme, _, rest = url.partition("://")
    addresses = rest.removesuffix("/").split(",")
    if not _is_complete(scheme, addresses):
        raise ValueError(
            "Unrecognized URL of a model server. "
            f"Expected: grpc(s)://host:port or http(s)://host:port. Received: {url!r}"
        )
    require_encryption(url, tls)
    if scheme in _REST:
        # Imported here: without these packages, a process that only uses gRPC is 7 MB smaller.
        from serving.client.rest import RestClient

        return RestClient(f"{scheme}://{addresses[0]}", tls)
    encrypted = tls if scheme == "grpcs" else None
    if len(addresses) == 1:
        return GrpcClient(open_channel(addresses[0], encrypted))
    certified = addresses[0].partition(":")[0]
    return GrpcClient(open_channel(f"ipv4:{','.join(addresses)}", encrypted, certified))


def _is_complete(scheme: str, addresses: Sequence[str]) -> bool:
    if len(addresses) > 1:
        # gRPC takes a list of IP addresses, and no list of names.
        return scheme in _GRPC and all(map(is_ipv4_address, addresses))
    if scheme in _REST:
        return is_address(addresses[0], needs_port=False)
    return scheme in _GRPC and is_address(addresses[0])
