"""Two regions that share an issuer: what is good in both, and what is good in one alone.

Accounts are replicated by the real code; tokens are verified by another implementation.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwcrypto import jwk as other_jwk
from jwcrypto import jwt as other_jwt

from auth import oidc
from auth.regions import Replication
from local.memory_auth import World
from local.memory_regions import NAMES, Region, Regions
from ops.public_keys import public_jwk
from shared.http import UnauthorizedError
from tests.support.jws import signed
from tests.unit.auth.model.browser import APP, BACK, Browser, redeem, refresh

SHARED = "https://accounts.example"
HERE, THERE = NAMES
EMAIL, PASSWORD = "ada@example.org", "correct horse battery staple"
KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def api_of(region: str) -> str:
    return f"https://{region}.api.example/live"


def pair(issuer: str) -> Regions:
    """Two regions with the same clients."""
    regions = Regions()
    for name, other in (NAMES, NAMES[::-1]):
        world = World(region=name, peer=other, api=api_of(name), issuer=issuer)
        world.register("shop", keys=[public_jwk(PEM, "k1")], scopes=["accounts", "tokens"])
        world.register(APP, redirect_uris=[BACK], logout_uris=[BACK], id_token_alg="RS256")
        regions.regions[name] = Region(world)
    for name, other in (NAMES, NAMES[::-1]):
        regions.replications[name] = Replication(regions[name].world.services, regions[other].as_peer)
    return regions


@pytest.fixture
def regions(cheap_hashes: None) -> Regions:
    """Two regions that share an issuer, and have an account."""
    made = pair(SHARED)
    here = made[HERE].world
    here.ask("POST", "/v1/signup", "shop", email=EMAIL, password=PASSWORD, profile={})
    here.deliver()
    verified = here.ask("POST", "/v1/verify", "shop", token=here.mails[-1].token, password=PASSWORD)
    assert verified.status == 200
    made.settle()
    made.check_equal()
    return made


def logged_in(world: World) -> dict[str, Any]:
    """The tokens of a log-in."""
    answer = world.ask("POST", "/v1/login", "shop", email=EMAIL, password=PASSWORD)
    assert answer.status == 200
    tokens: dict[str, Any] = answer.body
    return tokens


def signed_on(world: World) -> tuple[Browser, dict[str, Any]]:
    """A browser in which a person signed in to the application, and the application's tokens."""
    browser = Browser()
    browser.open(world)
    browser.send(world, email=EMAIL, password=PASSWORD)
    if browser.action == "consent":
        browser.send(world, decision="allow")
    answer = redeem(world, browser.code)
    assert answer.status == 200
    return browser, answer.body


def ask(
    monkeypatch: pytest.MonkeyPatch, world: World, path: str, /, method: str = "GET", **event: Any
) -> tuple[int, dict[str, str], Any]:
    """Status, headers and body that the function answers in a region."""
    monkeypatch.setattr(oidc, "get_services", lambda: world.services)
    request = {"httpMethod": method, "path": path, "resource": path, "headers": {}} | event
    answer: Any = oidc.handler(request, None)  # type: ignore[arg-type]
    body = answer["body"]
    kind = answer["headers"].get("Content-Type", "")
    return answer["statusCode"], answer["headers"], json.loads(body) if "json" in kind else body


# ---- the issuer


