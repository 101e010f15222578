"""Registering clients: what is kept of them, and what is refused, each in one line."""

from __future__ import annotations

import copy
import json
import math
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError as ClientErrorOfAws
from botocore.exceptions import EndpointConnectionError
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from auth.clients import SCOPES
from auth.sign_on import authorization
from auth.tokens import ID_TOKEN_ALGORITHMS
from ops import auth_clients
from ops.auth_clients import ClientError, register, remove

OUTPUTS = {"AuthUsersTableName": "users", "AuthUsagePlanId": "plan"}
KEY = {"kid": "k1", "kty": "EC"}
GOOD: dict[str, Any] = {"company": "shop", "title": "The Shop"}


class Aws:
    """A table and API keys, as much as registrations need of both."""

    class exceptions:  # noqa: N801
        """As boto3's clients have them."""

        class ConflictException(ClientErrorOfAws): ...

        class NotFoundException(ClientErrorOfAws): ...

    def __init__(self) -> None:
        self.items: dict[str, Any] = {}
        self.keys: dict[str, str] = {}
        self.on_plan: set[str] = set()
        self.left = math.inf  # calls until the region is out

    def __call__(self, _service: str) -> Aws:
        if self.left <= 0:
            raise EndpointConnectionError(endpoint_url="https://out.example")
        self.left -= 1
        return self

    def get_paginator(self, _operation: str) -> Any:
        return SimpleNamespace(paginate=lambda **_: [{"Items": list(self.items.values())}])

    # The operations' parameters are named as AWS names them.
    # ruff: noqa: N803

    def get_item(self, *, Key: Any, **_: Any) -> Any:
        item = self.items.get(Key["pk"]["S"])
        return {"Item": item} if item else {}

    def put_item(self, *, Item: Any, **_: Any) -> None:
        self.items[Item["pk"]["S"]] = Item

    def delete_item(self, *, Key: Any, **_: Any) -> None:
        del self.items[Key["pk"]["S"]]

    def create_api_key(self, *, value: str = "", **_: Any) -> Any:
        if value in self.keys.values():
            raise self.exceptions.ConflictException({"Error": {"Code": "Conflict"}}, "CreateApiKey")
        name = f"key{secrets.token_hex(4)}"
        self.keys[name] = value or f"value of {name}"
        return {"id": name, "value": self.keys[name]}

    def get_api_keys(self, **_: Any) -> Any:
        return {"items": [{"id": name, "value": value} for name, value in self.keys.items()]}

    def create_usage_plan_key(self, *, keyId: str, **_: Any) -> None:
        if keyId in self.on_plan:
            raise self.exceptions.ConflictException({"Error": {"Code": "Conflict"}}, "CreateUsagePlanKey")
        self.on_plan.add(keyId)

    def get_api_key(self, *, apiKey: str, **_: Any) -> Any:
        return {"value": self.keys[apiKey]}

    def delete_api_key(self, *, apiKey: str) -> None:
        if self.keys.pop(apiKey, None) is None:
            raise self.exceptions.NotFoundException({"Error": {"Code": "NotFound"}}, "DeleteApiKey")

    def record(self, client: str) -> dict[str, Any]:
        kept: dict[str, Any] = json.loads(self.items[f"C#{client}"]["client"]["S"])
        return kept


def test_the_command_knows_what_the_functions_know() -> None:
    assert set(auth_clients.SCOPES) == set(SCOPES)
    assert tuple(authorization.SCOPES) == auth_clients.SIGN_ON_SCOPES
    assert tuple(ID_TOKEN_ALGORITHMS) == auth_clients.ID_TOKEN_ALGORITHMS


def test_a_new_client_may_ask_for_openid_alone() -> None:
    aws = Aws()
    assert register(aws, OUTPUTS, "app", **GOOD) == "", "no API key without scopes"
    record = aws.record("app")
    assert record["sign_on_scopes"] == ["openid"]
    assert (record["id_token_alg"], record["resources"]) == ("RS256", [])


def test_a_registration_keeps_its_name_until_it_is_removed() -> None:
    aws = Aws()
    key = register(aws, OUTPUTS, "shop", **GOOD, scopes=["accounts"])
    first = aws.record("shop")["registration"]
    assert len(first) == 16
    assert register(aws, OUTPUTS, "shop", **GOOD, scopes=["tokens"], sign_on_scopes=["email"]) == key
    assert aws.record("shop")["registration"] == first
    remove(aws, OUTPUTS, "shop")
    assert aws.keys == {}
    register(aws, OUTPUTS, "shop", **GOOD)
    assert aws.record("shop")["registration"] not in ("", first)


