"""The gRPC channel of a client: reconnects within milliseconds, spreads calls, and retries.

A channel leads to one server, or to several interchangeable servers.
"""

from __future__ import annotations

import json

import grpc

from serving.client.interface import CONNECT_SECONDS
from serving.client.tls import Tls
from serving.wire import methods

# A server that ends drops the calls that it had begun. A prediction changes nothing, so it may be
# retried on another server. Under a lasting failure retries stop.
_RETRIES = {
    "methodConfig": [
        {
            "name": [{"service": methods.PREDICT.split("/")[1]}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.02s",
                "maxBackoff": "0.2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
}
# Buffer for the retries of a call; sixteen photos are 2.4 MB, for the counter 9.6 MB.
_RETRY_BYTES = 2**24
_OPTIONS = (
    *methods.UNLIMITED_MESSAGES,
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", int(1000 * CONNECT_SECONDS)),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.enable_http_proxy", 0),
    # Spreads calls over all addresses of a name, such as a headless service's.
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.service_config", json.dumps(_RETRIES)),
    ("grpc.per_rpc_retry_buffer_size", _RETRY_BYTES),
)


def open_channel(target: str, tls: Tls | None = None, certified: str = "") -> grpc.Channel:
    """Opens a channel, which connects at its first call.

    Args:
        target: `host:port`, or another form that gRPC accepts.
        tls: None for plain text.
        certified: the name that the server's certificate must have, if it is not the host.

    Raises:
        OSError: a file of `tls` cannot be read.
    """
    if tls is None:
        return grpc.insecure_channel(target, options=_OPTIONS)
    name = (("grpc.ssl_target_name_override", certified),) if certified else ()
    return grpc.secure_channel(target, _credentials(tls), options=(*_OPTIONS, *name))


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    files = (tls.ca, tls.key, tls.cert)
    return grpc.ssl_channel_credentials(*(file.read_bytes() if file else None for file in files))
