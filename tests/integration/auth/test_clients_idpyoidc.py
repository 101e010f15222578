"""idpyoidc as an application: the library of the people who wrote the first conformance suite.

It is set up as its documentation has it (https://github.com/IdentityPython/idpy-oidc, `doc/client/config.rst`
and `rp_handler.rst`): settings say who the application is and what it wants to do; PKCE is as in its default
configuration. It has no public clients: without a secret it sends one that reads `None`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptojwt.jwk.rsa import RSAKey
from cryptojwt.key_jar import KeyJar
from idpyoidc.client.defaults import DEFAULT_CLIENT_CONFIGS, DEFAULT_OIDC_SERVICES
from idpyoidc.client.exception import OidcServiceError
from idpyoidc.client.rp_handler import RPHandler

from local.clients.sign_on import CALLBACK, GOODBYE, Application, Visitor
from local.suite import Suite
from tests.integration.auth.conftest import Person

METHOD = "private_key_jwt"
SERVICES = DEFAULT_OIDC_SERVICES | {
    "end_session": {"class": "idpyoidc.client.oidc.end_session.EndSession"},
    "token_revocation": {"class": "idpyoidc.client.oauth2.token_revocation.TokenRevocation"},
}


@pytest.fixture(scope="module")
def registered(suite: Suite) -> Application:
    key = rsa.generate_private_key(65537, 2048)
    return Application(suite, "idpyoidc", public=False, trusted=False, key=key)


@pytest.fixture
def handler(registered: Application) -> RPHandler:
    key = RSAKey(use="sig", kid=registered.kid)
    key.load_key(registered.key)
    keys = KeyJar()
    keys.add_keys("", [key])
    configuration = {
        "issuer": registered.url,
        "client_id": registered.id,
        "client_type": "oidc",
        "redirect_uris": [CALLBACK],
        "post_logout_redirect_uris": [GOODBYE],
        "response_types_supported": ["code"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "token_endpoint_auth_methods_supported": [METHOD],
        "client_authn_methods": [METHOD],
        "services": SERVICES,
        "add_ons": DEFAULT_CLIENT_CONFIGS[""]["add_ons"],
    }
    return RPHandler("https://app.example", {registered.url: configuration}, keyjar=keys)


def sign_in(handler: RPHandler, issuer: str, visitor: Visitor, person: Person) -> dict[str, Any]:
    """Come from the application, and go back to it; what idpyoidc knows of the person then."""
    asked = visitor.http.get(handler.begin(issuer), allow_redirects=False)
    back = visitor.through(asked, person.email, person.password)[-1].headers["Location"]
    answer: dict[str, Any] = handler.finalize(issuer, dict(parse_qsl(urlsplit(back).query)))
    return answer


def test_idpyoidc_signs_people_in_and_reads_who_they_are(
    suite: Suite, handler: RPHandler, registered: Application, person: Person
) -> None:
    result = sign_in(handler, registered.url, Visitor(suite), person)
    assert result["id_token"]["sub"] == person.id
    shown = result["userinfo"]
    assert (shown["sub"], shown["email"], shown["given_name"]) == (person.id, person.email, "Ada")


def test_idpyoidc_refreshes_tokens(
    suite: Suite, handler: RPHandler, registered: Application, person: Person
) -> None:
    before = sign_in(handler, registered.url, Visitor(suite), person)
    after = handler.refresh_access_token(before["state"])
    assert after["access_token"] != before["token"]
    shown = handler.get_user_info(before["state"], access_token=after["access_token"])
    assert shown["sub"] == person.id


def test_idpyoidc_signs_people_out(
    suite: Suite, handler: RPHandler, registered: Application, person: Person
) -> None:
    visitor = Visitor(suite)
    result = sign_in(handler, registered.url, visitor, person)
    leave = handler.logout(result["state"])
    gone = visitor.http.get(leave["url"], allow_redirects=False)
    state = leave["request"]["state"]
    assert gone.headers["Location"] == f"{GOODBYE}?state={state}"
    with pytest.raises(OidcServiceError, match="invalid_token"):
        handler.get_user_info(result["state"])
    with pytest.raises(OidcServiceError, match="invalid_grant"):
        handler.refresh_access_token(result["state"])


def test_idpyoidc_revokes_a_refresh_token(
    suite: Suite, handler: RPHandler, registered: Application, person: Person
) -> None:
    state = sign_in(handler, registered.url, Visitor(suite), person)["state"]
    client = handler.get_client_from_session_key(state)
    token = client.get_context().cstate.get_claim(state, "refresh_token")
    arguments = {"token": token}
    client.do_request("token_revocation", request_args=arguments, authn_method=METHOD, state=state)
    with pytest.raises(OidcServiceError, match="invalid_grant"):
        handler.refresh_access_token(state)
