"""AWS KMS: ciphertext is authenticated, and bound to its key and encryption context."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from ministack.core.responses import error_response_json, json_response
from ministack.services import kms

from local.engine.authorization import Request, conditions, request_keys
from local.engine.patching import PATCHES, Patch, pin, replaces

Key = dict[str, Any]

# A ciphertext: key id, this mark, nonce, AES-256-GCM.
_KEY_ID_BYTES, _NONCE_BYTES = 36, 12
_MARK = b"\x02GCM"
_LARGEST_PLAINTEXT = 4096
_SYMMETRIC = "SYMMETRIC_DEFAULT"
# What keys were made of before they were rotated, the newest first, by id: replicas have the same.
_former_materials: dict[str, list[bytes]] = {}


class _Refused(Exception):
    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code)
        self.answer = error_response_json(code, message, 400)

    @classmethod
    def by_emulator(cls, answer: Any) -> _Refused:
        """Return what carries the emulator's own refusal."""
        refused = cls("")
        refused.answer = answer
        return refused


def _associated(key: Key, context: dict[str, str]) -> bytes:
    return json.dumps([key["KeyId"], sorted(context.items())]).encode()


def _seal(key: Key, plaintext: bytes, context: dict[str, str]) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(key["_symmetric_key"]).encrypt(nonce, plaintext, _associated(key, context))
    return bytes(key["KeyId"].encode() + _MARK + nonce + sealed)


def _open(key: Key, blob: bytes, context: dict[str, str]) -> bytes:
    body = blob[_KEY_ID_BYTES + len(_MARK) :]
    for material in (key["_symmetric_key"], *_former_materials.get(key["KeyId"], ())):
        with suppress(InvalidTag, ValueError):
            nonce, sealed = body[:_NONCE_BYTES], body[_NONCE_BYTES:]
            return AESGCM(material).decrypt(nonce, sealed, _associated(key, context))
    raise _Refused("InvalidCiphertextException")


def _is_sealed(blob: bytes) -> bool:
    return blob[_KEY_ID_BYTES : _KEY_ID_BYTES + len(_MARK)] == _MARK


def _usable(key_id: str, operation: str) -> Key:
    """Return a key that may encrypt and decrypt.

    Raises:
        _Refused: There is none of that name, or its state or kind forbids it.
    """
    key: Key | None = kms._resolve_key(key_id)
    if key is None:
        raise _Refused("NotFoundException", f"Key '{key_id}' does not exist")
    if refused := kms._check_key_state(key):
        raise _Refused.by_emulator(refused)
    if key["KeyUsage"] != "ENCRYPT_DECRYPT":
        message = f"{key['Arn']} key usage is {key['KeyUsage']} which is not valid for {operation}."
        raise _Refused("InvalidKeyUsageException", message)
    return key


def _key_of(blob: bytes, named: str, operation: str) -> Key:
    """Return the key that a ciphertext was made with, which has to be the named one if one is named."""
    embedded = blob[:_KEY_ID_BYTES].decode("ascii", errors="replace")
    if named:
        key = kms._resolve_key(named)
        if key is not None and key["KeyId"] != embedded:  # whatever it is for
            message = "The key ID in the request does not identify a CMK that can perform this operation."
            raise _Refused("IncorrectKeyException", message)
        return _usable(named, operation)
    if kms._resolve_key(embedded) is None:
        message = (
            "The ciphertext refers to a customer master key that does not exist, "
            "does not exist in this region, or you are not allowed to access."
        )
        raise _Refused("AccessDeniedException", message)
    return _usable(embedded, operation)


