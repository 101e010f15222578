"""Applications that prove who they are, over HTTP, as libraries do it; and ID tokens in both algorithms."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from local.clients.company import Company
from local.clients.sign_on import Application, Visitor, told
from local.deploy import STACK
from local.engine_process import aws_environment, clean_environment
from local.suite import Suite
from ops.auth_checks import check
from ops.paths import ROOT
from ops.stacks import CommandError
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


# ---- what an operator can find out


def command(suite: Suite, *arguments: str, stack: str = STACK) -> subprocess.CompletedProcess[str]:
    """Run `ops.auth_clients` as `make clients` does."""
    packages = [ROOT, ROOT / "layers/shared", ROOT / "functions/auth"]
    environment = aws_environment(suite.engine.endpoint) | {"PYTHONPATH": ":".join(map(str, packages))}
    return subprocess.run(
        [sys.executable, "-m", "ops.auth_clients", "--stack", stack, *arguments],
        env=clean_environment() | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_check_says_what_is_wrong_with_a_jwt(suite: Suite, server: Application, shop: Company) -> None:
    good = signed({"alg": "ES256"}, claims(server), server.key)
    assert check(suite.client, suite.outputs, good) == f"the JWT is good: it is {server.id}'s"
    request = shop.sign(shop.claims("POST", "/v1/login", {}))
    assert "is shop's" in check(suite.client, suite.outputs, request, request="POST /v1/login")
    for odd, why in (
        (
            signed({"alg": "ES256"}, claims(server, aud="https://evil.example"), server.key),
            "another audience",
        ),
        (signed({"alg": "ES256"}, claims(server, exp=int(time.time()) + 9999), server.key), "lives too long"),
        (signed({"alg": "ES256", "kid": "k9"}, claims(server), server.key), "none of that kid"),
        (signed({"alg": "ES256"}, claims(server, jti=None), server.key), "no jti"),
        (signed({"alg": "ES256"}, claims(server), shop.key), "signature does not hold"),
        (request, "another type of token"),
        ("nonsense", "not three parts"),
    ):
        with pytest.raises(CommandError, match=why):
            check(suite.client, suite.outputs, odd)
    with pytest.raises(CommandError, match="another method or path"):
        check(suite.client, suite.outputs, request, request="GET /v1/login")


def test_command_refuses_in_one_line(suite: Suite, tmp_path: Path, server: Application) -> None:
    key = tmp_path / "a key.pem"
    key.write_bytes(server.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    add = ("add", "one-more", "--company", "shop", "--title", "One more")
    for arguments, stack, why in (
        (("list",), "no-such-stack", "no-such-stack"),
        (("check", "x.y.z"), STACK, "the JWT is refused"),
        ((*add, "--key", str(key)), STACK, "cannot be a kid"),
        ((*add, "--key", str(tmp_path / "nothing.pem")), STACK, "No such file"),
        ((*add, "--trusted"), STACK, "without a key"),
        ((*add, "--verify-link", "https://shop.example/verify"), STACK, "{token}"),
        (("remove", "one-more"), STACK, "no client"),
    ):
        ended = command(suite, *arguments, stack=stack)
        assert (ended.returncode, ended.stdout) == (1, "")
        [line] = ended.stderr.splitlines()
        assert why in line
