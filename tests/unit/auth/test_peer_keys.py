"""The other region's public keys: copied by the function, published, and never missed while keys rotate."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError
from jwt.exceptions import InvalidKeyError

from auth import keys
from auth.tokens import PURPOSES, Keyring, Tokens, make_secret, next_signing_keys
from local.memory_kms import Region
from shared.http import BusyError


class Parameters:
    """SSM of a region, which may be out."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.writes = 0
        self.fault: BotoCoreError | ClientError | None = None

    def get_parameter(self, *, Name: str) -> Any:  # noqa: N803
        if self.fault:
            raise self.fault
        if Name not in self.values:
            raise refused("ParameterNotFound")
        return {"Parameter": {"Value": self.values[Name]}}

    def put_parameter(self, *, Name: str, Value: str, Type: str, Overwrite: bool) -> Any:  # noqa: ARG002, N803
        self.writes += 1
        self.values[Name] = Value


def refused(code: str, status: int = 400) -> ClientError:
    told: Any = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(told, "GetParameter")


class Here:
    """A region's keys, with those of the other one."""

    def __init__(self, region: str) -> None:
        self.region, self.now = Region(region), [1_800_000_000.0]
        self.ssm, self.prefix = Parameters(), f"/suite/auth/{self.region.key_id}"
        for purpose in PURPOSES:
            self.put(purpose, [self.make(purpose, 0)])
        named = {"table": "users", "key": self.region.key_id, "secrets": self.prefix, "api": "https://api"}
        self.ssm.values["/suite/auth/region"] = json.dumps(named)

    def make(self, purpose: Any, starts: int) -> Any:
        return make_secret(self.region.kms.client, self.region.key_id, purpose, starts)

    def put(self, purpose: str, entries: list[Any]) -> None:
        self.ssm.values[f"{self.prefix}/{purpose}"] = json.dumps({"keys": entries})

    def rotate(self) -> str:
        """Have the function of this region make new keys; the new one's name."""
        for purpose in ("signing", "signing-rsa"):
            entries = json.loads(self.ssm.values[f"{self.prefix}/{purpose}"])["keys"]
            make = lambda starts, purpose=purpose: self.make(purpose, starts)  # noqa: E731
            self.put(purpose, next_signing_keys(entries, make, int(self.now[0]), 0))
        return str(json.loads(self.ssm.values[f"{self.prefix}/signing"])["keys"][-1]["id"])

    def container(self) -> Tokens:
        """The tokens of a container that has just started."""
        ssm: Any = self.ssm
        kms, key = self.region.kms.client, self.region.key_id
        keyring = Keyring(ssm, kms, key, self.prefix, lambda: self.now[0])
        return Tokens(keyring, "https://id.example", 600, lambda: self.now[0])

    def kids(self) -> set[str]:
        return {jwk["kid"] for jwk in self.container().jwks()["keys"]}


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> tuple[Here, Here]:
    """This region, in which the function runs, and the other one."""
    here, there = Here("eu-west-1"), Here("us-east-1")
    there.now = here.now
    settings = {"TABLE": "users", "KMS_KEY": here.region.key_id, "SECRETS": here.prefix}
    settings |= {"PEER_REGION": "us-east-1", "REGION_PARAMETER": "/suite/auth/region"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(keys, "client", lambda _: here.ssm)
    monkeypatch.setattr(keys, "client_elsewhere", lambda _, region: {"us-east-1": there.ssm}[region])
    return here, there


def mirror() -> list[str]:
    context: Any = SimpleNamespace()
    copied = keys.handler({"mirror": True}, context)
    assert copied is not None
    return copied["peer_keys"]


def test_the_key_set_has_the_keys_of_both_regions(pair: tuple[Here, Here]) -> None:
    here, there = pair
    own = here.kids()
    assert set(mirror()) == there.kids()
    assert here.kids() == own | there.kids()
    assert [jwk["alg"] for jwk in here.container().jwks()["keys"]] == ["ES256", "RS256"] * 2, "own ones first"


def test_nothing_secret_of_the_other_region_is_copied(pair: tuple[Here, Here]) -> None:
    here, there = pair
    mirror()
    copied = here.ssm.values[f"{here.prefix}/peer-keys"]
    assert "wrapped" not in copied
    members = {member for keys_of in json.loads(copied).values() for jwk in keys_of for member in jwk}
    # RFC 7518, 6.2.2 and 6.3.2: "d", "p", "q", "dp", "dq", "qi" and "oth" are private.
    assert members == {"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"}
    assert len(copied) * 2 < 4096, "four keys of each kind have room in a parameter of the standard tier"
    assert there.ssm.writes == 0


def test_keys_of_a_region_that_is_out_survive_a_cold_start(pair: tuple[Here, Here]) -> None:
    here, there = pair
    mirror()
    both = here.kids()
    outages: list[BotoCoreError | ClientError] = [
        EndpointConnectionError(endpoint_url="https://ssm"),
        refused("InternalServerError", 500),
    ]
    for fault in (*outages, refused("ThrottlingException")):
        there.ssm.fault = fault
        assert set(mirror()) == both - {jwk["kid"] for jwk in here.container().jwks()["keys"][:2]}
        assert here.kids() == both
    assert here.ssm.writes == 1, "what did not change is not written again"


def test_what_the_other_region_refuses_is_an_error(pair: tuple[Here, Here]) -> None:
    here, there = pair
    mirror()
    both = here.kids()
    there.ssm.fault = refused("AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        mirror()
    there.ssm.fault = None
    [entry] = json.loads(there.ssm.values[f"{there.prefix}/signing"])["keys"]
    there.put("signing", [entry | {"public": entry["public"] | {"x": "AAAA"}}])
    with pytest.raises(InvalidKeyError):
        mirror()
    assert here.kids() == both, "the copy stays as it was"


def test_a_region_without_a_stack_yet_is_no_error(pair: tuple[Here, Here]) -> None:
    here, there = pair
    del there.ssm.values["/suite/auth/region"]
    assert mirror() == []
    assert len(here.kids()) == 2


def test_one_region_alone_has_no_copy(pair: tuple[Here, Here], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEER_REGION", "")
    assert mirror() == []
    assert len(pair[0].kids()) == 2


def test_keys_are_rotated_without_a_gap_in_the_other_region(pair: tuple[Here, Here]) -> None:
    """Every five minutes of two hours a token of the other region is good here, in a container that stays."""
    here, there = pair
    session = SimpleNamespace(audience="https://api", user="u", client="c", family="f")
    verifying, signing = here.container(), there.container()
    mirror()
    made, signed = there.rotate(), set()
    for step in range(24):
        token = signing.access(session, "openid")  # type: ignore[arg-type]
        assert verifying.read_access(token)["sub"] == "u"
        signed.add(verifying.read_access(token) and token.split(".")[0])
        here.now[0] += 300.5
        if step % 2:  # every ten minutes, each time after the container has looked
            token = signing.access(session, "openid")  # type: ignore[arg-type]
            assert verifying.read_access(token)
            mirror()
    assert len(signed) == 2, "both keys signed"
    assert made in here.kids()


def test_with_ssm_out_from_the_start_there_is_no_key_set(pair: tuple[Here, Here]) -> None:
    here, _ = pair
    mirror()
    tokens = here.container()
    for purpose in ("signing", "signing-rsa"):
        tokens._keyring.public_keys(purpose)
    here.ssm.fault = EndpointConnectionError(endpoint_url="https://ssm")
    with pytest.raises(BusyError):  # a set with a half of the keys would be kept for ten minutes
        tokens.jwks()
    here.ssm.fault = None
    assert len(tokens.jwks()["keys"]) == 4
    here.ssm.fault = EndpointConnectionError(endpoint_url="https://ssm")
    here.now[0] += 301
    assert len(tokens.jwks()["keys"]) == 4, "what is known stays"
