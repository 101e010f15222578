"""Signed URLs: who may have a variant made, and until when.

The signature is one more option of the first segment, `s<expires>.<HMAC>`: an S3 website's redirect carries
no query string. It covers the segment as written, the key and the expiry. It guards the *making* of a
variant; a stored variant is as public as every object of a website bucket.
"""

import hmac
from base64 import urlsafe_b64encode

from shared.http import ForbiddenError

__all__ = ["sign", "verify"]


def _digest(secret: bytes, segment: str, key: str, expires: int) -> str:
    # A segment holds no slash and an expiry no line feed: no two requests share a message.
    message = f"{segment}/{key}\n{expires}".encode()
    return urlsafe_b64encode(hmac.digest(secret, message, "sha256")).rstrip(b"=").decode()


def sign(secret: bytes, segment: str, key: str, expires: int) -> str:
    """The signed path of a variant.

    Args:
        secret: The HMAC key.
        segment: Size and options, for example `300x300,webp`.
        key: The original's key, not URL-encoded.
        expires: Unix time in seconds from which the signature no longer holds.

    Returns:
        `<segment>,s<expires>.<HMAC-SHA256, base64url without padding>/<key>`.
    """
    return f"{segment},s{expires}.{_digest(secret, segment, key, expires)}/{key}"


def verify(secret: bytes, segment: str, key: str, signature: str | None, now: float) -> None:
    """Check a signature option.

    Args:
        secret: The HMAC key.
        segment: Size and options as they were written, less the signature.
        key: The original's key.
        signature: The option, `s<expires>.<HMAC>`, or None.
        now: Unix time in seconds.

    Raises:
        ForbiddenError: It is missing, wrong or expired.
    """
    if signature is None:
        raise ForbiddenError("signature_missing", "This image is made for signed requests only.")
    expiry, _, digest = signature[1:].partition(".")
    if (
        not hmac.compare_digest(digest, _digest(secret, segment, key, int(expiry)))
        or str(int(expiry)) != expiry
    ):
        raise ForbiddenError("signature_invalid", "The signature does not belong to this request.")
    if int(expiry) <= now:
        raise ForbiddenError("signature_expired", "The signature has expired.")
