"""Messages of the AWS Encryption SDK, by its raw keys and without the Material Providers Library.

The library costs several times as much for each record (bench/envelope.py). The SDK imports it if it is
installed, so the layer does not have it.
"""

import io
import logging
from collections.abc import Callable, Mapping
from typing import Any

from aws_encryption_sdk import Algorithm, CommitmentPolicy, EncryptionSDKClient
from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError
from aws_encryption_sdk.identifiers import EncryptionKeyType, WrappingAlgorithm
from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
from aws_encryption_sdk.key_providers.raw import RawMasterKey
from aws_encryption_sdk.materials_managers.default import DefaultCryptoMaterialsManager
from cryptography.exceptions import InvalidTag

from ._errors import TamperedError, WrongContextError

__all__ = ["MAX_CONTEXT", "open_message", "seal_message"]

# Both are written into every message; docs/envelope.md tells other languages.
_NAMESPACE = "shared.envelope"
_NAME = b"kms-data-key"

MAX_CONTEXT = 65_535
"""Bytes of a serialized context (AWS Encryption SDK message format reference, "AAD length": 2 bytes)."""

# One frame holds every record that a stream or a table can hold.
_FRAME = 1024 * 1024

_CLIENT = EncryptionSDKClient(
    commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT, max_encrypted_data_keys=1
)
# The SDK logs every record's encryption context as information.
logging.getLogger("aws_encryption_sdk").setLevel(logging.WARNING)


def seal_message(plaintext: bytes, context: Mapping[str, str], key: bytes) -> bytes:
    """Encrypt with AES-256-GCM, HKDF with SHA-512 and key commitment, without a signature.

    Args:
        plaintext: Any number of bytes.
        context: Becomes part of the message, readable and authenticated; at most `MAX_CONTEXT` bytes.
        key: 32 bytes, which wrap the message's own data key.
    """
    message, _ = _CLIENT.encrypt(
        source=plaintext,
        key_provider=_master_key(key),
        encryption_context=dict(context),
        algorithm=Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY,
        frame_length=_FRAME,
    )
    return bytes(message)


def open_message(message: bytes, context: Mapping[str, str], key: Callable[[], bytes]) -> bytes:
    """Decrypt what `seal_message` made, here or in another language.

    Args:
        message: The message.
        context: The context that it has to have.
        key: Returns the key, and is called only when the message is well-formed and has that context.

    Raises:
        TamperedError: The message is not what was sealed with this key.
        WrongContextError: It has another context.
    """
    plaintext = _read(message, _Expected(dict(context), key))
    # Raised out here, because an error keeps its frames, and those of the SDK hold the key.
    if plaintext is None:
        raise TamperedError("the message is not what was written")
    return plaintext


def _read(message: bytes, materials: DefaultCryptoMaterialsManager) -> bytes | None:
    """The plaintext; None if there is anything but one message of our algorithm and of this key.

    The SDK's simpler `decrypt` logs a traceback of what it refuses, and ignores bytes behind a message.
    """
    source = io.BytesIO(message)
    # Committing (the client's policy) and unsigned: that is our algorithm alone.
    decryptor = _CLIENT.stream(mode="decrypt-unsigned", source=source, materials_manager=materials)
    try:
        plaintext = bytes(decryptor.read(len(message)))
        return None if source.read(1) else plaintext
    except (AWSEncryptionSDKClientError, InvalidTag, ValueError):
        return None
    finally:
        # Python would call the SDK's own close, which raises after a refusal, and print what it raises.
        io.IOBase.close(decryptor)


class _Expected(DefaultCryptoMaterialsManager):  # type: ignore[misc]  # the SDK has no types
    """Looks at a message's context before it asks for the key, which costs a call."""

    def __init__(self, context: dict[str, str], key: Callable[[], bytes]) -> None:
        self._context = context
        self._key = key

    def decrypt_materials(self, request: Any) -> Any:
        if request.encryption_context != self._context:
            raise WrongContextError("the record is bound to another encryption context")
        self.master_key_provider = _master_key(self._key())
        return super().decrypt_materials(request)


def _master_key(key: bytes) -> RawMasterKey:
    wrapping = WrappingAlgorithm.AES_256_GCM_IV12_TAG16_NO_PADDING
    wrapping_key = WrappingKey(wrapping, key, EncryptionKeyType.SYMMETRIC)
    return RawMasterKey(provider_id=_NAMESPACE, key_id=_NAME, wrapping_key=wrapping_key)
