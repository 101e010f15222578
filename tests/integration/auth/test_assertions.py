"""Applications that prove who they are, over HTTP, as libraries do it; and ID tokens in both algorithms."""

from __future__ import annotations

import json
import secrets
import time
from base64 import urlsafe_b64decode
from typing import Any

import pytest

from local.clients.company import Company
from local.clients.sign_on import Application, Visitor, told
from local.suite import Suite
from tests.integration.auth.conftest import Person, fresh_email, fresh_password, joined
from tests.support.jws import signed


@pytest.fixture(scope="module")
def somebody(shop: Company) -> Person:
    return joined(Person(shop, fresh_email(), fresh_password()))


@pytest.fixture(scope="module")
def server(suite: Suite) -> Application:
    return Application(suite, "Web shop", public=False)


@pytest.fixture(scope="module")
def visitor(suite: Suite, server: Application, somebody: Person) -> Visitor:
    """Somebody who is signed in."""
    browser = Visitor(suite)
    told(browser.sign_in(server, somebody.email, somebody.password))
    return browser


def code_of(visitor: Visitor, application: Application) -> str:
    return told(visitor.open(application.request()))["code"]


def claims(server: Application, **changes: Any) -> dict[str, Any]:
    """The fewest claims that do; None removes one."""
    made = {
        "iss": server.id,
        "sub": server.id,
        "aud": f"{server.url}/oauth2/token",
        "exp": int(time.time()) + 60,
        "jti": secrets.token_hex(16),
    } | changes
    return {name: value for name, value in made.items() if value is not None}


@pytest.mark.parametrize(
    ("header", "ahead_s", "change"),
    [
        ({}, 3600, {}),
        ({"typ": "JWT"}, 60, {"iat": 0}),
        ({"kid": "k1"}, 600, {"aud": "a list of one"}),
        ({"typ": "client-authentication+jwt", "kid": "k1"}, 60, {"aud": "the issuer"}),
    ],
)
def test_assertions_as_libraries_make_them_are_good_once(
    visitor: Visitor, server: Application, header: dict[str, str], ahead_s: int, change: dict[str, Any]
) -> None:
    now = int(time.time())
    audiences = {"a list of one": [f"{server.url}/oauth2/token"], "the issuer": server.url}
    made = {name: {"iat": now, "aud": audiences.get(str(value))}[name] for name, value in change.items()}
    assertion = signed({"alg": "ES256"} | header, claims(server, exp=now + ahead_s, **made), server.key)
    exchanged = server.exchange(code_of(visitor, server), client_assertion=assertion, client_id=None)
    assert exchanged.status_code == 200, exchanged.text
    again = server.exchange(code_of(visitor, server), client_assertion=assertion)
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")


def test_an_assertion_is_remembered_until_it_expires(
    suite: Suite, visitor: Visitor, server: Application
) -> None:
    content = claims(server, exp=int(time.time()) + 3600)
    assertion = signed({"alg": "ES256"}, content, server.key)
    assert server.exchange(code_of(visitor, server), client_assertion=assertion).status_code == 200
    item = suite.client("dynamodb").get_item(
        TableName=suite["AuthUsersTableName"],
        Key={"pk": {"S": f"J#{server.id}#{content['jti']}"}, "sk": {"S": "."}},
    )["Item"]
    assert int(item["expires"]["N"]) > content["exp"] + 30


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_id_tokens_are_signed_with_what_the_client_is_registered_for(
    suite: Suite, visitor: Visitor, algorithm: str
) -> None:
    application = Application(suite, public=False, id_token_alg=algorithm)
    tokens = application.exchange(code_of(visitor, application)).json()
    for name, expected in (("id_token", algorithm), ("access_token", "ES256")):
        assert json.loads(urlsafe_b64decode(tokens[name].split(".")[0] + "=="))["alg"] == expected
    assert application.read(tokens["id_token"])["nonce"] == application.nonce
    # As a hint of who is signed in it is good too.
    hinted = visitor.open(application.request(id_token_hint=tokens["id_token"], prompt="none"))
    assert "code" in told(hinted)


def test_discovery_names_the_algorithms_that_work(suite: Suite, server: Application) -> None:
    document = suite.http.get(f"{server.url}/.well-known/openid-configuration").json()
    assert document["id_token_signing_alg_values_supported"] == ["RS256", "ES256"]
    assert set(document["token_endpoint_auth_signing_alg_values_supported"]) == {
        "ES256", "ES384", "RS256", "EdDSA",
    }  # fmt: skip