def _encrypted(
    plaintext: bytes, named: str, context: dict[str, str], algorithm: str, operation: str
) -> tuple[Key, bytes]:
    """Return the named key and what it makes of a plaintext.

    Raises:
        _Refused: With AWS's error.
    """
    key = _usable(named, operation)
    if refused := kms._algorithm_error(key, algorithm, "EncryptionAlgorithms"):
        raise _Refused.by_emulator(refused)
    if not 1 <= len(plaintext) <= _LARGEST_PLAINTEXT:
        message = (
            "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: "
            "Member must have length less than or equal to 4096"
        )
        raise _Refused("ValidationException", message)
    if "_symmetric_key" in key:
        return key, _seal(key, plaintext, context)
    _refuse_context(context)
    public = key["_private_key"].public_key()
    padding = kms._oaep_padding(algorithm)
    # RFC 8017, 7.1.1: the modulus less two hashes and two bytes.
    largest = public.key_size // 8 - 2 * padding.algorithm.digest_size - 2
    if len(plaintext) > largest:
        message = f"Algorithm {algorithm} and key spec {key['KeySpec']} cannot encrypt data larger than "
        raise _Refused("ValidationException", f"{message}{largest} bytes.")
    return key, public.encrypt(plaintext, padding)


def _decrypted(
    blob: bytes, named: str, context: dict[str, str], algorithm: str, operation: str
) -> tuple[Key, bytes]:
    """Return the key that a ciphertext was made with, and its plaintext.

    Raises:
        _Refused: With AWS's error.
    """
    if _is_sealed(blob):
        key = _key_of(blob, named, operation)
        if refused := kms._algorithm_error(key, algorithm, "EncryptionAlgorithms"):
            raise _Refused.by_emulator(refused)
        return key, _open(key, blob, context)
    key = _usable(named, operation) if named else {}
    if "_private_key" not in key:
        raise _Refused("InvalidCiphertextException")
    return key, _decrypted_by_private_key(key, blob, context, algorithm)


def _decrypted_by_private_key(key: Key, blob: bytes, context: dict[str, str], algorithm: str) -> bytes:
    _refuse_context(context)
    if algorithm not in key["EncryptionAlgorithms"]:
        raise _Refused("InvalidCiphertextException")
    try:
        return bytes(key["_private_key"].decrypt(blob, kms._oaep_padding(algorithm)))
    except ValueError as error:
        raise _Refused("InvalidCiphertextException") from error


def _refuse_context(context: dict[str, str]) -> None:
    """Refuse an encryption context where the key is asymmetric: nothing would bind it."""
    if context:
        message = "EncryptionContext is not supported with asymmetric keys"
        raise _Refused("UnsupportedOperationException", message)


@replaces(kms, "_encrypt", digest="27489558008d")
def _encrypt(_original: Callable[..., Any], data: dict[str, Any]) -> Any:
    """Encrypt: authenticated encryption, bound to key and encryption context; sizes and uses as on AWS"""
    algorithm = data.get("EncryptionAlgorithm") or _SYMMETRIC
    try:
        key, blob = _encrypted(
            base64.b64decode(data.get("Plaintext", "")),
            data.get("KeyId", ""),
            data.get("EncryptionContext") or {},
            algorithm,
            "Encrypt",
        )
    except _Refused as refused:
        return refused.answer
    return json_response(
        {
            "KeyId": key["Arn"],
            "CiphertextBlob": base64.b64encode(blob).decode(),
            "EncryptionAlgorithm": algorithm,
        }
    )


