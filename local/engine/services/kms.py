"""AWS KMS: ciphertext is authenticated, and bound to its key and encryption context."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from ministack.core.responses import error_response_json, json_response
from ministack.services import kms

from local.engine.patching import pin, replaces

Key = dict[str, Any]

# A ciphertext: key id, this mark, nonce, AES-256-GCM. The emulator's own form, without the mark, remains for
# data key pairs.
_KEY_ID_BYTES, _NONCE_BYTES = 36, 12
_MARK = b"\x02GCM"
_LARGEST_PLAINTEXT = 4096


class _Refused(Exception):
    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code)
        self.answer = error_response_json(code, message, 400)


def _associated(key: Key, context: dict[str, str]) -> bytes:
    return json.dumps([key["KeyId"], sorted(context.items())]).encode()


def _seal(key: Key, plaintext: bytes, context: dict[str, str]) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(key["_symmetric_key"]).encrypt(nonce, plaintext, _associated(key, context))
    return bytes(key["KeyId"].encode() + _MARK + nonce + sealed)


def _open(key: Key, blob: bytes, context: dict[str, str]) -> bytes:
    body = blob[_KEY_ID_BYTES + len(_MARK) :]
    try:
        return AESGCM(key["_symmetric_key"]).decrypt(
            body[:_NONCE_BYTES], body[_NONCE_BYTES:], _associated(key, context)
        )
    except (InvalidTag, ValueError) as error:
        raise _Refused("InvalidCiphertextException") from error


def _is_sealed(blob: bytes) -> bool:
    return blob[_KEY_ID_BYTES : _KEY_ID_BYTES + len(_MARK)] == _MARK


def _usable(key_id: str, operation: str) -> Key:
    """Return a key that may be used.

    Raises:
        _Refused: There is none of that name, or its state or kind forbids it.
    """
    key: Key | None = kms._resolve_key(key_id)
    if key is None:
        raise _Refused("NotFoundException", f"Key '{key_id}' does not exist")
    refused = kms._check_key_state(key) or kms._reject_hmac_key(key, operation)
    if refused:
        error = _Refused("InvalidKeyUsageException")
        error.answer = refused
        raise error
    return key


def _key_of(blob: bytes, named: str, operation: str) -> Key:
    """Return the key that a ciphertext was made with, which has to be the named one if one is named."""
    embedded = blob[:_KEY_ID_BYTES].decode("ascii", errors="replace")
    if named:
        key = _usable(named, operation)
        if key["KeyId"] != embedded:
            message = "The key ID in the request does not identify a CMK that can perform this operation."
            raise _Refused("IncorrectKeyException", message)
        return key
    if kms._resolve_key(embedded) is None:
        message = (
            "The ciphertext refers to a customer master key that does not exist, "
            "does not exist in this region, or you are not allowed to access."
        )
        raise _Refused("AccessDeniedException", message)
    return _usable(embedded, operation)


@replaces(kms, "_encrypt", digest="27489558008d")
def _encrypt(original: Callable[..., Any], data: dict[str, Any]) -> Any:
    """Encrypt: authenticated encryption, bound to key and encryption context; at most 4,096 bytes"""
    key = kms._resolve_key(data.get("KeyId", ""))
    if key is not None and "_symmetric_key" not in key:
        return original(data)
    try:
        key = _usable(data.get("KeyId", ""), "Encrypt")
        plaintext = base64.b64decode(data.get("Plaintext", ""))
        if not 1 <= len(plaintext) <= _LARGEST_PLAINTEXT:
            return error_response_json(
                "ValidationException",
                "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: "
                "Member must have length less than or equal to 4096",
                400,
            )
        blob = _seal(key, plaintext, data.get("EncryptionContext") or {})
    except _Refused as refused:
        return refused.answer
    return json_response(
        {
            "KeyId": key["Arn"],
            "CiphertextBlob": base64.b64encode(blob).decode(),
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        }
    )


@replaces(kms, "_decrypt", digest="8a00105d85b0")
def _decrypt(original: Callable[..., Any], data: dict[str, Any]) -> Any:
    """Decrypt: another key, another region's key, another context or a changed byte are refused"""
    blob = base64.b64decode(data.get("CiphertextBlob", ""))
    if not _is_sealed(blob):
        return original(data)
    try:
        key = _key_of(blob, data.get("KeyId", ""), "Decrypt")
        plaintext = _open(key, blob, data.get("EncryptionContext") or {})
    except _Refused as refused:
        return refused.answer
    return json_response(
        {
            "KeyId": key["Arn"],
            "Plaintext": base64.b64encode(plaintext).decode(),
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        }
    )


@replaces(kms, "_generate_data_key_common", digest="9f8997377f8e")
def _generate_data_key(
    original: Callable[..., Any], data: dict[str, Any], action: str = "GenerateDataKey"
) -> tuple[Key | None, bytes | None, Any]:
    """GenerateDataKey: the wrapped data key is authenticated, and bound to key and encryption context"""
    key, data_key, answer = original(data, action)
    if key is None:
        return None, None, answer
    return key, data_key, _seal(key, data_key, data.get("EncryptionContext") or {})


def _re_encrypt(data: dict[str, Any]) -> Any:
    blob = base64.b64decode(data.get("CiphertextBlob", ""))
    try:
        if not _is_sealed(blob):
            return error_response_json("InvalidCiphertextException", "", 400)
        source = _key_of(blob, data.get("SourceKeyId", ""), "ReEncrypt")
        plaintext = _open(source, blob, data.get("SourceEncryptionContext") or {})
        target = _usable(data.get("DestinationKeyId", ""), "ReEncrypt")
        sealed = _seal(target, plaintext, data.get("DestinationEncryptionContext") or {})
    except _Refused as refused:
        return refused.answer
    return json_response(
        {
            "CiphertextBlob": base64.b64encode(sealed).decode(),
            "SourceKeyId": source["Arn"],
            "KeyId": target["Arn"],
            "SourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
            "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        }
    )


@replaces(kms, "handle_request", digest="cbcba1e01b41")
async def _handle(
    original: Callable[..., Any],
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query: dict[str, Any],
) -> Any:
    """ReEncrypt is there"""
    if headers.get("x-amz-target", "").endswith(".ReEncrypt"):
        return _re_encrypt(json.loads(body))
    return await original(method, path, headers, body, query)


pin(kms, "_resolve_key", "90e6b84ded7c")
pin(kms, "_check_key_state", "d0518d69f8e5")