def test_a_record_of_an_older_version_stays_the_same_registration() -> None:
    aws = Aws()
    register(aws, OUTPUTS, "shop", **GOOD)
    record = aws.record("shop")
    del record["registration"]
    aws.items["C#shop"]["client"]["S"] = json.dumps(record)
    register(aws, OUTPUTS, "shop", **GOOD)
    assert aws.record("shop")["registration"] == "", "its people's consents name none"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"company": "The Shop"}, "company's name"),
        ({"company": ""}, "company's name"),
        ({"company": "shop/../bank"}, "company's name"),
        ({"title": ""}, "title"),
        ({"title": " "}, "title"),
        ({"title": "x" * 101}, "title"),
        ({"title": "The Shop\r\nBcc: all@example.org"}, "title"),
        ({"scopes": ["everything"]}, "unknown scopes: everything"),
        ({"sign_on_scopes": ["openid", "address"]}, "unknown scopes: address"),
        ({"trusted": True}, "without a key"),
        ({"keys": [KEY, KEY]}, "two keys have one name"),
        ({"redirect_uris": ["http://shop.example/callback"]}, "neither https"),
        ({"redirect_uris": ["https://shop.example/#callback"]}, "fragment"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "neither https"),
        ({"logout_uris": ["//shop.example"]}, "neither https"),
        ({"resources": ["shop"]}, "neither https"),
        (
            {"resources": ["https://api.example/#part"]},
            "fragment",
        ),  # RFC 8707, 2: "MUST NOT include a fragment"
        ({"links": {"verify": "https://shop.example/verify"}}, "{token}"),
        ({"links": {"verify": "https://shop.example/verify?token="}}, "{token}"),
        ({"links": {"verify": "https://shop.example/{token}/{token}"}}, "{token}"),
        ({"links": {"reset": "http://shop.example/{token}"}}, "neither https"),
        ({"links": {"reset": "javascript:alert('{token}')"}}, "neither https"),
        ({"links": {"reset": "https://shop.example/{token}\nhttps://evil.example/"}}, "neither https"),
        ({"links": {"reset": "https://shop.example/{token}?{x}"}}, "neither https"),
    ],
    ids=str,
)
def test_what_is_not_acceptable_is_refused_in_one_line(change: dict[str, Any], why: str) -> None:
    aws = Aws()
    with pytest.raises(ClientError) as refused:
        register(aws, OUTPUTS, "shop", **(GOOD | change))
    assert why in str(refused.value)
    assert aws.items == aws.keys == {}


@pytest.mark.parametrize("name", ["", "Shop", "shop#1", "-shop", "shop\n", "a" * 64])
def test_an_odd_name_is_refused(name: str) -> None:
    with pytest.raises(ClientError, match="client's name"):
        register(Aws(), OUTPUTS, name, **GOOD)


@pytest.mark.parametrize(
    "link",
    [
        "https://shop.example/verify?token={token}",
        "https://shop.example/#/verify/{token}",
        "https://shop.example/{token}",
        "http://localhost:8080/{token}",
    ],
)
def test_links_of_pages_with_and_without_scripts_are_taken(link: str) -> None:
    aws = Aws()
    register(aws, OUTPUTS, "shop", **GOOD, links={"verify": link})
    assert aws.record("shop")["links"] == {"verify": link}


# ---- two regions


HERE, THERE = "eu-west-1", "us-east-1"
PEMS = {
    name: ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for name in ("first", "second")
}