@replaces(kms, "_decrypt", digest="8a00105d85b0")
def _decrypt(_original: Callable[..., Any], data: dict[str, Any]) -> Any:
    """Decrypt: another key, another region's key, another context or a changed byte are refused"""
    algorithm = data.get("EncryptionAlgorithm") or _SYMMETRIC
    try:
        key, plaintext = _decrypted(
            base64.b64decode(data.get("CiphertextBlob", "")),
            data.get("KeyId", ""),
            data.get("EncryptionContext") or {},
            algorithm,
            "Decrypt",
        )
    except _Refused as refused:
        return refused.answer
    return json_response(
        {
            "KeyId": key["Arn"],
            "Plaintext": base64.b64encode(plaintext).decode(),
            "EncryptionAlgorithm": algorithm,
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


@replaces(kms, "_generate_data_key_pair_common", digest="c8f0759d9b8f")
def _generate_data_key_pair(original: Callable[..., Any], data: dict[str, Any], action: str) -> Any:
    """GenerateDataKeyPair: the wrapped private key is authenticated, and bound to key and context"""
    payload, private_key, answer = original(data, action)
    if payload is not None:
        key = kms._resolve_key(payload["KeyId"])
        blob = _seal(key, private_key, data.get("EncryptionContext") or {})
        payload["PrivateKeyCiphertextBlob"] = base64.b64encode(blob).decode()
    return payload, private_key, answer


@conditions("kms")
def _aliases(arn: str) -> dict[str, list[str]]:
    # https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-resource-aliases:
    # "controls access to a KMS key based on the aliases that are associated with the KMS key"; multi-valued.
    key = kms._resolve_key(arn)
    names = [
        name.partition(f":{key['Arn'].split(':')[4]}:")[2]
        for name, target in kms._aliases.items()
        if key is not None and target == key["KeyId"]
    ]
    return {"kms:resourcealiases": names} if names else {}


@request_keys("kms")
def _encryption_context(request: Request) -> dict[str, str]:
    # "you can use the kms:EncryptionContext:context-key condition key to require a particular encryption
    # context": https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
    pairs = request.document().get("EncryptionContext")
    return {f"kms:encryptioncontext:{name}".lower(): str(value) for name, value in (pairs or {}).items()}


PATCHES += [
    Patch(
        "ministack.core.iam_evaluator (condition key)",
        "IAM sees `kms:ResourceAliases`: the aliases of the key that a request uses",
    ),
    Patch(
        "ministack.core.iam_evaluator (condition keys of a request)",
        "IAM sees `kms:EncryptionContext:...`: the pairs of a request's encryption context",
    ),
]


def _rotate(data: dict[str, Any]) -> Any:
    """RotateKeyOnDemand: new material for what is encrypted from now on; what was made before is kept."""
    key = kms._resolve_key(data.get("KeyId", ""))
    if key is None:
        return error_response_json("NotFoundException", f"Key '{data.get('KeyId')}' does not exist", 400)
    if "_symmetric_key" not in key or key.get("_mrk_type") == "REPLICA":
        return error_response_json("UnsupportedOperationException", f"{key['Arn']} cannot be rotated.", 400)
    if refused := kms._check_key_state(key):
        return refused
    _former_materials.setdefault(key["KeyId"], []).insert(0, key["_symmetric_key"])
    material = os.urandom(len(key["_symmetric_key"]))
    for member in (key, *(replica for _region, replica in kms._mrk_members(key))):
        member["_symmetric_key"] = material
    return json_response({"KeyId": key["KeyId"]})


def _re_encrypt(data: dict[str, Any]) -> Any:
    source_algorithm = data.get("SourceEncryptionAlgorithm") or _SYMMETRIC
    algorithm = data.get("DestinationEncryptionAlgorithm") or _SYMMETRIC
    try:
        source, plaintext = _decrypted(
            base64.b64decode(data.get("CiphertextBlob", "")),
            data.get("SourceKeyId", ""),
            data.get("SourceEncryptionContext") or {},
            source_algorithm,
            "ReEncrypt",
        )
        target, blob = _encrypted(
            plaintext,
            data.get("DestinationKeyId", ""),
            data.get("DestinationEncryptionContext") or {},
            algorithm,
            "ReEncrypt",
        )
    except _Refused as refused:
        return refused.answer
    return json_response(
        {
            "CiphertextBlob": base64.b64encode(blob).decode(),
            "SourceKeyId": source["Arn"],
            "KeyId": target["Arn"],
            "SourceEncryptionAlgorithm": source_algorithm,
            "DestinationEncryptionAlgorithm": algorithm,
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
    """ReEncrypt and RotateKeyOnDemand are there"""
    added = {"ReEncrypt": _re_encrypt, "RotateKeyOnDemand": _rotate}
    operation = added.get(headers.get("x-amz-target", "").rpartition(".")[2])
    if operation is not None:
        return operation(json.loads(body))
    return await original(method, path, headers, body, query)


pin(kms, "_resolve_key", "90e6b84ded7c")
pin(kms, "_check_key_state", "d0518d69f8e5")
pin(kms, "_mrk_members", "56d4e768579c")
pin(kms, "_algorithm_error", "6fafaf4b0087")
pin(kms, "_oaep_padding", "210fdf863e7c")
