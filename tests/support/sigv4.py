"""AWS Signature Version 4 as a service checks it, written from its description and not from botocore.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlsplit

__all__ = ["is_signed"]


def is_signed(method: str, path: str, headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Tell whether a request carries the right signature of a secret access key.

    Args:
        method: Such as `POST`.
        path: Path and query as they came.
        headers: As they came.
        body: As it came.
        secret: The secret access key of whom the request names.
    """
    given = {name.lower(): value.strip() for name, value in headers.items()}
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=[^/]+/(?P<scope>[^,]+), SignedHeaders=(?P<names>[^,]+), "
        r"Signature=(?P<signature>[0-9a-f]{64})",
        given.get("authorization", ""),
    )
    if not found:
        return False
    names = found["names"].split(";")
    assert {"host", "x-amz-date"} <= set(names)
    parts = urlsplit(path)
    query = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    )
    canonical = "\n".join(
        [
            method,
            quote(parts.path, safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{given[name]}" for name in names),
            "",
            found["names"],
            hashlib.sha256(body).hexdigest(),
        ]
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{given['x-amz-date']}\n{found['scope']}\n{digest}"
    key = f"AWS4{secret}".encode()
    for part in found["scope"].split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), found["signature"])