@dataclass
class Operator:
    """Who types commands, each in a region of a stack that has two."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    regions: dict[str, Aws] = field(default_factory=lambda: {HERE: Aws(), THERE: Aws()})

    def __post_init__(self) -> None:
        peers = {HERE: THERE, THERE: HERE}
        self.monkeypatch.setattr(auth_clients, "clients", lambda region: self.regions[region])
        self.monkeypatch.setattr(auth_clients, "outputs_of", self.outputs)
        self.monkeypatch.setattr(
            auth_clients, "parameters_of",
            lambda _, client: {"AuthPeerRegion": next(peers[n] for n in peers if self.regions[n] is client)},
        )  # fmt: skip
        for name, pem in PEMS.items():
            (self.folder / f"{name}.pem").write_bytes(pem)

    def outputs(self, _: str, client: Any) -> dict[str, str]:
        client("cloudformation")
        return OUTPUTS

    def types(self, command: str, region: str = HERE) -> tuple[int, str]:
        """Status and text of a command."""
        words = command.replace(".pem", "").split()
        words = [str(self.folder / f"{word}.pem") if word in PEMS else word for word in words]
        if "remove-key" in words:
            words[-1] = Path(words[-1]).stem
        arguments = ["ops.auth_clients", "--stack", "suite", "--region", region, *words]
        self.monkeypatch.setattr("sys.argv", arguments)
        status = auth_clients.main()
        told = self.capsys.readouterr()
        return status, told.out + told.err

    def state(self, region: str) -> dict[str, Any]:
        """What is registered in a region, with the value of each API key."""
        aws, found = self.regions[region], {}
        for name in aws.items:
            record = json.loads(aws.items[name]["client"]["S"])
            key = record.pop("api_key_id")
            found[name] = record | {"API key": aws.keys[key] if key else ""}
            assert not key or key in aws.on_plan
        assert len(aws.keys) == sum(bool(each["API key"]) for each in found.values()), (
            "no key without a client"
        )
        return found

    def is_alike(self) -> bool:
        return self.state(HERE) == self.state(THERE)


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Operator:
    """An operator."""
    return Operator(tmp_path, monkeypatch, capsys)


ADD = "add shop --company shop --title Shop --key first --scopes accounts"
CHANGES = (
    ADD, "add-key shop second", "remove-key shop first", "add app --company shop --title App", "remove shop",
)  # fmt: skip


def test_every_change_is_made_in_both_regions_alike(operator: Operator) -> None:
    for change in CHANGES:
        status, told = operator.types(change)
        assert (status, f"in {HERE} and {THERE} alike" in told) == (0, True), told
        assert operator.is_alike(), change
        assert operator.types("check")[0] == 0
    assert set(operator.state(HERE)) == {"C#app"}


def test_both_regions_have_the_api_key_that_is_printed(operator: Operator) -> None:
    _, told = operator.types(ADD)
    value = told.partition("API key: ")[2].splitlines()[0]
    assert [operator.state(region)["C#shop"]["API key"] for region in (HERE, THERE)] == [value, value]
    assert operator.state(HERE)["C#shop"]["registration"]


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_a_change_that_failed_in_the_second_region_is_completed_by_the_same(
    operator: Operator, number: int
) -> None:
    """The other region goes out after any of its calls."""
    for change in CHANGES[:number]:
        assert operator.types(change)[0] == 0
    saved = copy.deepcopy(operator.regions)
    for left in range(12):
        operator.regions = copy.deepcopy(saved)
        operator.regions[THERE].left = left
        status, told = operator.types(CHANGES[number])
        operator.regions[THERE].left = math.inf
        if status == 0:
            assert left > 1
            return
        assert f"done here, and not in {THERE}" in told, told
        assert "run the same command again" in told
        first = operator.state(HERE)
        assert operator.types(CHANGES[number])[0] == 0
        assert operator.is_alike()
        assert operator.state(HERE) == first, "the first region has what it had"
    pytest.fail("it never came through")


def test_check_tells_what_differs(operator: Operator) -> None:
    operator.types(ADD)
    record = json.loads(operator.regions[THERE].items["C#shop"]["client"]["S"])
    operator.regions[THERE].keys[record["api_key_id"]] = "another"
    record["keys"], record["title"] = [], "Another"
    operator.regions[THERE].items["C#shop"]["client"]["S"] = json.dumps(record)
    register(operator.regions[THERE], OUTPUTS, "late", **GOOD)
    status, told = operator.types("check")
    assert status == 1
    assert "shop: not the same keys, title, API key" in told
    assert f"late: registered in {THERE} alone" in told


def test_a_region_that_is_added_gets_a_copy(operator: Operator) -> None:
    register(operator.regions[HERE], OUTPUTS, "shop", **GOOD, scopes=["accounts"])
    register(operator.regions[HERE], OUTPUTS, "app", **GOOD)
    assert operator.types("check")[0] == 1
    before = operator.state(HERE)
    assert operator.types("copy")[0] == 0
    assert operator.is_alike()
    assert operator.state(HERE) == before
    assert operator.types("check")[0] == 0


def test_who_is_registered_elsewhere_alone_is_nobodys_successor(operator: Operator) -> None:
    """Removed here and not there yet: who is added under the name must not inherit what people granted."""
    operator.types(ADD)
    operator.regions[THERE].left = 0
    assert operator.types("remove shop")[0] == 1
    operator.regions[THERE].left = math.inf
    for change in (ADD, "add-key shop second"):
        status, told = operator.types(change)
        assert (status, f"registered in {THERE} alone" in told) == (1, True)
    assert operator.types("remove shop")[0] == 0
    assert operator.state(HERE) == operator.state(THERE) == {}
    assert operator.types("remove shop")[0] == 1


def test_what_is_not_acceptable_is_refused_in_both(operator: Operator) -> None:
    status, told = operator.types("add shop --company shop --title Shop --redirect-uri http://shop.example/")
    assert (status, "nothing is changed" in told) == (1, True)
    assert operator.state(HERE) == operator.state(THERE) == {}


def test_one_region_alone_is_as_before(operator: Operator) -> None:
    operator.monkeypatch.setattr(auth_clients, "parameters_of", lambda *_: {"AuthPeerRegion": ""})
    status, told = operator.types(ADD)
    assert (status, "alike" in told) == (0, False)
    assert operator.state(THERE) == {}
    for command in ("check", "copy"):
        assert operator.types(command)[0] == 1
