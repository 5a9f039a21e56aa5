"""A statement with its signature, as a Sigstore bundle: DSSE, ECDSA with the site's own key.

https://github.com/secure-systems-lab/dsse specifies the signed bytes, and
https://docs.sigstore.dev/about/bundle/ specifies the format of the bundle.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from serving.signing.manifest import Untrusted

_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_CURVES: dict[str, type[hashes.HashAlgorithm]] = {
    "secp256r1": hashes.SHA256,
    "secp384r1": hashes.SHA384,
    "secp521r1": hashes.SHA512,
}
# Keyless signatures and those by a private authority have one of these instead of a key's hint.
_CERTIFICATES = {"certificate", "x509CertificateChain"}
_BY_CERTIFICATE = (
    "It is signed with a certificate, as keyless signatures are, and not by the site's key. "
    "`model_signing verify` can tell whose it is; sign the version by the site's key after that."
)
_EXPECTED = "Expected an elliptic-curve key in PEM, unencrypted, of P-256, P-384 or P-521"


def private_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Reads a key to sign with; raises `ValueError` if the text has no such key."""
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"{_EXPECTED}. Received: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in _CURVES:
        raise ValueError(f"{_EXPECTED}. Received another kind of key.")
    return key


def public_key(pem: bytes) -> ec.EllipticCurvePublicKey:
    """Reads a key to verify with; raises `ValueError` if the text has no such key."""
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"{_EXPECTED}. Received: {error}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _CURVES:
        raise ValueError(f"{_EXPECTED}. Received another kind of key.")
    return key


def seal(payload: bytes, key: ec.EllipticCurvePrivateKey) -> str:
    """Signs a statement.

    Returns:
        The bundle, as JSON.
    """
    public = key.public_key()
    signature = key.sign(_authenticated(payload), _algorithm(public))
    bundle = {
        "mediaType": _MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": _hint(public)}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": b64encode(payload).decode(),
            "payloadType": _PAYLOAD_TYPE,
            "signatures": [{"sig": b64encode(signature).decode(), "keyid": ""}],
        },
    }
    return json.dumps(bundle)


def unseal(bundle: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    """Verifies a bundle's signature, and returns its statement.

    Raises:
        Untrusted: the bundle is malformed, or its signature is not by this key.
    """
    try:
        told: dict[str, Any] = json.loads(bundle)
        envelope, material = told["dsseEnvelope"], set(told.get("verificationMaterial") or ())
        kind = envelope["payloadType"]
        payload = b64decode(envelope["payload"], validate=True)
        signature = b64decode(envelope["signatures"][0]["sig"], validate=True)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise Untrusted(f"It is no signature: {error!r}") from error
    if kind != _PAYLOAD_TYPE:
        raise Untrusted(f"Expected a signed {_PAYLOAD_TYPE}. Received: {kind!r}.")
    try:
        key.verify(signature, _authenticated(payload), _algorithm(key))
    except InvalidSignature as error:
        said = (
            _BY_CERTIFICATE
            if material & _CERTIFICATES
            else "The signature is not by the site's key."
        )
        raise Untrusted(said) from error
    return payload


def _authenticated(payload: bytes) -> bytes:
    """Returns DSSE's pre-authentication encoding: type and payload, each with its length."""
    kind = _PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _algorithm(key: ec.EllipticCurvePublicKey) -> ec.ECDSA:
    return ec.ECDSA(_CURVES[key.curve.name]())


def _hint(key: ec.EllipticCurvePublicKey) -> str:
    """Returns the digest of a key's PEM text, which identifies the key."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.PEM, form)).hexdigest()
