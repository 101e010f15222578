"""What an authenticator app shows."""

from __future__ import annotations

import time
from base64 import b32decode

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

__all__ = ["totp"]


def totp(secret: str, later: int = 0) -> str:
    """Return the code of a secret in base32, the present one or that of some seconds later."""
    return TOTP(b32decode(secret), 6, SHA1(), 30).generate(int(time.time()) + later).decode()  # noqa: S303
