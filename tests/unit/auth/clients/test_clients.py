"""Registering clients: what is kept of them, and what is refused, each in one line."""

from __future__ import annotations

import json
from typing import Any

import pytest

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

    def __init__(self) -> None:
        self.items: dict[str, Any] = {}
        self.keys: dict[str, str] = {}

    def __call__(self, _service: str) -> Aws:
        return self

    # The operations' parameters are named as AWS names them.
    # ruff: noqa: N803

    def get_item(self, *, Key: Any, **_: Any) -> Any:
        item = self.items.get(Key["pk"]["S"])
        return {"Item": item} if item else {}

    def put_item(self, *, Item: Any, **_: Any) -> None:
        self.items[Item["pk"]["S"]] = Item

    def delete_item(self, *, Key: Any, **_: Any) -> None:
        del self.items[Key["pk"]["S"]]

    def create_api_key(self, **_: Any) -> Any:
        name = f"key{len(self.keys)}"
        self.keys[name] = f"value of {name}"
        return {"id": name, "value": self.keys[name]}

    def create_usage_plan_key(self, **_: Any) -> None: ...

    def get_api_key(self, *, apiKey: str, **_: Any) -> Any:
        return {"value": self.keys[apiKey]}

    def delete_api_key(self, *, apiKey: str) -> None:
        del self.keys[apiKey]

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
