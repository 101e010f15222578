"""Tokens that a forgiving library would take."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from auth.tokens import InvalidTokenError, Key, check_times, read_jwt
from tests.support import jws
from tests.support.jws import encoded

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = Key("ES256", KEY.public_key())
TYPES: frozenset[str | None] = frozenset({"client-request+jwt"})
CLAIMS = {"iss": "shop", "jti": "0123456789abcdef"}
HEADER = {"alg": "ES256", "typ": "client-request+jwt", "kid": "k1"}


def keys_of(_: dict[str, Any], kid: str | None) -> list[Key]:
    return [PUBLIC] if kid == "k1" else []


def signed(header: Any, claims: Any = CLAIMS) -> str:
    """Return a token whose signature is right, whatever its header says."""
    return jws.signed(header, claims, KEY)


def test_a_token_of_the_right_kind_is_read() -> None:
    assert read_jwt(signed(HEADER), TYPES, keys_of) == CLAIMS


@pytest.mark.parametrize(
    "header",
    [
        HEADER | {"alg": "none"},
        HEADER | {"alg": "None"},
        HEADER | {"alg": "NONE"},
        HEADER | {"alg": "ES384"},
        HEADER | {"alg": "HS256"},
        HEADER | {"typ": "JWT"},
        HEADER | {"typ": "at+jwt"},
        {"alg": "ES256", "kid": "k1"},
        {"typ": "client-request+jwt", "kid": "k1"},
        {"alg": "ES256", "typ": "client-request+jwt"},
        HEADER | {"kid": "k2"},
        HEADER | {"kid": ""},
        HEADER | {"kid": 1},
        HEADER | {"kid": "../../etc/passwd"},
        HEADER | {"kid": "k1' OR '1'='1"},
        HEADER | {"kid": "x" * 65},
        HEADER | {"jwk": {"kty": "EC", "crv": "P-256", "x": "", "y": ""}},
        HEADER | {"jku": "https://evil.example/keys"},
        HEADER | {"x5u": "https://evil.example/cert"},
        HEADER | {"crit": ["exp"]},
        HEADER | {"crit": ["b64"], "b64": False},
        HEADER | {"b64": False},
        HEADER | {"zip": "DEF"},
        '{"alg":"ES256","alg":"ES256","typ":"client-request+jwt","kid":"k1"}',
        "[]",
        '"text"',
        "{",
        "\ufeff{}",
    ],
    ids=str,
)
def test_an_odd_header_is_refused_though_the_signature_holds(header: Any) -> None:
    with pytest.raises(InvalidTokenError):
        read_jwt(signed(header), TYPES, keys_of)


@pytest.mark.parametrize(
    "claims", ['{"iss":"shop","iss":"other"}', "[1]", "null", '{"n":NaN}', "[" * 100_000]
)
def test_odd_claims_are_refused_though_the_signature_holds(claims: str) -> None:
    with pytest.raises(InvalidTokenError):
        read_jwt(signed(HEADER, claims), TYPES, keys_of)


def test_a_public_key_is_no_secret_of_an_hmac() -> None:
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    token = f"{encoded(HEADER | {'alg': 'HS256'})}.{encoded(CLAIMS)}"
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(token.encode(), pem)
    with pytest.raises(InvalidTokenError):
        read_jwt(f"{token}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}", TYPES, keys_of)


def test_a_key_is_used_with_its_own_algorithm_alone() -> None:
    pair = rsa.generate_private_key(65537, 2048)
    token = jwt.encode(CLAIMS, pair, "RS512", {"typ": "client-request+jwt", "kid": "k1"})
    with pytest.raises(InvalidTokenError, match="another algorithm"):
        read_jwt(token, TYPES, lambda _, __: [Key("RS256", pair.public_key())])


@pytest.mark.parametrize("change", ["payload", "signature", "truncated", "padding", "parts", "blank", "huge"])
def test_a_token_that_was_changed_is_refused(change: str) -> None:
    head, body, signature = signed(HEADER).split(".")
    other = encoded(CLAIMS | {"iss": "other"})
    token = {
        "payload": f"{head}.{other}.{signature}",
        "signature": f"{head}.{body}.{signature[::-1]}",
        "truncated": f"{head}.{body}.{signature[:-8]}",
        "padding": f"{head}.{body}.{signature}==",
        "parts": f"{head}.{body}.{signature}.{signature}",
        "blank": f"{head}.{body}.",
        "huge": signed(HEADER, CLAIMS | {"x": "x" * 20_000}),
    }[change]
    with pytest.raises(InvalidTokenError):
        read_jwt(token, TYPES, keys_of)


@given(st.text(max_size=300))
def test_no_text_raises_anything_else(text: str) -> None:
    with pytest.raises(InvalidTokenError):
        read_jwt(text, TYPES, keys_of)


NOW = 1_000_000


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iat": NOW - 400, "exp": NOW - 100}, "expired"),
        ({"iat": NOW + 60, "exp": NOW + 120}, "not yet"),
        ({"iat": NOW, "nbf": NOW + 60, "exp": NOW + 120}, "not yet"),
        ({"iat": NOW, "exp": NOW + 301}, "too long"),
        ({"iat": NOW, "exp": NOW}, "too long"),
        ({"exp": NOW + 60}, "iat"),
        ({"iat": NOW}, "exp"),
        ({"iat": str(NOW), "exp": NOW + 60}, "iat"),
        ({"iat": NOW, "exp": True}, "exp"),
        ({"iat": NOW, "exp": float("inf")}, "exp"),
        ({"iat": NOW, "exp": 10**400}, "exp"),
        ({"iat": NOW, "nbf": None, "exp": NOW + 60, "x": 1} | {"nbf": "soon"}, "nbf"),
    ],
)
def test_a_token_out_of_its_time_is_refused(claims: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidTokenError, match=reason):
        check_times(claims, NOW, life_s=300)


@pytest.mark.parametrize("skew", [-30, 0, 30])
def test_clocks_may_differ_by_half_a_minute(skew: int) -> None:
    check_times({"iat": NOW, "exp": NOW + 60}, NOW + skew, life_s=300)
    check_times({"iat": NOW - 60, "exp": NOW}, NOW + max(skew, 0), life_s=300)
