"""KMS: ciphertext is bound to key, region and context, and cannot be changed."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.integration.engine.answers import refusal
from tests.integration.engine.roles import as_role
from tests.support.cloud import Cloud


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
    assert refusal(kms.decrypt, CiphertextBlob=blob, KeyId=other).startswith("IncorrectKeyException")


def test_another_regions_key_is_refused(cloud: Cloud) -> None:
    kms, key = _key(cloud)
    far, far_key = _key(cloud, "eu-west-1")
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    assert "does not exist in this region" in refusal(far.decrypt, CiphertextBlob=blob)
    assert refusal(far.decrypt, CiphertextBlob=blob, KeyId=far_key).startswith("IncorrectKeyException")


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
    assert refusal(kms.decrypt, CiphertextBlob=bytes(blob)).startswith("InvalidCiphertextException")


@pytest.mark.ours_only
def test_another_context_is_refused(cloud: Cloud) -> None:
    kms, key = _key(cloud)
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext={"a": "b"})["CiphertextBlob"]
    for context in ({}, {"a": "c"}, {"a": "b", "c": "d"}):
        refused = refusal(kms.decrypt, CiphertextBlob=blob, EncryptionContext=context)
        assert refused.startswith("InvalidCiphertextException")


@pytest.mark.ours_only
def test_a_disabled_key_is_refused(cloud: Cloud) -> None:
    kms, key = _key(cloud)
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    assert refusal(kms.decrypt, CiphertextBlob=blob).startswith("DisabledException")
    refused = refusal(kms.generate_data_key, KeyId=key, KeySpec="AES_256")
    assert refused.startswith("DisabledException")


@pytest.mark.ours_only
def test_a_key_that_waits_for_its_deletion_is_refused_in_its_region(cloud: Cloud) -> None:
    """KMSInvalidStateException: https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html."""
    kms, key = _key(cloud)
    far, far_key = _key(cloud, "eu-west-1")
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    far_blob = far.encrypt(KeyId=far_key, Plaintext=b"secret")["CiphertextBlob"]
    far.schedule_key_deletion(KeyId=far_key, PendingWindowInDays=7)
    assert refusal(far.decrypt, CiphertextBlob=far_blob).startswith("KMSInvalidStateException")
    assert refusal(far.encrypt, KeyId=far_key, Plaintext=b"x").startswith("KMSInvalidStateException")
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"secret"
    far.cancel_key_deletion(KeyId=far_key)
    far.enable_key(KeyId=far_key)  # "the key state of the KMS key changes to Disabled"
    assert far.decrypt(CiphertextBlob=far_blob)["Plaintext"] == b"secret"


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_a_role_uses_the_keys_that_have_an_alias(cloud_with_iam: Cloud, region: str) -> None:
    """Of the aliases one has to fit; a key without any has none that could.

    "Use this condition key to control access to a KMS key based on the aliases that are associated with the
    KMS key": https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
    """
    cloud = cloud_with_iam
    kms, mine = _key(cloud, region)
    _, other = _key(cloud, region)
    _, bare = _key(cloud, region)
    alias = f"alias/{cloud.name('key')}"
    for name, key in ((f"{alias}-more", mine), (alias, mine), (f"{alias}-other", other)):
        kms.create_alias(AliasName=name, TargetKeyId=key)
    statement = {
        "Action": ["kms:Encrypt", "kms:Decrypt"],
        "Resource": f"arn:aws:kms:{region}:{cloud.account}:key/*",
        "Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": alias}},
    }
    client = as_role(cloud, [statement], "kms", region=region)
    blob = client.encrypt(KeyId=mine, Plaintext=b"secret")["CiphertextBlob"]
    assert client.decrypt(CiphertextBlob=blob, KeyId=mine)["Plaintext"] == b"secret"
    assert client.decrypt(CiphertextBlob=blob)["Plaintext"] == b"secret", "the key is in the ciphertext"
    for key in (other, bare):
        assert refusal(client.encrypt, KeyId=key, Plaintext=b"x").startswith("AccessDenied")
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        assert refusal(client.decrypt, CiphertextBlob=blob).startswith("AccessDenied")


def test_a_role_uses_a_key_with_the_context_that_it_names(cloud_with_iam: Cloud) -> None:
    """Each pair of a request's context is a condition key.

    "you can use the kms:EncryptionContext:context-key condition key to require a particular encryption
    context": https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
    """
    cloud = cloud_with_iam
    kms, key = _key(cloud)

    def let_by(operator: str) -> list[str]:
        condition = {operator: {"kms:EncryptionContext:secret": ["index", "probe"]}}
        client = as_role(cloud, [{"Action": "kms:Decrypt", "Resource": key, "Condition": condition}], "kms")
        let = []
        for context in ({"secret": "index"}, {"secret": "signing"}, {"user": "index"}, {}):
            blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
            refused = refusal(client.decrypt, CiphertextBlob=blob, EncryptionContext=context)
            assert refused == "" or refused.startswith("AccessDenied")
            let += [] if refused else [str(context)]
        return let

    named, other, nothing = "{'secret': 'index'}", "{'user': 'index'}", "{}"
    assert let_by("StringEquals") == [named]
    assert let_by("StringEqualsIfExists") == [named, other, nothing]


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
    assert "less than or equal to 4096" in refusal(kms.encrypt, KeyId=key, Plaintext=b"x" * 4097)


def _rsa(cloud: Cloud, spec: str = "RSA_2048", usage: str = "ENCRYPT_DECRYPT") -> str:
    return _key(cloud, KeySpec=spec, KeyUsage=usage)[1]


def _public_key(kms: Any, key: str) -> RSAPublicKey:
    public = load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
    assert isinstance(public, RSAPublicKey)
    return public


@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"])
def test_re_encryption_from_and_to_rsa_keys(cloud: Cloud, algorithm: str) -> None:
    kms, symmetric = _key(cloud)
    source, target = _rsa(cloud), _rsa(cloud, "RSA_3072")
    digest = hashes.SHA1() if algorithm.endswith("_1") else hashes.SHA256()  # noqa: S303 - AWS's name for it
    oaep = padding.OAEP(mgf=padding.MGF1(digest), algorithm=digest, label=None)
    # "It can also decrypt ciphertext that was encrypted by using the public key outside of KMS" (ReEncrypt).
    blob = _public_key(kms, source).encrypt(b"secret", oaep)
    moved = kms.re_encrypt(
        CiphertextBlob=blob,
        SourceKeyId=source,
        SourceEncryptionAlgorithm=algorithm,
        DestinationKeyId=target,
        DestinationEncryptionAlgorithm="RSAES_OAEP_SHA_256",
    )
    assert (moved["SourceKeyId"], moved["KeyId"]) == (source, target)
    assert moved["SourceEncryptionAlgorithm"] == algorithm
    assert moved["DestinationEncryptionAlgorithm"] == "RSAES_OAEP_SHA_256"
    back = kms.re_encrypt(
        CiphertextBlob=moved["CiphertextBlob"],
        SourceKeyId=target,
        SourceEncryptionAlgorithm="RSAES_OAEP_SHA_256",
        DestinationKeyId=symmetric,
        DestinationEncryptionContext={"a": "b"},
    )
    answer = kms.decrypt(CiphertextBlob=back["CiphertextBlob"], EncryptionContext={"a": "b"})
    assert (answer["Plaintext"], answer["KeyId"]) == (b"secret", symmetric)


def test_re_encryption_of_a_data_key_pairs_private_key(cloud: Cloud) -> None:
    kms, key = _key(cloud)
    target = _key(cloud)[1]
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256", EncryptionContext={"a": "1"})
    moved = kms.re_encrypt(
        CiphertextBlob=pair["PrivateKeyCiphertextBlob"],
        SourceEncryptionContext={"a": "1"},
        DestinationKeyId=target,
    )
    answer = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], KeyId=target)
    assert answer["Plaintext"] == pair["PrivateKeyPlaintext"]


def test_errors_of_re_encryption_have_awss_names(cloud: Cloud) -> None:
    kms, key = _key(cloud)
    rsa, signing, mac = (
        _rsa(cloud),
        _rsa(cloud, usage="SIGN_VERIFY"),
        _rsa(cloud, "HMAC_256", "GENERATE_VERIFY_MAC"),
    )
    disabled = _key(cloud)[1]
    kms.disable_key(KeyId=disabled)
    unknown = key.rsplit("/", 1)[0] + "/00000000-0000-0000-0000-000000000000"
    sha_256 = "RSAES_OAEP_SHA_256"
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    sealed = kms.encrypt(KeyId=rsa, Plaintext=b"secret", EncryptionAlgorithm=sha_256)["CiphertextBlob"]
    from_rsa = {"CiphertextBlob": sealed, "SourceKeyId": rsa, "SourceEncryptionAlgorithm": sha_256}
    expected = {
        "IncorrectKeyException": [
            {"CiphertextBlob": blob, "SourceKeyId": mac, "DestinationKeyId": key},
            {"CiphertextBlob": blob, "SourceKeyId": rsa, "DestinationKeyId": key},
        ],
        "InvalidKeyUsageException": [
            {"CiphertextBlob": blob, "DestinationKeyId": signing},
            {"CiphertextBlob": blob, "DestinationKeyId": mac},
            # The algorithm's default is SYMMETRIC_DEFAULT, "valid only for symmetric encryption KMS keys".
            {"CiphertextBlob": blob, "DestinationKeyId": rsa},
            {"CiphertextBlob": blob, "DestinationKeyId": key, "DestinationEncryptionAlgorithm": sha_256},
            {"CiphertextBlob": sealed, "SourceKeyId": signing, "DestinationKeyId": key},
        ],
        "InvalidCiphertextException": [
            {"CiphertextBlob": sealed, "DestinationKeyId": key},  # an RSA key has to be named
            {"CiphertextBlob": blob[:-1] + bytes([blob[-1] ^ 1]), "DestinationKeyId": key},
            from_rsa | {"CiphertextBlob": sealed[:-1] + bytes([sealed[-1] ^ 1]), "DestinationKeyId": key},
            from_rsa | {"SourceEncryptionAlgorithm": "RSAES_OAEP_SHA_1", "DestinationKeyId": key},
        ],
        "NotFoundException": [
            {"CiphertextBlob": blob, "DestinationKeyId": unknown},
            {"CiphertextBlob": blob, "SourceKeyId": unknown, "DestinationKeyId": key},
        ],
        "DisabledException": [{"CiphertextBlob": blob, "DestinationKeyId": disabled}],
    }
    found = {
        name: [refusal(kms.re_encrypt, **call).partition(":")[0] for call in calls]
        for name, calls in expected.items()
    }
    assert found == {name: [name] * len(calls) for name, calls in expected.items()}


@pytest.mark.parametrize(
    ("spec", "algorithm", "largest"),
    # https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html, of the plaintext's largest sizes
    [
        ("RSA_2048", "RSAES_OAEP_SHA_1", 214),
        ("RSA_2048", "RSAES_OAEP_SHA_256", 190),
        ("RSA_3072", "RSAES_OAEP_SHA_1", 342),
        ("RSA_3072", "RSAES_OAEP_SHA_256", 318),
        ("RSA_4096", "RSAES_OAEP_SHA_1", 470),
        ("RSA_4096", "RSAES_OAEP_SHA_256", 446),
    ],
)
def test_rsa_keys_refuse_longer_plaintexts(cloud: Cloud, spec: str, algorithm: str, largest: int) -> None:
    kms, key = cloud.client("kms"), _rsa(cloud, spec)
    named = {"KeyId": key, "EncryptionAlgorithm": algorithm}
    blob = kms.encrypt(Plaintext=b"x" * largest, **named)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, **named)["Plaintext"] == b"x" * largest
    assert refusal(kms.encrypt, Plaintext=b"x" * (largest + 1), **named) == (
        f"ValidationException: Algorithm {algorithm} and key spec {spec} cannot encrypt data larger than "
        f"{largest} bytes."
    )


def test_keys_of_another_use_do_not_encrypt(cloud: Cloud) -> None:
    kms, key = cloud.client("kms"), _rsa(cloud, usage="SIGN_VERIFY")
    message = f"InvalidKeyUsageException: {key} key usage is SIGN_VERIFY which is not valid for "
    sha_256 = {"KeyId": key, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    assert refusal(kms.encrypt, Plaintext=b"x", **sha_256) == f"{message}Encrypt."
    assert refusal(kms.decrypt, CiphertextBlob=b"x" * 256, **sha_256) == f"{message}Decrypt."


def test_a_rotated_key_decrypts_what_it_made_before(cloud: Cloud) -> None:
    kms, key = _key(cloud, MultiRegion=True)
    kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    far = cloud.client("kms", "eu-west-1")
    blobs = []
    for number in range(3):
        blobs.append(kms.encrypt(KeyId=key, Plaintext=b"%d" % number)["CiphertextBlob"])
        assert kms.rotate_key_on_demand(KeyId=key)["KeyId"] == key.rpartition("/")[2]
    blobs.append(far.encrypt(KeyId=key.rpartition("/")[2], Plaintext=b"3")["CiphertextBlob"])
    for client in (kms, far):
        assert [client.decrypt(CiphertextBlob=blob)["Plaintext"] for blob in blobs] == [
            b"0",
            b"1",
            b"2",
            b"3",
        ]
    assert refusal(kms.decrypt, CiphertextBlob=blobs[0], EncryptionContext={"a": "b"}) != ""
    unsupported = "UnsupportedOperationException"
    assert refusal(kms.rotate_key_on_demand, KeyId=_rsa(cloud)).startswith(unsupported)
    assert refusal(far.rotate_key_on_demand, KeyId=key.rpartition("/")[2]).startswith(unsupported)


def test_a_flipped_bit_of_a_wrapped_private_key_is_refused(cloud: Cloud) -> None:
    kms, key = _key(cloud)
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    blob = bytearray(pair["PrivateKeyCiphertextBlob"])
    blob[-1] ^= 1
    assert refusal(kms.decrypt, CiphertextBlob=bytes(blob)).startswith("InvalidCiphertextException")
