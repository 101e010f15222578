"""KMS in memory: real boto3 clients, whose requests are answered before they reach a socket.

As AWS documents it (KMS Developer Guide, "Encryption context"; API Reference, "Decrypt"), a ciphertext is
authenticated, and bound to its key and encryption context.
"""

from __future__ import annotations

import base64
import io
import json
import os
import uuid
from typing import TYPE_CHECKING, Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.envelope import Envelope, Sealed

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

__all__ = ["DirectKms", "MemoryKms", "Region"]

_ID, _NONCE = 36, 12  # bytes of a ciphertext: the key's id, a nonce, then AES-256-GCM


class _Refused(Exception):
    """An error of KMS."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


class _Raw(io.BytesIO):
    """A body as botocore reads it."""

    def stream(self) -> list[bytes]:
        return [self.read()]


class MemoryKms:
    """The KMS of one region.

    Attributes:
        client: A boto3 client of it, that never tries twice.
        calls: The operations that were asked for.
        disabled: Ids of keys that are disabled.
        fault: What happens to every call: an error's code and HTTP status, or an exception of the connection.
    """

    def __init__(self, region: str = "eu-west-1") -> None:
        self.reset()
        self._keys: dict[str, AESGCM] = {}
        self.client: KMSClient = boto3.client(
            "kms",
            region_name=region,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106
            endpoint_url="https://kms.invalid",
            config=Config(retries={"total_max_attempts": 1}),
        )
        answer: Any = self._answer  # the stubs expect a handler without an answer
        self.client.meta.events.register("before-send.kms", answer)

    def reset(self) -> None:
        """Forget the calls, enable all keys, and end the fault."""
        self.calls: list[str] = []
        self.disabled: set[str] = set()
        self.fault: tuple[str, int] | Exception | None = None

    def key(self) -> str:
        """Create a key and return its id."""
        key_id = str(uuid.uuid4())
        self._keys[key_id] = AESGCM(os.urandom(32))
        return key_id

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        operation = request.headers["X-Amz-Target"].decode().partition(".")[2]
        self.calls.append(operation)
        if isinstance(self.fault, Exception):
            raise self.fault
        try:
            answer, status = getattr(self, f"_{operation}")(**json.loads(request.body)), 200
        except _Refused as refused:
            answer, status = {"__type": refused.code}, refused.status
        return AWSResponse(request.url, status, HTTPHeaders(), _Raw(json.dumps(answer).encode()))

    # The operations' parameters are named as KMS names them.
    # ruff: noqa: N802, N803

    def _GenerateDataKey(self, KeyId: str, KeySpec: str, EncryptionContext: dict[str, str]) -> dict[str, str]:
        if KeySpec != "AES_256":
            raise _Refused("ValidationException")
        plaintext = os.urandom(32)
        return {"Plaintext": _text(plaintext), **self._Encrypt(KeyId, _text(plaintext), EncryptionContext)}

    def _Encrypt(self, KeyId: str, Plaintext: str, EncryptionContext: dict[str, str]) -> dict[str, str]:
        key, nonce = self._usable(KeyId), os.urandom(_NONCE)
        sealed = key.encrypt(nonce, base64.b64decode(Plaintext), _associated(EncryptionContext))
        return {"KeyId": KeyId, "CiphertextBlob": _text(KeyId.encode() + nonce + sealed)}

    def _Decrypt(self, KeyId: str, CiphertextBlob: str, EncryptionContext: dict[str, str]) -> dict[str, str]:
        key, blob = self._usable(KeyId), base64.b64decode(CiphertextBlob)
        if len(blob) < _ID + _NONCE:
            raise _Refused("InvalidCiphertextException")
        if blob[:_ID] != KeyId.encode():
            raise _Refused("IncorrectKeyException")
        nonce, sealed = blob[_ID : _ID + _NONCE], blob[_ID + _NONCE :]
        try:
            plaintext = key.decrypt(nonce, sealed, _associated(EncryptionContext))
        except InvalidTag as error:
            raise _Refused("InvalidCiphertextException") from error
        return {"KeyId": KeyId, "Plaintext": _text(plaintext)}

    def _usable(self, key_id: str) -> AESGCM:
        if isinstance(self.fault, tuple):
            raise _Refused(*self.fault)
        if key_id not in self._keys:
            raise _Refused("NotFoundException")
        if key_id in self.disabled:
            raise _Refused("DisabledException", 409)
        return self._keys[key_id]


class DirectKms:
    """The same KMS without boto3's client, which takes twenty times as long as the cipher.

    Args:
        kms: The KMS in memory.
    """

    def __init__(self, kms: MemoryKms) -> None:
        self._kms = kms

    def __getattr__(self, method: str) -> Any:
        operation = method.title().replace("_", "")

        def call(**request: Any) -> dict[str, Any]:
            kms = self._kms
            kms.calls.append(operation)
            if isinstance(kms.fault, Exception):
                raise kms.fault
            sent = {name: _text(each) if isinstance(each, bytes) else each for name, each in request.items()}
            try:
                answer = getattr(kms, f"_{operation}")(**sent)
            except _Refused as refused:
                told: Any = {"Error": {"Code": refused.code, "Message": ""}}
                told["ResponseMetadata"] = {"HTTPStatusCode": refused.status}
                raise ClientError(told, operation) from refused
            blobs = {"Plaintext", "CiphertextBlob"}
            return {name: base64.b64decode(each) if name in blobs else each for name, each in answer.items()}

        return call


class Region:
    """A region's KMS, a key of it, and the envelope of that key."""

    def __init__(self, name: str) -> None:
        self.kms = MemoryKms(name)
        self.key_id = self.kms.key()
        self.envelope = Envelope(self.kms.client, self.key_id, name)

    def data_key(self, sealed: Sealed, context: dict[str, str]) -> bytes:
        """The record's data key in plain."""
        return self.kms.client.decrypt(
            KeyId=self.key_id,
            CiphertextBlob=sealed.keys[self.envelope.region],
            EncryptionContext=context,
        )["Plaintext"]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _associated(context: dict[str, str]) -> bytes:
    return json.dumps(sorted(context.items())).encode()