def test_discovery_names_the_shared_issuer_and_regional_token_endpoints(
    regions: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenID Connect Discovery 1.0, 4.3: "The issuer value returned MUST be identical to the Issuer URL"."""
    documents = {}
    for name in NAMES:
        status, headers, document = ask(monkeypatch, regions[name].world, "/.well-known/openid-configuration")
        assert (status, headers["Cache-Control"]) == (200, "public, max-age=60")
        assert document["issuer"] == SHARED
        endpoints = {member for member in document if member.endswith(("_endpoint", "_uri"))}
        regional = {each for each in endpoints if document[each].startswith(f"{api_of(name)}/oauth2/")}
        assert regional == {"token_endpoint", "revocation_endpoint"}
        assert {each for each in endpoints if document[each].startswith(f"{SHARED}/")} == endpoints - regional
        documents[name] = {member: value for member, value in document.items() if member not in regional}
    assert documents[HERE] == documents[THERE], "but for these both say the same"


def test_without_a_shared_issuer_everything_is_the_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    world = pair("")[HERE].world
    _, headers, document = ask(monkeypatch, world, "/.well-known/openid-configuration")
    assert headers["Cache-Control"] == "public, max-age=3600"
    addresses = [document[each] for each in document if each.endswith(("_endpoint", "_uri"))]
    assert [each for each in addresses if not each.startswith(f"{api_of(HERE)}/")] == []
    assert document["issuer"] == api_of(HERE)


@pytest.mark.parametrize("by", [HERE, THERE])
def test_tokens_of_a_region_are_verified_by_the_key_set_of_the_other(
    regions: Regions, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    signing = regions[HERE].world
    access = logged_in(signing)["access_token"]
    identity = signed_on(signing)[1]["id_token"]
    _, _, keys = ask(monkeypatch, regions[by].world, "/.well-known/jwks.json")
    published = other_jwk.JWKSet.from_json(json.dumps(keys))
    for token, algorithm, audience in (
        (access, "ES256", f"{SHARED}/companies/shop"),
        (identity, "RS256", APP),
    ):
        read = other_jwt.JWT(algs=[algorithm], check_claims={"iss": SHARED, "aud": audience, "exp": None})
        read.leeway = 10**10  # this world's clock is its own
        read.deserialize(token, published)


# ---- what is for one region


def assertion(audience: Any, **more: Any) -> str:
    now = World.now
    claims = {"iss": "shop", "sub": "shop", "aud": audience, "exp": now + 60, "jti": "0123456789abcdef"}
    return signed({"alg": "ES256", "kid": "k1"} | more.pop("header", {}), claims | more, KEY)


def request_for(audience: Any) -> str:
    header = {"typ": "client-request+jwt"}
    return assertion(audience, header=header, iat=World.now, htm="POST", htu="/v1/login")


def takes(world: World, token: str) -> set[str]:
    """As what a region takes a token: an assertion, a signed request, both, or neither."""
    clients, as_what = world.services.clients, set()
    for name, read in (
        ("assertion", lambda: clients.assertion(token)),
        ("request", lambda: clients.request(token, "POST", "/v1/login", "shop")),
    ):
        try:
            read()
        except UnauthorizedError:
            continue
        as_what.add(name)
    return as_what


@pytest.mark.parametrize("region", NAMES)
@pytest.mark.parametrize("audience", ["api", "token endpoint"])
def test_an_assertion_is_for_the_region_that_it_names(regions: Regions, region: str, audience: str) -> None:
    """RFC 7519, 4.1.3: a recipient that does not find itself in `aud` "MUST" reject the JWT."""
    named = api_of(region) if audience == "api" else f"{api_of(region)}/oauth2/token"
    for name in NAMES:
        expected = {"assertion"} if name == region else set()
        assert takes(regions[name].world, assertion(named)) == expected
        is_request = audience == "api" and name == region
        assert takes(regions[name].world, request_for(named)) == ({"request"} if is_request else set())


@pytest.mark.parametrize(
    "audience",
    [SHARED, f"{SHARED}/oauth2/token", f"{SHARED}/", [SHARED], [api_of(HERE), api_of(THERE)], None],
    ids=str,
)
def test_no_region_takes_what_would_be_good_in_both(regions: Regions, audience: Any) -> None:
    for name in NAMES:
        for token in (assertion(audience), request_for(audience)):
            assert takes(regions[name].world, token) == set()


def test_without_a_shared_issuer_the_issuer_is_an_audience() -> None:
    world = pair("")[HERE].world
    for audience in (api_of(HERE), f"{api_of(HERE)}/oauth2/token"):
        assert takes(world, assertion(audience)) == {"assertion"}


# ---- sessions


def test_a_person_signs_in_again_in_the_other_region(regions: Regions) -> None:
    here, there = (regions[name].world for name in NAMES)
    tokens, (_, app) = logged_in(here), signed_on(here)
    moved = there.ask("POST", "/v1/token/refresh", "shop", refresh_token=tokens["refresh_token"])
    assert (moved.status, moved.code) == (401, "invalid_grant")
    assert refresh(there, app["refresh_token"]).code == "invalid_grant"
    assert logged_in(there)["user_id"] == tokens["user_id"], "the account is the same"
    again = here.ask("POST", "/v1/token/refresh", "shop", refresh_token=tokens["refresh_token"])
    assert again.status == 200, "and the session of before goes on where it began"
    assert refresh(here, app["refresh_token"]).status == 200


def test_a_token_of_one_region_is_inactive_in_the_other(
    regions: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = (regions[name].world for name in NAMES)
    tokens, (_, app) = logged_in(here), signed_on(here)
    for token in (tokens["access_token"], tokens["refresh_token"], app["access_token"]):
        assert here.ask("POST", "/v1/introspect", "shop", token=token).body["active"] is True
        # RFC 7662, 2.2: a token that is not known here is not active, and nothing more is said of it.
        assert there.ask("POST", "/v1/introspect", "shop", token=token).body == {"active": False}
    bearer = {"Authorization": f"Bearer {app['access_token']}"}
    assert ask(monkeypatch, here, "/oauth2/userinfo", headers=bearer)[0] == 200
    status, headers, body = ask(monkeypatch, there, "/oauth2/userinfo", headers=bearer)
    assert (status, body["error"]) == (401, "invalid_token")
    assert headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_a_token_of_one_region_changes_nothing_in_the_other(regions: Regions) -> None:
    here, there = (regions[name].world for name in NAMES)
    tokens = logged_in(here)
    access, refreshing = tokens["access_token"], tokens["refresh_token"]
    new = {"current": PASSWORD, "password": "another correct horse battery"}
    assert there.ask("POST", "/v1/password/change", "shop", access_token=access, **new).status == 401
    enrol = {"action": "enrol", "current": PASSWORD}
    assert there.ask("POST", "/v1/mfa/totp", "shop", access_token=access, **enrol).status == 401
    # RFC 7009, 2.2: a token that is not good is no error.
    assert there.ask("POST", "/v1/revoke", "shop", token=refreshing).status in (200, 204)
    assert there.ask("POST", "/v1/logout", "shop", refresh_token=refreshing).status == 204
    assert here.ask("POST", "/v1/introspect", "shop", token=access).body["active"] is True


def test_a_new_password_ends_the_sessions_of_the_other_region(regions: Regions) -> None:
    here, there = (regions[name].world for name in NAMES)
    tokens = logged_in(here)
    there.ask("POST", "/v1/password/forgot", "shop", email=EMAIL)
    there.deliver()
    password = "another correct horse battery"
    reset = there.ask("POST", "/v1/password/reset", "shop", token=there.mails[-1].token, password=password)
    assert reset.status == 204
    regions.settle()
    refreshed = here.ask("POST", "/v1/token/refresh", "shop", refresh_token=tokens["refresh_token"])
    assert (refreshed.status, refreshed.code) == (401, "invalid_grant")


def test_codes_and_browsers_are_of_one_region(regions: Regions) -> None:
    here, there = (regions[name].world for name in NAMES)
    browser, _ = signed_on(here)
    browser.open(here)
    assert browser.code, "signed in already"
    assert redeem(there, browser.code).code == "invalid_grant"
    assert redeem(here, browser.code).status == 200
    browser.open(there)
    assert (browser.code, browser.action) == ("", "login"), "the other region asks for the password"
    assert browser.send(there, email=EMAIL, password=PASSWORD) in (200, 302, 303)


def test_a_form_of_one_region_is_refused_in_the_other(regions: Regions) -> None:
    here, there = (regions[name].world for name in NAMES)
    browser = Browser()
    browser.open(here)
    assert browser.send(there, email=EMAIL, password=PASSWORD) == 403, "not a fault, and no log-in"
    browser.open(there)
    browser.send(there, email=EMAIL, password=PASSWORD)
    assert browser.user(there)


def test_an_id_token_of_one_region_is_a_hint_in_the_other(
    regions: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = signed_on(regions[HERE].world)[1]["id_token"]
    query = {"id_token_hint": identity, "post_logout_redirect_uri": BACK, "state": "s"}
    status, headers, page = ask(
        monkeypatch, regions[THERE].world, "/oauth2/logout", queryStringParameters=query
    )
    assert status in (200, 302, 303), page
    assert status == 200 or headers["Location"] == f"{BACK}?state=s"


# ---- health


def test_health_is_of_the_own_region_alone(regions: Regions, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = (regions[name].world for name in NAMES)
    regions[THERE].out = {"dynamodb", "kms"}
    regions[THERE].calls.clear()
    there.kms.disabled.add(there.settings.kms_key.rpartition("/")[2])
    try:
        status, _, body = ask(monkeypatch, here, "/v1/health")
        assert (status, body) == (200, {"status": "ok", "region": HERE}), "the other region is out"
        assert regions[THERE].calls == [], "and was not asked"
        status, headers, body = ask(monkeypatch, there, "/v1/health")
        assert status == 503, body
        assert int(headers["Retry-After"]) > 0
    finally:
        there.kms.disabled.clear()
    there.sleep(11)
    status, _, body = ask(monkeypatch, there, "/v1/health")
    assert (status, body) == (200, {"status": "ok", "region": THERE})
