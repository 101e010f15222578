"""Signature Version 4 of the requests that DynamoDB and KMS take."""

import time
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from hmac import digest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

__all__ = ["sign"]


def sign(
    headers: Mapping[str, str],
    body: bytes,
    credentials: "ReadOnlyCredentials",
    scope: tuple[str, str],
    now: float,
) -> dict[str, str]:
    """The headers of a `POST /` with its time and its signature, by Signature Version 4.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

    Args:
        headers: Headers to sign, with lower-case names, `host` among them.
        body: The body.
        credentials: Who asks.
        scope: Region and service.
        now: Seconds since the epoch.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    signed = {**headers, "x-amz-date": stamp}
    if credentials.token:
        signed["x-amz-security-token"] = credentials.token
    names = sorted(signed)
    lines = "".join(f"{name}:{signed[name]}\n" for name in names)
    canonical = f"POST\n/\n\n{lines}\n{';'.join(names)}\n{sha256(body).hexdigest()}"
    date = stamp[:8]
    path = f"{date}/{'/'.join(scope)}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{path}\n{sha256(canonical.encode()).hexdigest()}"
    signature = digest(_signing_key(credentials.secret_key, path), text.encode(), "sha256").hex()
    signed["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{path}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return signed


@lru_cache(maxsize=8)
def _signing_key(secret: str, path: str) -> bytes:
    """The key of a day, a region and a service."""
    key = f"AWS4{secret}".encode()
    for part in path.split("/"):
        key = digest(key, part.encode(), "sha256")
    return key
