"""Fetches the certificates with which SNS signs, and keeps them while the function lives."""

import ssl
from functools import lru_cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from .sns_signature import CertificateLoader, NotVerifiedError

__all__ = ["MAX_BYTES", "TIMEOUT_S", "loader"]

TIMEOUT_S = 3.0
"""To connect, and for each part of the answer; API Gateway waits 29 s in all."""
MAX_BYTES = 16_384
"""A certificate of SNS's has about 2 KB."""
_KEPT = 8  # one for each region, and their successors


def loader(sns_endpoint: str = "") -> CertificateLoader:
    """What fetches certificates.

    Args:
        sns_endpoint: The local engine's base address. Without one, which is AWS, there is https alone.
    """
    return _fetch_from_engine if sns_endpoint else _fetch


@lru_cache(_KEPT)
def _fetch(address: str) -> bytes:
    """A certificate by https, from a host that shows a certificate for its name."""
    url = urlsplit(address)
    if url.scheme != "https":
        raise OSError("a certificate is fetched by https alone")
    return _get(
        HTTPSConnection(url.netloc, timeout=TIMEOUT_S, context=ssl.create_default_context()), url.path
    )


@lru_cache(_KEPT)
def _fetch_from_engine(address: str) -> bytes:
    """A certificate of the local engine, by plain http."""
    url = urlsplit(address)
    return _get(HTTPConnection(url.netloc, timeout=TIMEOUT_S), url.path)


def _get(connection: HTTPConnection, path: str) -> bytes:
    """The body of an answer: a redirection is none, and a proxy is not asked.

    Raises:
        NotVerifiedError: The host has no such certificate.
        OSError: There is no such answer. Nothing is remembered of it.
    """
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(MAX_BYTES + 1)
    except HTTPException as error:
        raise OSError(f"no certificate: {type(error).__name__}") from error
    finally:
        connection.close()
    if 400 <= answer.status < 500:
        raise NotVerifiedError("certificate_unusable")
    if answer.status != 200 or len(body) > MAX_BYTES:
        raise OSError(f"no certificate: status {answer.status}, {len(body)} bytes")
    return body
