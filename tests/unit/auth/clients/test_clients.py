"""Registering clients."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from auth.clients import SCOPES
from ops import auth_clients


def test_the_command_knows_the_scopes_of_the_functions() -> None:
    assert set(auth_clients.SCOPES) == set(SCOPES)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ec.generate_private_key(ec.SECP384R1()), "ES384"),
        (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
        (rsa.generate_private_key(65537, 2048), "RS256"),
    ],
    ids=["P-256", "P-384", "Ed25519", "RSA"],
)
def test_a_public_key_gets_the_one_algorithm_that_it_is_used_with(
    key: ec.EllipticCurvePrivateKey, algorithm: str
) -> None:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    jwk = auth_clients.public_jwk(pem, "k1")
    assert (jwk["alg"], jwk["kid"]) == (algorithm, "k1")
    assert "d" not in jwk


def test_a_weak_or_private_or_broken_key_is_refused() -> None:
    weak = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505 - that is the point
    odd = ec.generate_private_key(ec.SECP521R1()).public_key()
    for pem in (
        weak.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        odd.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        b"-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----\n",
    ):
        with pytest.raises(auth_clients.ClientError):
            auth_clients.public_jwk(pem, "k1")
