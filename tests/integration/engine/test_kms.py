"""KMS: ciphertext is bound to key, region and context, and cannot be changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import Cloud


def _refusal(call: Callable[..., Any], **arguments: Any) -> str:
    """Return the code and message with which a call is refused; nothing when it is not."""
    try:
        call(**arguments)
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return ""


def _key(cloud: Cloud, region: str = "us-east-1", **settings: Any) -> tuple[Any, str]:
    kms = cloud.client("kms", region)
    return kms, kms.create_key(**settings)["KeyMetadata"]["Arn"]


@pytest.mark.ours_only
def test_what_is_encrypted_is_decrypted(cloud: Cloud) -> None:
    kms, key = _key(cloud)
    context = {"tenant": "a", "purpose": "test"}
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext=context)["CiphertextBlob"]
    answer = kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
    assert (answer["Plaintext"], answer["KeyId"]) == (b"secret", key)
    data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=context)
    wrapped = data_key["CiphertextBlob"]
    assert (
        kms.decrypt(CiphertextBlob=wrapped, EncryptionContext=context)["Plaintext"] == data_key["Plaintext"]
    )
    blind = kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=24)
    assert len(kms.decrypt(CiphertextBlob=blind["CiphertextBlob"])["Plaintext"]) == 24
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    assert (
        kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["Plaintext"]
        == pair["PrivateKeyPlaintext"]
    )


def test_another_key_is_refused(cloud: Cloud) -> None:
    kms, key = _key(cloud)
    _, other = _key(cloud)
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    assert _refusal(kms.decrypt, CiphertextBlob=blob, KeyId=other).startswith("IncorrectKeyException")


def test_another_regions_key_is_refused(cloud: Cloud) -> None:
    kms, key = _key(cloud)
    far, far_key = _key(cloud, "eu-west-1")
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    assert "does not exist in this region" in _refusal(far.decrypt, CiphertextBlob=blob)
    assert _refusal(far.decrypt, CiphertextBlob=blob, KeyId=far_key).startswith("IncorrectKeyException")


@pytest.mark.ours_only
def test_a_multi_region_key_decrypts_in_its_other_region(cloud: Cloud) -> None:
    kms, key = _key(cloud, MultiRegion=True)
    kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    far = cloud.client("kms", "eu-west-1")
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext={"a": "b"})["CiphertextBlob"]
    assert far.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == b"secret"


@pytest.mark.parametrize("position", [-1, 85])  # behind the bare emulator's key id, context hash and nonce
def test_a_flipped_bit_is_refused(cloud: Cloud, position: int) -> None:
    kms, key = _key(cloud)
    blob = bytearray(kms.generate_data_key(KeyId=key, KeySpec="AES_256")["CiphertextBlob"])
    blob[position] ^= 1
    assert _refusal(kms.decrypt, CiphertextBlob=bytes(blob)).startswith("InvalidCiphertextException")


@pytest.mark.ours_only
def test_another_context_is_refused(cloud: Cloud) -> None:
    kms, key = _key(cloud)
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext={"a": "b"})["CiphertextBlob"]
    for context in ({}, {"a": "c"}, {"a": "b", "c": "d"}):
        refusal = _refusal(kms.decrypt, CiphertextBlob=blob, EncryptionContext=context)
        assert refusal.startswith("InvalidCiphertextException")


@pytest.mark.ours_only
def test_a_disabled_key_is_refused(cloud: Cloud) -> None:
    kms, key = _key(cloud)
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    assert _refusal(kms.decrypt, CiphertextBlob=blob).startswith("DisabledException")
    refusal = _refusal(kms.generate_data_key, KeyId=key, KeySpec="AES_256")
    assert refusal.startswith("DisabledException")


def test_re_encryption_moves_a_ciphertext_to_another_key_and_context(cloud: Cloud) -> None:
    kms, key = _key(cloud)
    _, other = _key(cloud)
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext={"a": "1"})["CiphertextBlob"]
    moved = kms.re_encrypt(
        CiphertextBlob=blob,
        SourceEncryptionContext={"a": "1"},
        DestinationKeyId=other,
        DestinationEncryptionContext={"a": "2"},
    )
    assert (moved["SourceKeyId"], moved["KeyId"]) == (key, other)
    answer = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"a": "2"}, KeyId=other)
    assert answer["Plaintext"] == b"secret"


def test_more_than_four_kilobytes_are_refused(cloud: Cloud) -> None:
    kms, key = _key(cloud)
    assert "less than or equal to 4096" in _refusal(kms.encrypt, KeyId=key, Plaintext=b"x" * 4097)
