"""The npm package openid-client as an application: somebody else's reading of the same standards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from jwt.algorithms import ECAlgorithm

from local.clients.sign_on import CALLBACK, GOODBYE, Application, Visitor
from local.suite import Suite
from tests.integration.auth.conftest import Person
from tests.support.node import Ask, running


class OpenIdClient:
    """An application whose protocol is somebody else's work."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def __call__(self, job: str, **parameters: Any) -> dict[str, Any]:
        return self._ask({"job": job, **parameters})


@pytest.fixture
def openid_client() -> Iterator[OpenIdClient]:
    with running("openid_client.mjs") as ask:
        yield OpenIdClient(ask)


@pytest.fixture(params=["public", "private_key_jwt"])
def app(suite: Suite, request: pytest.FixtureRequest) -> Application:
    return Application(suite, public=request.param == "public", trusted=False)


@pytest.fixture(params=["defaults", "signatures"])
def discovered(openid_client: OpenIdClient, app: Application, request: pytest.FixtureRequest) -> OpenIdClient:
    """openid-client, which has read what the issuer says of itself."""
    key = None
    if isinstance(app.key, EllipticCurvePrivateKey) and not app.public:
        key = ECAlgorithm.to_jwk(app.key, as_dict=True)
    signatures = request.param == "signatures"
    found = openid_client("discover", issuer=app.url, id=app.id, key=key, signatures=signatures)
    assert found == {"issuer": app.url}
    return openid_client


@pytest.mark.timeout(300)  # the first test installs
def test_openid_client_signs_people_on_renews_and_signs_them_out(
    suite: Suite, discovered: OpenIdClient, app: Application, person: Person
) -> None:
    visitor = Visitor(suite)
    scope = "openid profile email offline_access"
    asked = discovered("begin", redirect_uri=CALLBACK, scope=scope, prompt="consent")
    page = visitor.http.get(asked["url"], allow_redirects=False)
    page = visitor.submit(page, email=person.email, password=person.password)
    back = visitor.submit(page, decision="allow").headers["Location"]
    first = discovered("finish", url=back)
    assert first["claims"]["sub"] == person.id
    assert first["tokens"]["scope"] == scope
    shown = discovered("userinfo", token=first["tokens"]["access_token"], subject=person.id)["claims"]
    assert (shown["email"], shown["given_name"]) == (person.email, "Ada")

    second = discovered("refresh", token=first["tokens"]["refresh_token"])
    assert second["claims"]["sub"] == person.id
    assert second["tokens"]["refresh_token"] != first["tokens"]["refresh_token"]

    hint = second["tokens"]["id_token"]
    leave = discovered("end", id_token_hint=hint, post_logout_redirect_uri=GOODBYE, state="bye")["url"]
    assert visitor.http.get(leave, allow_redirects=False).headers["Location"] == f"{GOODBYE}?state=bye"
    assert "problem" in discovered("userinfo", token=second["tokens"]["access_token"], subject=person.id)
    assert discovered("refresh", token=second["tokens"]["refresh_token"]) == {"problem": "invalid_grant"}


@pytest.mark.timeout(300)
def test_openid_client_revokes_a_refresh_token(
    suite: Suite, discovered: OpenIdClient, app: Application, person: Person
) -> None:
    visitor = Visitor(suite)
    asked = discovered("begin", redirect_uri=CALLBACK, scope="openid offline_access")
    page = visitor.http.get(asked["url"], allow_redirects=False)
    back = visitor.through(page, person.email, person.password)[-1].headers["Location"]
    tokens = discovered("finish", url=back)["tokens"]
    assert discovered("revoke", token=tokens["refresh_token"]) == {}
    assert discovered("refresh", token=tokens["refresh_token"]) == {"problem": "invalid_grant"}
    assert "problem" in discovered("userinfo", token=tokens["access_token"], subject=person.id)


@pytest.mark.timeout(300)
def test_openid_client_is_told_what_went_wrong(
    suite: Suite, discovered: OpenIdClient, app: Application, person: Person
) -> None:
    visitor = Visitor(suite)
    asked = discovered("begin", redirect_uri=CALLBACK, scope="openid", prompt="none")
    back = visitor.http.get(asked["url"], allow_redirects=False).headers["Location"]
    assert discovered("finish", url=back) == {"problem": "login_required"}
    asked = discovered("begin", redirect_uri=CALLBACK, scope="openid")
    page = visitor.http.get(asked["url"], allow_redirects=False)
    page = visitor.submit(page, email=person.email, password=person.password)
    back = visitor.submit(page, decision="allow").headers["Location"]
    forged = back.replace("iss=", "iss=https%3A%2F%2Fevil.example%2F")
    assert "problem" in discovered("finish", url=forged)  # mix-up: another issuer's answer
    assert "tokens" in discovered("finish", url=back)
    assert discovered("finish", url=back) == {"problem": "invalid_grant"}
