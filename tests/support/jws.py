"""JSON Web Signatures by hand: with any header and any claims, under a signature that holds."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import Algorithm, ECAlgorithm, OKPAlgorithm, RSAAlgorithm

__all__ = ["encoded", "signed"]


def encoded(part: Any) -> str:
    """Return bytes, text or anything that JSON can hold in base64url."""
    if not isinstance(part, bytes):
        part = (part if isinstance(part, str) else json.dumps(part)).encode()
    return urlsafe_b64encode(part).rstrip(b"=").decode()


def signed(header: Any, claims: Any, key: Any) -> str:
    """Return a JWS in compact form, signed as the key does it (with SHA-256, where it matters).

    Args:
        header: The header, as for :func:`encoded`.
        claims: The claims, likewise.
        key: A private key: P-256, P-384, RSA or Ed25519.
    """
    message = f"{encoded(header)}.{encoded(claims)}"
    return f"{message}.{encoded(_algorithm(key).sign(message.encode(), key))}"


def _algorithm(key: Any) -> Algorithm:
    if isinstance(key, rsa.RSAPrivateKey):
        return RSAAlgorithm(RSAAlgorithm.SHA256)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ECAlgorithm(ECAlgorithm.SHA384 if key.curve.name == "secp384r1" else ECAlgorithm.SHA256)
    return OKPAlgorithm()
