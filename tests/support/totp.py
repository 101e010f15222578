"""What an authenticator app shows."""

from __future__ import annotations

import time
from base64 import b32decode

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

__all__ = ["totp"]


def totp(secret: str) -> str:
    """Return the present code of a secret in base32."""
    return TOTP(b32decode(secret), 6, SHA1(), 30).generate(int(time.time())).decode()  # noqa: S303
