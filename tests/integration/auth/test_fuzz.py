"""Every member of a token's header, and every claim, as every type of JSON, at every door: never a 5xx."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from auth.api import OPERATIONS
from local.clients.company import Company, patiently
from local.clients.sign_on import ASSERTION, Application
from local.suite import Suite
from tests.integration.auth.conftest import Person, fresh_email, fresh_password, joined
from tests.support.jws import signed

VALUES: list[Any] = [
    None, True, False, 0, -1, 1.5, 1e300, 10**30, "", "text", "\u0000", "x" * 5000, [], [None], ["text"], {},
    {"text": 1}, [[[[]]]], {"a": {"b": {"c": {}}}},
]  # fmt: skip
HEADER = ("alg", "typ", "kid", "crit", "b64", "jwk", "jku", "x5c", "zip", "cty", "unheard-of")
CLAIMS = (
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "htm",
    "htu",
    "client_id",
    "scope",
    "sid",
    "unheard-of",
)

type Send = Callable[[str], requests.Response]


@pytest.fixture(scope="module")
def person(shop: Company) -> Person:
    return joined(Person(shop, fresh_email(), fresh_password()))


@pytest.fixture(scope="module")
def server(suite: Suite) -> Application:
    return Application(suite, "Web shop", public=False)


def tokens(header: dict[str, Any], claims: dict[str, Any], key: Any) -> list[tuple[str, str]]:
    """Tokens of which one value is odd, each with its name; its own `jti` where that is not odd."""
    made = []

    def add(name: str, odd_header: Any, odd_claims: Any) -> None:
        if isinstance(odd_claims, dict):
            odd_claims = {"jti": secrets.token_hex(8)} | odd_claims
        made.append((name[:60], signed(odd_header, odd_claims, key)))

    for value in VALUES:
        for member in HEADER:
            add(f"header {member}={value!r}", header | {member: value}, claims)
        for claim in CLAIMS:
            add(f"claim {claim}={value!r}", header, claims | {claim: value})
    parts: list[Any] = [[], "text", 1, None]
    for part in parts:
        add(f"header is {part}", part, claims)
        add(f"claims are {part}", header, part)
    return made


def refused_or_taken(made: list[tuple[str, str]], send: Send, allowed: set[int]) -> None:
    wrong = []
    for name, token in made:
        answer = patiently(lambda: send(token))  # noqa: B023 - it is called at once
        if answer.status_code not in allowed:
            wrong.append(f"{name}: {answer.status_code} {answer.text[:100]}")
    assert not wrong, "\n".join(wrong)


def test_signed_requests(shop: Company, person: Person) -> None:
    path = f"/v1/users/{person.id}"
    header = {"alg": "ES256", "typ": "client-request+jwt", "kid": shop.kid}
    claims = shop.claims("GET", path)
    del claims["jti"]
    made = tokens(header, claims, shop.key)
    refused_or_taken(made, lambda token: shop.send("GET", path, token), {200, 400, 401, 403, 404, 413})


@pytest.mark.parametrize("endpoint", ["token", "revoke"])
def test_assertions(suite: Suite, server: Application, endpoint: str) -> None:
    now = int(time.time())
    claims = {"iss": server.id, "sub": server.id, "aud": server.url, "exp": now + 300}

    def send(token: str) -> requests.Response:
        form = {"client_assertion_type": ASSERTION, "client_assertion": token, "token": "x"}
        form |= {"grant_type": "authorization_code", "code": "x"}
        return suite.http.post(f"{server.url}/oauth2/{endpoint}", data=form)

    made = tokens({"alg": "ES256", "kid": server.kid}, claims, server.key)
    refused_or_taken(made, send, {200, 400, 401, 413})


DOORS = ("userinfo", "introspect", "revoke", "refresh", "mfa", "id_token_hint", "sign out")


@pytest.mark.parametrize("door", DOORS)
def test_tokens_that_only_we_sign(
    suite: Suite, shop: Company, person: Person, server: Application, door: str
) -> None:
    """Their signature does not hold: what is looked at before it must not trip either."""
    kids = [key["kid"] for key in suite.http.get(f"{shop.url}/.well-known/jwks.json").json()["keys"]]
    kind = "JWT" if door in ("id_token_hint", "sign out") else "at+jwt"
    header = {"alg": "ES256", "typ": kind, "kid": kids[0]}
    claims = {"iss": shop.url, "aud": shop.url, "sub": person.id, "sid": "0" * 32, "exp": 2**33, "iat": 1}
    doors: dict[str, Send] = {
        "userinfo": server.userinfo,
        "introspect": lambda token: shop.post("/v1/introspect", token=token),
        "revoke": lambda token: shop.post("/v1/revoke", token=token),
        "refresh": lambda token: shop.post("/v1/token/refresh", refresh_token=token),
        "mfa": lambda token: shop.post("/v1/mfa/totp", access_token=token, action="enrol"),
        "id_token_hint": lambda token: suite.http.get(
            f"{shop.url}/oauth2/authorize",
            params=server.request(id_token_hint=token),
            allow_redirects=False,
        ),
        "sign out": lambda token: suite.http.get(
            f"{shop.url}/oauth2/logout", params={"id_token_hint": token}, allow_redirects=False
        ),
    }
    made = [each for each in tokens(header, claims, shop.key) if len(each[1]) < 2000]
    refused_or_taken(made, doors[door], {200, 303, 400, 401, 403})


GOOD: dict[str, Any] = {
    "email": "nobody@example.org", "password": "a long enough one, surely", "current": "x", "token": "x",
    "refresh_token": "x", "access_token": "x", "action": "enrol",
    "other": "00000000-0000-4000-8000-000000000000",
}  # fmt: skip
PROFILE = ("email", "phone", "name", "birthdate", "zoneinfo", "locale", "country", "company", "unheard-of")


@pytest.mark.parametrize("operation", OPERATIONS, ids=" ".join)
def test_members_of_the_payload(shop: Company, person: Person, operation: tuple[str, str]) -> None:
    method, resource = operation
    known = OPERATIONS[operation]
    path = resource.replace("{id}", person.id)
    members = PROFILE if known.free else (*known.required, *known.optional, "unheard-of")
    given: dict[str, Any] = {name: GOOD[name] for name in known.required}
    wrong = []
    for member in members:
        for value in VALUES:
            odd = given | {member: value}
            answer = shop.ask(method, path, odd)
            if answer.status_code >= 500 or (member == "unheard-of" and answer.status_code < 400):
                wrong.append(f"{member}={value!r:.40}: {answer.status_code} {answer.text[:100]}")
    assert not wrong, "\n".join(wrong)
