"""Signing keys, in parameters in memory and under KMS in memory, and what they sign."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from functools import partial
from typing import Any, cast

import jwt
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from jwcrypto import jwk as other_jwk
from jwcrypto import jwt as other_jwt

from auth.tokens import (
    PURPOSES,
    Entry,
    InvalidTokenError,
    Keyring,
    Purpose,
    Tokens,
    make_secret,
    next_signing_keys,
)
from local.memory_kms import Region
from shared.http import BusyError

ISSUER = "https://id.example/live"
USER = "5d1c8f7e-3a52-4b7e-9d0a-111111111111"
STANDARD_TIER_BYTES = 4096
"""https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"""

WRAPPING_BYTES = 200
"""More than KMS adds to what it encrypts under a symmetric key: 184 bytes come of a data key's 32."""


class Parameters:
    """SSM, which may be out."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.reads, self.out = 0, False

    def get_parameter(self, *, Name: str) -> Any:  # noqa: N803
        self.reads += 1
        if self.out:
            raise EndpointConnectionError(endpoint_url="https://ssm.example")
        if Name not in self.values:
            raise ClientError({"Error": {"Code": "ParameterNotFound", "Message": Name}}, "GetParameter")
        return {"Parameter": {"Value": self.values[Name]}}


class World:
    """A keyring with its parameters and its clock."""

    def __init__(self) -> None:
        self.region, self.now = Region("eu-west-1"), 1_800_000_000.0
        self.ssm = Parameters()
        for purpose in PURPOSES:
            self.put(purpose, [self.make(purpose, 0)])
        kms, key = self.region.kms.client, self.region.key_id
        self.keyring = Keyring(cast(Any, self.ssm), kms, key, "/auth", lambda: self.now)
        self.tokens = Tokens(self.keyring, ISSUER, 600, lambda: self.now)

    def make(self, purpose: Purpose, starts: int) -> Entry:
        return make_secret(self.region.kms.client, self.region.key_id, purpose, starts)

    def put(self, purpose: str, entries: list[Entry]) -> None:
        self.ssm.values[f"/auth/{purpose}"] = json.dumps({"keys": entries})

    def entries(self, purpose: str) -> list[Entry]:
        found: list[Entry] = json.loads(self.ssm.values[f"/auth/{purpose}"])["keys"]
        return found


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_id_token_is_verified_by_another_implementation(world: World, algorithm: Any) -> None:
    token = world.tokens.identity(USER, "wish-list", {"nonce": "n"}, algorithm)
    published = other_jwk.JWKSet.from_json(json.dumps(world.tokens.jwks()))
    read = other_jwt.JWT(algs=[algorithm], check_claims={"aud": "wish-list", "iss": ISSUER, "exp": None})
    read.leeway = 10**10  # this world's clock is its own
    read.deserialize(token, published)
    assert json.loads(read.header)["alg"] == algorithm
    assert json.loads(read.claims)["sub"] == USER
    assert world.tokens.read_identity(token)["nonce"] == "n"


def test_rsa_keys_sign_no_access_tokens(world: World) -> None:
    key = world.keyring.signing_key("signing-rsa")
    claims = {"iss": ISSUER, "aud": ISSUER, "sub": USER, "iat": world.now, "exp": world.now + 60}
    token = jwt.encode(claims, key.private, "RS256", {"typ": "at+jwt", "kid": key.kid})
    with pytest.raises(InvalidTokenError, match="unknown issuer or key"):
        world.tokens.read_access(token)


def test_public_keys_have_no_private_member(world: World) -> None:
    curve, rsa = world.tokens.jwks()["keys"]
    assert curve.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert rsa.keys() == {"kty", "n", "e", "kid", "alg", "use"}
    assert (curve["alg"], rsa["alg"], rsa["e"]) == ("ES256", "RS256", "AQAB")
    assert len(b64decode(rsa["n"] + "==", altchars=b"-_")) == 2048 // 8


def test_four_rsa_keys_fit_into_a_parameter_of_the_standard_tier(world: World) -> None:
    entry = world.entries("signing-rsa")[0] | {"from": 1_800_000_000}
    assert len(b64decode(entry["wrapped"])) < 128 + WRAPPING_BYTES, "one prime"
    entry["wrapped"] = b64encode(bytes(128 + WRAPPING_BYTES)).decode()
    assert len(json.dumps({"keys": [entry] * 4}, separators=(",", ":"))) <= STANDARD_TIER_BYTES


def test_a_modulus_that_is_not_the_keys_signs_nothing(world: World) -> None:
    [entry] = world.entries("signing-rsa")
    other = world.make("signing-rsa", 0)
    world.put("signing-rsa", [entry | {"public": other["public"]}])
    with pytest.raises(ValueError):  # noqa: PT011 - cryptography words it in several ways
        world.tokens.identity(USER, "wish-list", {}, "RS256")


@pytest.mark.parametrize("purpose", ["signing", "signing-rsa"])
def test_a_new_key_signs_when_its_time_has_come(world: World, purpose: Any) -> None:
    before = world.keyring.signing_key(purpose).kid
    now = int(world.now)
    keys = next_signing_keys(world.entries(purpose), partial(world.make, purpose), now, 3600)
    world.put(purpose, keys)
    world.now += 301
    assert world.keyring.signing_key(purpose).kid == before
    assert len(world.keyring.public_keys(purpose)) == 2
    world.now += 3600
    assert world.keyring.signing_key(purpose).kid == keys[-1]["id"]


def test_with_ssm_out_one_request_in_five_minutes_waits_for_it(world: World) -> None:
    world.keyring.signing_key()
    world.ssm.out, world.ssm.reads = True, 0
    world.now += 301
    for _ in range(50):
        world.keyring.signing_key()
        world.now += 1
    assert world.ssm.reads == 1
    world.now += 300
    world.keyring.signing_key()
    assert world.ssm.reads == 2


def test_with_ssm_out_from_the_start_nothing_is_signed(world: World) -> None:
    world.ssm.out = True
    for _ in range(2):
        with pytest.raises(BusyError):
            world.keyring.signing_key()
    world.ssm.out = False
    assert world.keyring.signing_key().kid == world.entries("signing")[0]["id"]
