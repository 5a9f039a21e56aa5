"""Keys and certificates for a model server that speaks TLS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Tls:
    """Files in PEM; they are read when a client is made.

    Attributes:
        ca: certificates of the authorities that may have signed the server's; None for the
            authorities that `requests` (REST) or gRPC bundles.
        cert: the client's own certificate, shown to a server that asks for one.
        key: its private key.

    Raises:
        ValueError: a certificate without a key, or the other way round.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        """Raises `ValueError` if only one of certificate and key is given."""
        if (self.cert is None) != (self.key is None):
            raise ValueError(
                "Expected a client's certificate and its key, or neither. "
                f"Received: certificate {self.cert}, key {self.key}."
            )

    @classmethod
    def of(cls, ca: str, cert: str, key: str) -> Tls:
        """Creates a `Tls` from paths as text; an empty text means no file."""
        return cls(*(Path(text) if text else None for text in (ca, cert, key)))


NO_TLS = Tls()
"""No client certificate, and the default authorities."""


def require_encryption(url: str, tls: Tls) -> None:
    """Raises `ValueError` if certificates are set but the URL is plain text."""
    if tls != NO_TLS and urlsplit(url).scheme not in ("grpcs", "https"):
        raise ValueError(f"Certificates are set: expected grpcs:// or https://. Received: {url!r}")
