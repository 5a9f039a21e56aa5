"""TLS on the gRPC port, set by TensorFlow Serving's file: `SSLConfig` as protobuf text."""

from __future__ import annotations

from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from serving.local.errors import invalid_argument
from serving.local.lifecycle.model_config import read_text_proto
from serving.wire import operations_pb2 as operations


def server_credentials(file: Path) -> grpc.ServerCredentials:
    """Reads the port's TLS credentials, which ask clients for a certificate if the file says so.

    Raises `StatusError` if the file cannot be read, or its keys and certificates do not match;
    gRPC itself would then report that the port cannot be bound.
    """
    config = read_text_proto(file, operations.SSLConfig())
    key, certificate, authority = (
        text.encode() for text in (config.server_key, config.server_cert, config.custom_ca)
    )
    try:
        _require_pair(key, certificate)
        if config.client_verify or authority:
            x509.load_pem_x509_certificates(authority)
    except (ValueError, TypeError) as error:
        raise invalid_argument(
            f"{file}: expected server_key and server_cert in PEM that belong together, and "
            f"custom_ca where client_verify is true. Received: {error}"
        ) from error
    return grpc.ssl_server_credentials(
        [(key, certificate)], authority or None, require_client_auth=config.client_verify
    )


def _require_pair(key: bytes, chain: bytes) -> None:
    """Raises `ValueError` or `TypeError` if either is invalid, or they do not match."""
    own, *_ = x509.load_pem_x509_certificates(chain)
    if load_pem_private_key(key, None).public_key() != own.public_key():
        raise ValueError("a certificate of another key")
