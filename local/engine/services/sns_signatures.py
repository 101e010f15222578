"""Amazon SNS: messages are signed with a key that the engine makes at its start; it serves the certificate.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html: the string to sign has a line
with the name and a line with the value of some keys, in byte order of their names; version 1 is RSA with
SHA1, version 2 RSA with SHA256.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from local.engine.asgi import App, Receive, Scope, Send, respond

__all__ = ["BASE_URL", "signed", "wrap"]

BASE_URL = f"http://127.0.0.1:{os.environ.get('GATEWAY_PORT', '4566')}"

_PREFIX = "/SimpleNotificationService-"
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


@cache
def _key() -> Any:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def _certificate() -> bytes:
    """Return the certificate of the key, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(_key().public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
    )
    return builder.sign(_key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _certificate_path() -> str:
    return f"{_PREFIX}{hashlib.sha256(_certificate()).hexdigest()[:32]}.pem"


def signed(document: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return a message with its signature.

    Args:
        document: ``Type``, ``MessageId``, ``Message`` and so on; a ``Subject`` of None is not signed.
        version: ``1`` or ``2``, from the topic's attribute ``SignatureVersion``.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    names = _NOTIFICATION if document["Type"] == "Notification" else _CONFIRMATION
    text = "".join(f"{name}\n{document[name]}\n" for name in names if document.get(name) is not None)
    algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()  # noqa: S303 - version 1 is SHA1
    signature = _key().sign(text.encode(), padding.PKCS1v15(), algorithm)
    return {
        **document,
        "SignatureVersion": version,
        "Signature": base64.b64encode(signature).decode(),
        "SigningCertURL": BASE_URL + _certificate_path(),
    }


def wrap(app: App) -> App:
    """Answer the certificate's path before the emulator."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and path.startswith(_PREFIX) and path == _certificate_path():
            await respond(send, 200, {"content-type": "application/x-pem-file"}, _certificate())
        else:
            await app(scope, receive, send)

    return application
