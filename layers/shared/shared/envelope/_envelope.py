"""The envelope: data keys by KMS, messages by the AWS Encryption SDK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as UnreachableError

from ._errors import EnvelopeError, KeyRefusedError, KeyUnavailableError, NoKeyError, TamperedError
from ._message import MAX_CONTEXT, open_message, seal_message
from ._sealed import Sealed

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

__all__ = ["Envelope"]

# AWS KMS API Reference, "Decrypt" and "Common Errors". A disabled key can be enabled again, and one that
# waits for its deletion (an invalid state) can be saved.
_RETRYABLE = {
    "DependencyTimeoutException",
    "DisabledException",
    "KMSInternalException",
    "KMSInvalidStateException",
    "KeyUnavailableException",
    "ThrottlingException",
}


class Envelope:
    """Encrypts and decrypts records with the KMS key of one region; safe to share between threads.

    Args:
        kms: A KMS client of the region.
        key_id: Id or ARN of the region's symmetric KMS key, or of an alias.
        region: The name under which wrapped keys of this KMS key are kept in a record.
    """

    def __init__(self, kms: KMSClient, key_id: str, region: str) -> None:
        self._kms = kms
        self._key_id = key_id
        self.region = region

    def encrypt(self, plaintext: bytes, context: Mapping[str, str]) -> Sealed:
        """Encrypt a record with a data key of its own: one GenerateDataKey.

        Args:
            plaintext: Any number of bytes; about 1 MiB is a sensible most, as it is all held in memory.
            context: What the record is bound to, such as its owner and version. It is not secret: it is a
                readable part of the message, and KMS writes it to CloudTrail.

        Raises:
            KeyUnavailableError: KMS cannot answer now.
            KeyRefusedError: KMS refuses.
            ValueError: A name in the context begins with `aws-crypto-`, which the SDK reserves; or the
                context has more than 65,535 bytes, or cannot be written as UTF-8.
        """
        _require_bindable(context)
        answer = self._call("generate_data_key", KeySpec="AES_256", EncryptionContext=dict(context))
        info = seal_message(plaintext, context, answer["Plaintext"])
        return Sealed(info, {self.region: answer["CiphertextBlob"]})

    def decrypt(self, sealed: Sealed, context: Mapping[str, str]) -> bytes:
        """Decrypt a record: one Decrypt, or none if the message is malformed or has another context.

        Args:
            sealed: The record.
            context: Exactly the context that it was encrypted with.

        Raises:
            WrongContextError: It has a pair more, less or other than that.
            TamperedError: Message or wrapped key are not what was written.
            NoKeyError: The record has no key of this region.
            KeyUnavailableError: KMS cannot answer now.
            KeyRefusedError: KMS refuses.
        """
        return open_message(sealed.info, context, lambda: self._unwrap(sealed, context))

    def wrap(self, sealed: Sealed, context: Mapping[str, str], other: Envelope) -> Sealed:
        """The record with its data key wrapped for another region too: a Decrypt here and an Encrypt there.

        The message itself is not looked at.

        Args:
            sealed: The record.
            context: Exactly the context that it was encrypted with.
            other: The envelope of the other region.

        Raises:
            TamperedError: The wrapped key is not what was written, or not with this context.
            NoKeyError: The record has no key of this region.
            KeyUnavailableError: KMS cannot answer now; `region` says where.
            KeyRefusedError: KMS refuses; `region` says where.
        """
        answer = other._call(
            "encrypt", Plaintext=self._unwrap(sealed, context), EncryptionContext=dict(context)
        )
        return replace(sealed, keys={**sealed.keys, other.region: answer["CiphertextBlob"]})

    def probe(self, context: Mapping[str, str]) -> None:
        """Wrap and unwrap something: an Encrypt and a Decrypt.

        Args:
            context: Of what is wrapped.

        Raises:
            KeyUnavailableError: KMS cannot answer now.
            KeyRefusedError: KMS refuses.
        """
        answer = self._call("encrypt", Plaintext=b"probe", EncryptionContext=dict(context))
        self._call("decrypt", CiphertextBlob=answer["CiphertextBlob"], EncryptionContext=dict(context))

    def _unwrap(self, sealed: Sealed, context: Mapping[str, str]) -> bytes:
        if self.region not in sealed.keys:
            raise NoKeyError(self.region)
        answer = self._call(
            "decrypt", CiphertextBlob=sealed.keys[self.region], EncryptionContext=dict(context)
        )
        key: bytes = answer["Plaintext"]
        return key

    def _call(self, operation: str, **request: Any) -> Any:
        try:
            return getattr(self._kms, operation)(KeyId=self._key_id, **request)
        except (ClientError, BotoCoreError) as error:
            refusal = self._refusal(operation, error)
        # Raised out here and without the request: an error keeps its frames, and these hold the key to wrap.
        request.clear()
        raise refusal

    def _refusal(self, operation: str, error: ClientError | BotoCoreError) -> EnvelopeError:
        if isinstance(error, ClientError):
            code = error.response["Error"]["Code"]
            if code == "InvalidCiphertextException":
                return TamperedError("the wrapped key is not what was written with this context")
            retryable = code in _RETRYABLE or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
        else:
            code = type(error).__name__
            retryable = isinstance(error, HTTPClientError | UnreachableError)
        return (KeyUnavailableError if retryable else KeyRefusedError)(self.region, operation, code)


def _require_bindable(context: Mapping[str, str]) -> None:
    if any(name.startswith("aws-crypto-") for name in context):
        raise ValueError("names of a context that begin with aws-crypto- are reserved")
    if 2 + sum(4 + len(name.encode()) + len(value.encode()) for name, value in context.items()) > MAX_CONTEXT:
        raise ValueError(f"a context has at most {MAX_CONTEXT:,} bytes")
