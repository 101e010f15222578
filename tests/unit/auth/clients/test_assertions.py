"""Assertions with which applications prove who they are, as libraries make them and as they must not be.

RFC 7523, section 3, has the rules: `iss` and `sub` are the client, `aud` identifies this server, `exp` is
needed; `nbf`, `iat` and `jti` "MAY" be there, of which we need `jti`. RFC 7515, 4.1.4: `kid` is optional.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from auth.clients import Clients
from ops.public_keys import public_jwk
from shared.http import UnauthorizedError
from tests.support.jws import signed

ISSUER = "https://id.example/live"
TOKEN_ENDPOINT = f"{ISSUER}/oauth2/token"
NOW = 1_800_000_000
KEYS: dict[str, Any] = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "RS256": rsa.generate_private_key(65537, 2048),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
OLD = ec.generate_private_key(ec.SECP256R1())


def registered(name: str, key: Any) -> dict[str, str]:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public_jwk(pem, name)


RECORD = {
    "company": "shop", "api_key_id": "key", "scopes": ["accounts"], "title": "Shop", "trusted": False,
    "keys": [registered("old", OLD), *(registered(name, key) for name, key in KEYS.items())],
    "redirect_uris": [], "logout_uris": [], "links": {}, "id_token_alg": "RS256",
}  # fmt: skip


def clients() -> Clients:
    store: Any = SimpleNamespace(clients=SimpleNamespace(get={"wish-list": RECORD}.get))
    return Clients(store, ISSUER, ISSUER, lambda: NOW)


def claims(**changes: Any) -> dict[str, Any]:
    """Claims that are good, as few as there can be; None removes one."""
    made = {
        "iss": "wish-list",
        "sub": "wish-list",
        "aud": TOKEN_ENDPOINT,
        "exp": NOW + 60,
        "jti": "0123456789abcdef",
    } | changes
    return {name: value for name, value in made.items() if value is not None}


def sign(content: dict[str, Any], algorithm: str = "ES256", key: Any = None, **header: str) -> str:
    return signed({"alg": algorithm} | header, content, key or KEYS[algorithm])


LIBRARIES: dict[str, dict[str, Any]] = {
    "Authlib: an hour ahead": {"exp": NOW + 3600, "iat": NOW, "jti": "F2BZ5bV7kXOVnQjwcGnBbFyTWVpQcOHRAk3v"},
    "idpyoidc: a list of one": {"aud": [TOKEN_ENDPOINT], "exp": NOW + 600, "iat": NOW},
    "openid-client: the issuer, all times": {"aud": ISSUER, "exp": NOW + 60, "iat": NOW, "nbf": NOW},
    "Spring Security: a minute": {"exp": NOW + 60, "iat": NOW, "jti": "8e5cd4a4-0b7e-4a55-9f10-6b4b1c9b4b0f"},
    "the least": {},
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("algorithm", KEYS)
def test_an_assertion_as_a_library_makes_it_is_accepted(library: str, algorithm: str) -> None:
    content = claims(**LIBRARIES[library])
    client, once = clients().assertion(sign(content, algorithm))
    assert (client.id, once.client, once.jti) == ("wish-list", "wish-list", content["jti"])
    assert once.until > content["exp"] + 30, "remembered for as long as it could be sent again"


@pytest.mark.parametrize("header", [{}, {"typ": "JWT"}, {"typ": "client-authentication+jwt"}, {"kid": "old"}])
def test_type_and_key_may_be_named(header: dict[str, str]) -> None:
    assert clients().assertion(sign(claims(), key=OLD, **header))[0].id == "wish-list"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": None}, "another audience"),
        ({"aud": []}, "another audience"),
        ({"aud": [ISSUER, "https://other.example"]}, "another audience"),
        ({"aud": [ISSUER, TOKEN_ENDPOINT]}, "another audience"),
        ({"aud": [[ISSUER]]}, "another audience"),
        ({"aud": {ISSUER: 1}}, "another audience"),
        ({"aud": f"{ISSUER}/"}, "another audience"),
        ({"aud": f"{ISSUER}/oauth2/userinfo"}, "another audience"),
        ({"aud": ISSUER.upper()}, "another audience"),
        ({"sub": "another"}, "another subject"),
        ({"sub": None}, "another subject"),
        ({"sub": ["wish-list"]}, "another subject"),
        ({"iss": "another"}, "iss is no client"),
        ({"iss": None}, "iss is no client"),
        ({"iss": ["wish-list"]}, "iss is no client"),
        ({"jti": None}, "no jti"),
        ({"jti": 12345678}, "no jti"),
        ({"jti": ["0123456789"]}, "no jti"),
        ({"jti": "short"}, "no jti"),
        ({"exp": None}, "exp is missing"),
        ({"exp": NOW + 3631}, "lives too long"),
        ({"exp": NOW - 31}, "expired"),
        ({"exp": str(NOW + 60)}, "exp is missing"),
        ({"exp": True}, "exp is missing"),
        ({"iat": NOW + 31}, "not yet valid"),
        ({"nbf": NOW + 31}, "not yet valid"),
        ({"iat": "now"}, "iat is missing"),
        ({"nbf": []}, "nbf is missing"),
    ],
    ids=str,
)
def test_any_other_assertion_is_refused_and_the_log_says_why(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnauthorizedError) as refused:
        clients().assertion(sign(claims(**changes)))
    assert refused.value.code == "invalid_client"
    [note] = refused.value.__notes__
    assert reason in note


@pytest.mark.parametrize("member", ["iat", "nbf"])
def test_a_time_that_is_null_is_refused(member: str) -> None:
    with pytest.raises(UnauthorizedError):
        clients().assertion(sign(claims() | {member: None}))


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP256R1()), KEYS["RS256"]], ids=["P-256", "RSA"]
)
def test_no_other_key_or_algorithm_signs(key: Any) -> None:
    algorithm = "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "PS256"
    with pytest.raises(UnauthorizedError):
        clients().assertion(sign(claims(), algorithm, key))


def test_a_signed_request_names_its_key_and_lives_five_minutes() -> None:
    content = claims(aud=ISSUER, iat=NOW, htm="POST", htu="/v1/login")
    known = clients()
    good = sign(content, typ="client-request+jwt", kid="ES256")
    assert known.request(good, "POST", "/v1/login", "key").client.id == "wish-list"
    for odd in (
        sign(content, typ="client-request+jwt"),
        sign(content | {"exp": NOW + 301}, typ="client-request+jwt", kid="ES256"),
        sign({n: v for n, v in content.items() if n != "iat"}, typ="client-request+jwt", kid="ES256"),
        sign(content | {"aud": [ISSUER]}, typ="client-request+jwt", kid="ES256"),
    ):
        with pytest.raises(UnauthorizedError):
            known.request(odd, "POST", "/v1/login", "key")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk"]), JSON)
def test_whatever_a_member_of_the_header_is_there_is_an_answer(member: str, value: Any) -> None:
    header = {"alg": "ES256", "typ": "JWT", "kid": "ES256"} | {member: value}
    outcome(signed(header, claims(), KEYS["ES256"]), f"{member} {value!r}", {"typ"})


@given(st.sampled_from(["iss", "sub", "aud", "exp", "iat", "nbf", "jti"]), JSON)
def test_whatever_a_claim_is_there_is_an_answer(member: str, value: Any) -> None:
    outcome(sign(claims() | {member: value}), f"{member} {value!r}", {"iat", "nbf", "jti"})


def outcome(token: str, what: str, free: set[str]) -> None:
    """Let a token be read: it is refused, or what was changed is among what may have several values."""
    try:
        clients().assertion(token)
    except UnauthorizedError:
        return
    assert what.split()[0] in free, what


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("part", ["header", "claims"])
def test_a_part_that_is_not_in_utf_8_is_refused(part: str, encoding: str) -> None:
    """RFC 7515, 2: "BASE64URL(UTF8(JWS Protected Header))"; RFC 8259, 8.1: no byte order mark is added."""
    parts = {"header": '{"alg":"ES256"}', "claims": json.dumps(claims())}
    assert clients().assertion(signed(parts["header"], parts["claims"], KEYS["ES256"]))
    odd: dict[str, Any] = parts | {part: parts[part].encode(encoding)}
    with pytest.raises(UnauthorizedError):
        clients().assertion(signed(odd["header"], odd["claims"], KEYS["ES256"]))
