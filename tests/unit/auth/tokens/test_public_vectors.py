"""Examples of RFC 7515 and RFC 7520, as jwcrypto carries them: signatures that hold, and foreign tokens."""

from __future__ import annotations

import importlib.util
import json
from base64 import urlsafe_b64encode
from pathlib import Path
from types import ModuleType
from typing import Any

import jwcrypto
import jwt
import pytest

from auth.tokens import InvalidTokenError, Key, read_jwt


def carried(name: str) -> ModuleType:
    """Return a module of jwcrypto's tests, which are no part of its package."""
    path = Path(jwcrypto.__file__).with_name(name)
    spec = importlib.util.spec_from_file_location(path.stem.replace("-", "_"), path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RFC_7515, RFC_7520 = carried("tests.py"), carried("tests-cookbook.py")
EVERY_TYPE: frozenset[str | None] = frozenset(
    {None, "JWT", "JOSE", "JOSE+JSON", "at+jwt", "client-request+jwt"}
)


def key(jwk: Any, algorithm: str) -> Key:
    members = json.loads(jwk) if isinstance(jwk, str) else jwk
    public = {name: members[name] for name in members.keys() & {"kty", "crv", "x", "y", "n", "e"}}
    return Key(algorithm, jwt.PyJWK(public, algorithm).key)


def compact(example: dict[str, Any]) -> str:
    parts = (example["protected"].encode(), example["payload"], example["signature"])
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


TOKENS = {
    "RFC 7515 A.1, HS256": (compact(RFC_7515.A1_example), None),
    "RFC 7515 A.2, RS256": (compact(RFC_7515.A2_example), key(RFC_7515.A2_key, "RS256")),
    "RFC 7515 A.3, ES256": (compact(RFC_7515.A3_example), key(RFC_7515.A3_key, "ES256")),
    "RFC 7515 A.4, ES512": (compact(RFC_7515.A4_example), key(RFC_7515.A4_key, "ES512")),
    "RFC 7515 A.5, none": (compact(RFC_7515.A5_example), None),
    "RFC 7520 4.1, RS256": (RFC_7520.JWS_compact_4_1_3, key(RFC_7520.RSA_Public_Key_3_3, "RS256")),
    "RFC 7520 4.2, PS384": (RFC_7520.JWS_compact_4_2_3, key(RFC_7520.RSA_Public_Key_3_3, "PS384")),
    "RFC 7520 4.3, ES512": (RFC_7520.JWS_compact_4_3_3, key(RFC_7520.EC_Public_Key_3_1, "ES512")),
    "RFC 7520 4.4, HS256": (RFC_7520.JWS_compact_4_4_3, None),
}


HOLDING = {"RFC 7515 A.2, RS256", "RFC 7515 A.3, ES256"}  # our algorithms, no `kid`, JSON


@pytest.mark.parametrize("example", sorted(HOLDING))
def test_a_token_of_the_standards_is_read(example: str) -> None:
    token, known = TOKENS[example]
    assert known is not None
    claims = read_jwt(token, EVERY_TYPE, lambda _, kid: [known] if kid is None else [])
    assert claims == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}


@pytest.mark.parametrize("example", sorted(TOKENS.keys() - HOLDING))
def test_a_token_of_the_standards_is_refused_though_its_signature_holds(example: str) -> None:
    token, known = TOKENS[example]
    if known is not None:
        assert jwt.api_jws.PyJWS().decode_complete(token, known.public, algorithms=[known.algorithm])
    with pytest.raises(InvalidTokenError):
        read_jwt(token, EVERY_TYPE, lambda _, __: [] if known is None else [known])
