"""The conformance suite's modules that a person can run by hand, each as a test of the same name.

The modules are those of the plans Basic OP, Config OP and of the log-out plans in the OpenID Foundation's
conformance suite (https://gitlab.com/openid/conformance-suite, `OIDCCBasicTestPlan` and its neighbours in
`src/main/java/net/openid/conformance/openid/`, as of August 2026). What a module expects is its `summary`.
Two things differ: clients authenticate with `private_key_jwt`, since there are no secrets, and PKCE is always
there, since it is required. A unit test holds the table of docs/single_sign_on.md equal to the tests here.
"""

from __future__ import annotations

import hashlib
import json
import time
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
import requests

from local.clients.company import Company
from local.clients.sign_on import CALLBACK, GOODBYE, Application, Form, Visitor, told
from local.suite import Suite
from tests.integration.auth.conftest import Person, fresh_email, fresh_password, joined

PROFILE = {
    "name": "Ada Lovelace",
    "given_name": "Ada",
    "family_name": "Lovelace",
    "nickname": "Countess",
    "gender": "female",
    "birthdate": "1815-12-10",
    "locale": "en-GB",
    "zoneinfo": "Europe/London",
}


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def a_second_later() -> None:
    """Wait until times in tokens, which are seconds, are others."""
    time.sleep(1.1)


class RelyingParty:
    """What the suite is to the provider: an application, and the browser of somebody who consents to all.

    Attributes:
        pages: What the last authorization request led over.
    """

    def __init__(self, suite: Suite, application: Application, person: Person) -> None:
        self.suite, self.application, self.person = suite, application, person
        self.browser = Visitor(suite)
        self.pages: list[requests.Response] = []

    @property
    def configuration(self) -> dict[str, Any]:
        answer = self.suite.http.get(f"{self.application.url}/.well-known/openid-configuration")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].partition(";")[0] == "application/json"
        document: dict[str, Any] = answer.json()
        return document

    def follow(self, answer: requests.Response) -> dict[str, str]:
        """Do what each page asks for, and return what the callback is told."""
        *self.pages, redirect = self.browser.through(answer, self.person.email, self.person.password)
        callback = told(redirect)
        assert callback["iss"] == self.application.url
        return callback

    @property
    def shown(self) -> list[str]:
        """The steps whose pages the last authorization request led over: `login`, `consent`."""
        return [Form(page).action.rpartition("/")[2] for page in self.pages]

    def authorize(self, **changes: str | None) -> dict[str, str]:
        """Send an authorization request; the answer, whose state is right."""
        request = self.application.request(**changes)
        callback = self.follow(self.browser.open(request))
        assert callback["state"] == request["state"]
        return callback

    def sign_in(self, **changes: str | None) -> dict[str, Any]:
        """Run a whole code flow; the token response with the ID token's claims as `claims`."""
        callback = self.authorize(**changes)
        assert "error" not in callback, callback
        return self.exchange(callback["code"], nonce=changes.get("nonce", self.application.nonce))

    def exchange(self, code: str, nonce: str | None) -> dict[str, Any]:
        answer = self.application.exchange(code)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        assert tokens["token_type"] == "Bearer"
        return tokens | {"claims": self.validated(tokens, nonce)}

    def validated(self, tokens: dict[str, Any], nonce: str | None) -> dict[str, Any]:
        """The claims of an ID token, checked as OpenID Connect Core 1.0, section 3.1.3.7, has it."""
        configuration = self.configuration
        header = jwt.get_unverified_header(tokens["id_token"])
        assert header["alg"] in configuration["id_token_signing_alg_values_supported"]
        keys = self.suite.http.get(configuration["jwks_uri"]).json()["keys"]
        [key] = [key for key in keys if key["kid"] == header["kid"]]
        claims: dict[str, Any] = jwt.decode(
            tokens["id_token"],
            jwt.PyJWK(key, header["alg"]),
            [header["alg"]],
            audience=self.application.id,
            issuer=configuration["issuer"],
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
        assert claims["aud"] in (self.application.id, [self.application.id])
        assert claims.get("nonce") == nonce
        assert claims["at_hash"] == base64url(hashlib.sha256(tokens["access_token"].encode()).digest()[:16])
        assert claims["sub"] == self.person.id
        return claims

    def userinfo(self, tokens: dict[str, Any]) -> dict[str, Any]:
        answer = self.application.userinfo(tokens["access_token"])
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        assert shown["sub"] == tokens["claims"]["sub"]
        return shown

    def end_session(self, **parameters: str) -> requests.Response:
        return self.browser.get("/oauth2/logout", parameters)

    def is_signed_in(self) -> bool:
        """Whether a request with `prompt=none` is answered with a code."""
        callback = self.authorize(prompt="none")
        assert callback.get("error") in (None, "login_required")
        return "code" in callback


def application(suite: Suite, title: str) -> Application:
    return Application(suite, title, public=False, trusted=False)


@pytest.fixture(scope="module")
def somebody(shop: Company) -> Person:
    return joined(Person(shop, fresh_email(), fresh_password()), phone="+351912345678", **PROFILE)


@pytest.fixture(scope="module")
def first_client(suite: Suite) -> Application:
    return application(suite, "The suite's client")


@pytest.fixture(scope="module")
def second_client(suite: Suite) -> Application:
    return application(suite, "The suite's second client")


@pytest.fixture
def rp(suite: Suite, first_client: Application, somebody: Person) -> RelyingParty:
    return RelyingParty(suite, first_client, somebody)


# ---- Basic OP: oidcc-basic-certification-test-plan


def test_oidcc_server(rp: RelyingParty) -> None:
    tokens = rp.sign_in(scope="openid")
    assert rp.shown[0] == "login"
    assert rp.userinfo(tokens) == {"sub": rp.person.id}


def test_oidcc_response_type_missing(rp: RelyingParty) -> None:
    assert rp.authorize(response_type=None)["error"] in ("invalid_request", "unsupported_response_type")


def test_oidcc_idtoken_signature(rp: RelyingParty) -> None:
    header = jwt.get_unverified_header(rp.sign_in()["id_token"])
    assert header["alg"] == "RS256"  # the default where the client names none
    assert header["kid"]


def test_oidcc_idtoken_unsigned(rp: RelyingParty) -> None:
    assert "none" not in rp.configuration["id_token_signing_alg_values_supported"]
    assert jwt.get_unverified_header(rp.sign_in()["id_token"])["alg"] != "none"


def test_oidcc_userinfo_get(rp: RelyingParty) -> None:
    answer = rp.application.userinfo(rp.sign_in()["access_token"])
    assert answer.headers["Content-Type"].partition(";")[0] == "application/json"
    assert answer.json()["sub"] == rp.person.id


def test_oidcc_userinfo_post_header(rp: RelyingParty) -> None:
    headers = {"Authorization": f"Bearer {rp.sign_in()['access_token']}"}
    answer = rp.suite.http.post(rp.configuration["userinfo_endpoint"], headers=headers)
    assert (answer.status_code, answer.json()["sub"]) == (200, rp.person.id)


def test_oidcc_userinfo_post_body(rp: RelyingParty) -> None:
    form = {"access_token": rp.sign_in()["access_token"]}
    answer = rp.suite.http.post(rp.configuration["userinfo_endpoint"], data=form)
    assert 400 <= answer.status_code < 500
    assert rp.person.id not in answer.text


def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(rp: RelyingParty) -> None:
    assert "nonce" not in rp.sign_in(nonce=None)["claims"]


def test_oidcc_scope_profile(rp: RelyingParty) -> None:
    shown = rp.userinfo(rp.sign_in(scope="openid profile"))
    assert shown.keys() == {"sub", "updated_at", *PROFILE}
    assert shown | PROFILE == shown
    assert abs(shown["updated_at"] - time.time()) < 3600


def test_oidcc_scope_email(rp: RelyingParty) -> None:
    shown = rp.userinfo(rp.sign_in(scope="openid email"))
    assert shown == {"sub": rp.person.id, "email": rp.person.email, "email_verified": True}


def test_oidcc_scope_address(rp: RelyingParty) -> None:
    assert "address" not in rp.configuration["scopes_supported"]
    assert rp.userinfo(rp.sign_in(scope="openid address")) == {"sub": rp.person.id}


def test_oidcc_scope_phone(rp: RelyingParty) -> None:
    shown = rp.userinfo(rp.sign_in(scope="openid phone"))
    assert shown == {"sub": rp.person.id, "phone_number": "+351912345678", "phone_number_verified": False}


def test_oidcc_scope_all(rp: RelyingParty) -> None:
    shown = rp.userinfo(rp.sign_in(scope="openid address email phone profile"))
    emails, phones = {"email", "email_verified"}, {"phone_number", "phone_number_verified"}
    assert shown.keys() == {"sub", "updated_at", *PROFILE} | emails | phones


def test_oidcc_alternate_happy_flow(rp: RelyingParty) -> None:
    request = rp.application.request(scope="email openid")
    callback = rp.follow(rp.browser.open(dict(reversed(request.items()))))
    tokens = rp.exchange(callback["code"], rp.application.nonce)
    assert rp.userinfo(tokens)["email"] == rp.person.email


def test_oidcc_display_page(rp: RelyingParty) -> None:
    rp.sign_in(display="page")
    assert rp.shown[0] == "login"


def test_oidcc_display_popup(rp: RelyingParty) -> None:
    rp.sign_in(display="popup")
    assert rp.shown[0] == "login"


def test_oidcc_prompt_login(rp: RelyingParty) -> None:
    before = rp.sign_in()["claims"]
    a_second_later()
    after = rp.sign_in(prompt="login")["claims"]
    assert rp.shown == ["login"]
    assert after["auth_time"] > before["auth_time"]


def test_oidcc_prompt_none_not_logged_in(rp: RelyingParty) -> None:
    callback = rp.authorize(prompt="none")
    assert callback["error"] in ("login_required", "interaction_required")
    assert "code" not in callback
    assert rp.shown == []


def test_oidcc_prompt_none_logged_in(rp: RelyingParty) -> None:
    before = rp.sign_in()["claims"]
    a_second_later()
    after = rp.sign_in(prompt="none")["claims"]
    assert rp.shown == []
    assert (after["sub"], after["auth_time"]) == (before["sub"], before["auth_time"])


def test_oidcc_max_age_1(rp: RelyingParty) -> None:
    before = rp.sign_in()["claims"]
    a_second_later()
    a_second_later()
    after = rp.sign_in(max_age="1")["claims"]
    assert rp.shown == ["login"]
    assert after["auth_time"] > before["auth_time"]


def test_oidcc_max_age_10000(rp: RelyingParty) -> None:
    before = rp.sign_in(max_age="15000")["claims"]
    a_second_later()
    after = rp.sign_in(max_age="10000")["claims"]
    assert rp.shown == []
    assert (after["sub"], after["auth_time"]) == (before["sub"], before["auth_time"])


def test_oidcc_ensure_request_with_unknown_parameter_succeeds(rp: RelyingParty) -> None:
    callback = rp.authorize(extra="foobar")
    assert callback.keys() == {"code", "state", "iss"}
    rp.exchange(callback["code"], rp.application.nonce)


def test_oidcc_id_token_hint(rp: RelyingParty) -> None:
    before = rp.sign_in()
    a_second_later()
    after = rp.sign_in(prompt="none", id_token_hint=before["id_token"])["claims"]
    assert rp.shown == []
    assert (after["sub"], after["auth_time"]) == (rp.person.id, before["claims"]["auth_time"])


def test_oidcc_login_hint(rp: RelyingParty) -> None:
    rp.sign_in(login_hint=rp.person.email)
    assert f'value="{rp.person.email}"' in rp.pages[0].text


def test_oidcc_ui_locales(rp: RelyingParty) -> None:
    rp.sign_in(ui_locales="se")
    assert '<html lang="en"' in rp.pages[0].text
    assert rp.configuration["ui_locales_supported"] == ["en"]


def test_oidcc_claims_locales(rp: RelyingParty) -> None:
    assert rp.userinfo(rp.sign_in(claims_locales="se"))["email"] == rp.person.email


def test_oidcc_ensure_request_with_acr_values_succeeds(rp: RelyingParty) -> None:
    assert "acr_values_supported" not in rp.configuration
    assert "acr" not in rp.sign_in(acr_values="1 2")["claims"]


def test_oidcc_codereuse(rp: RelyingParty) -> None:
    code = rp.authorize()["code"]
    rp.exchange(code, rp.application.nonce)
    again = rp.application.exchange(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_oidcc_codereuse_30seconds(rp: RelyingParty) -> None:
    code = rp.authorize()["code"]
    tokens = rp.exchange(code, rp.application.nonce)
    let_time_pass(rp.suite, code, 30)
    again = rp.application.exchange(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert rp.application.userinfo(tokens["access_token"]).status_code == 401


def let_time_pass(suite: Suite, code: str, seconds: int) -> None:
    """Make a code as old as it would be after some seconds."""
    suite.client("dynamodb").update_item(
        TableName=suite["AuthUsersTableName"],
        Key={"pk": {"S": f"O#{hashlib.sha256(code.encode()).hexdigest()}"}, "sk": {"S": "."}},
        UpdateExpression="SET good_until = good_until - :seconds, expires = expires - :seconds",
        ConditionExpression="attribute_exists(pk)",
        ExpressionAttributeValues={":seconds": {"N": str(seconds)}},
    )


def test_oidcc_ensure_registered_redirect_uri(rp: RelyingParty) -> None:
    page = rp.browser.open(rp.application.request(redirect_uri=f"{CALLBACK}/other"))
    assert page.status_code == 400
    assert "Location" not in page.headers
    assert "wrong address" in page.text


def test_oidcc_ensure_post_request_succeeds(rp: RelyingParty) -> None:
    answer = rp.browser.post("/oauth2/authorize", rp.application.request())
    assert answer.status_code == 303  # to the same by GET, since a strict cookie does not come with the POST
    location = urlsplit(answer.headers["Location"])
    callback = rp.follow(rp.browser.get(f"/oauth2/{location.path}", parse_qsl(location.query)))
    rp.exchange(callback["code"], rp.application.nonce)


def test_oidcc_server_client_secret_post(rp: RelyingParty) -> None:
    assert "client_secret_post" not in rp.configuration["token_endpoint_auth_methods_supported"]
    secret = {"client_secret": "guessed", "client_assertion": None, "client_assertion_type": None}
    answer = rp.application.exchange(rp.authorize()["code"], **secret)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def unsigned(claims: dict[str, Any]) -> str:
    """A JWT with the algorithm `none`."""
    parts = ({"alg": "none"}, claims)
    return ".".join(base64url(json.dumps(part).encode()) for part in parts) + "."


def test_oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported(rp: RelyingParty) -> None:
    assert rp.configuration["request_uri_parameter_supported"] is False
    assert rp.authorize(request_uri="https://rp.example/request.jwt")["error"] == "request_uri_not_supported"


def test_oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(
    rp: RelyingParty,
) -> None:
    assert rp.configuration["request_parameter_supported"] is False
    request = unsigned(dict(rp.application.request()))
    assert rp.authorize(request=request)["error"] == "request_not_supported"


def test_oidcc_claims_essential(rp: RelyingParty) -> None:
    assert not rp.configuration.get("claims_parameter_supported", False)
    wanted = json.dumps({"userinfo": {"name": {"essential": True}}})
    assert rp.userinfo(rp.sign_in(scope="openid", claims=wanted)) == {"sub": rp.person.id}


def test_oidcc_ensure_request_object_with_redirect_uri(rp: RelyingParty) -> None:
    request = unsigned(dict(rp.application.request()))
    page = rp.browser.open(rp.application.request(request=request, redirect_uri="https://evil.example/"))
    assert page.status_code == 400
    assert "Location" not in page.headers


def test_oidcc_refresh_token(
    suite: Suite, rp: RelyingParty, second_client: Application, somebody: Person
) -> None:
    other = RelyingParty(suite, second_client, somebody)
    scope = "openid offline_access"
    for party in (rp, other):
        tokens = party.sign_in(scope=scope, prompt="consent")
        assert all(0x20 <= ord(character) <= 0x7E for character in tokens["refresh_token"])
        a_second_later()
        refreshed = party.application.refresh(tokens["refresh_token"])
        assert refreshed.status_code == 200, refreshed.text
        second = refreshed.json()
        # OpenID Connect Core 1.0, section 12.2: what has to stay the same, and the nonce is not needed
        claims = party.validated(second, None)
        for name in ("iss", "sub", "aud", "auth_time"):
            assert claims[name] == tokens["claims"][name]
        assert claims["iat"] >= tokens["claims"]["iat"]
        assert second["access_token"] != tokens["access_token"]
        assert party.userinfo(second | {"claims": claims})
    stolen = rp.application.refresh(second["refresh_token"])  # the second client's
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")


def test_oidcc_ensure_request_with_valid_pkce_succeeds(rp: RelyingParty) -> None:
    request = rp.application.request()
    assert request["code_challenge_method"] in rp.configuration["code_challenge_methods_supported"]
    rp.sign_in()
    assert rp.authorize(code_challenge=None, code_challenge_method=None)["error"] == "invalid_request"


# ---- Config OP: oidcc-config-certification-test-plan


def test_oidcc_discovery_endpoint_verification(rp: RelyingParty) -> None:
    document, issuer = rp.configuration, rp.application.url
    assert document["issuer"] == issuer
    assert urlsplit(issuer)._replace(query="", fragment="").geturl() == issuer
    assert "code" in document["response_types_supported"]
    assert set(document["subject_types_supported"]) <= {"public", "pairwise"}
    assert "RS256" in document["id_token_signing_alg_values_supported"]
    assert "authorization_code" in document["grant_types_supported"]
    assert "openid" in document["scopes_supported"]
    assert {"sub", "iss", "aud"} <= set(document["claims_supported"])
    # The module wants https, which the issuer's address has on AWS; the engine has http alone.
    endpoints = {name: value for name, value in document.items() if name.endswith(("_endpoint", "_uri"))}
    assert {"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"} <= endpoints.keys()
    assert [value for value in endpoints.values() if not value.startswith(f"{issuer}/")] == []
    keys = rp.suite.http.get(document["jwks_uri"]).json()["keys"]
    assert len({key["kid"] for key in keys}) == len(keys)
    public = {"kty", "kid", "use", "alg", "crv", "x", "y", "n", "e"}
    assert [key for key in keys if key.keys() - public] == []
    assert {key["use"] for key in keys} == {"sig"}
    assert {key["kty"] for key in keys} == {"EC", "RSA"}


# ---- RP-initiated log-out: oidcc-rp-initiated-logout-certification-test-plan


def test_oidcc_rp_initiated_logout_discovery_endpoint_verification(rp: RelyingParty) -> None:
    assert rp.configuration["end_session_endpoint"].startswith(f"{rp.application.url}/")


def test_oidcc_rp_initiated_logout(rp: RelyingParty) -> None:
    hint = rp.sign_in()["id_token"]
    answer = rp.end_session(id_token_hint=hint, post_logout_redirect_uri=GOODBYE, state="bye")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{GOODBYE}?state=bye")
    assert not rp.is_signed_in()


def is_error_page(answer: requests.Response) -> bool:
    """Whether nobody is sent anywhere; a question would be right, too."""
    return (answer.status_code, "Location" in answer.headers) == (400, False)


def test_oidcc_rp_initiated_logout_bad_post_logout_redirect_uri(rp: RelyingParty) -> None:
    hint = rp.sign_in()["id_token"]
    assert is_error_page(rp.end_session(id_token_hint=hint, post_logout_redirect_uri="https://evil.example/"))
    assert rp.is_signed_in()


def test_oidcc_rp_initiated_logout_modified_id_token_hint(rp: RelyingParty) -> None:
    hint = unsigned(rp.sign_in()["claims"])
    assert is_error_page(rp.end_session(id_token_hint=hint, post_logout_redirect_uri=GOODBYE))
    assert rp.is_signed_in()


def test_oidcc_rp_initiated_logout_no_id_token_hint(rp: RelyingParty) -> None:
    rp.sign_in()
    assert is_error_page(rp.end_session(post_logout_redirect_uri=GOODBYE))
    question = rp.end_session(post_logout_redirect_uri=GOODBYE, client_id=rp.application.id)
    assert "Sign out?" in question.text
    assert rp.is_signed_in()


def confirm_and_see(rp: RelyingParty, question: requests.Response) -> None:
    """Answer the question whether to sign out, and check that it is done and said."""
    assert "Sign out?" in question.text
    page = rp.browser.submit(question)
    assert (page.status_code, "You are signed out" in page.text) == (200, True)
    assert not rp.is_signed_in()


def test_oidcc_rp_initiated_logout_no_params(rp: RelyingParty) -> None:
    rp.sign_in()
    confirm_and_see(rp, rp.end_session())


def test_oidcc_rp_initiated_logout_no_post_logout_redirect_uri(rp: RelyingParty) -> None:
    page = rp.end_session(id_token_hint=rp.sign_in()["id_token"], state="bye")
    assert (page.status_code, "You are signed out" in page.text) == (200, True)
    assert not rp.is_signed_in()


def test_oidcc_rp_initiated_logout_no_state(rp: RelyingParty) -> None:
    answer = rp.end_session(id_token_hint=rp.sign_in()["id_token"], post_logout_redirect_uri=GOODBYE)
    assert (answer.status_code, answer.headers["Location"]) == (303, GOODBYE)
    assert not rp.is_signed_in()


def test_oidcc_rp_initiated_logout_only_state(rp: RelyingParty) -> None:
    rp.sign_in()
    confirm_and_see(rp, rp.end_session(state="bye"))


def test_oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri(rp: RelyingParty) -> None:
    hint = rp.sign_in()["id_token"]
    assert is_error_page(rp.end_session(id_token_hint=hint, post_logout_redirect_uri=f"{GOODBYE}?foo=bar"))
    assert rp.is_signed_in()


def test_oidcc_rp_initiated_logout_bad_id_token_hint(rp: RelyingParty) -> None:
    signed_by_us = jwt.encode(
        rp.sign_in()["claims"], rp.application.key, "ES256", {"kid": rp.application.kid}
    )
    assert is_error_page(rp.end_session(id_token_hint=signed_by_us, post_logout_redirect_uri=GOODBYE))
    assert rp.is_signed_in()


# ---- back-channel, front-channel, session management: not supported, and nothing claims that they are


def test_oidcc_backchannel_logout_discovery_endpoint_verification(rp: RelyingParty) -> None:
    assert [name for name in rp.configuration if name.startswith("backchannel_logout")] == []


def test_oidcc_backchannel_rp_initiated_logout(rp: RelyingParty) -> None:
    tokens = rp.sign_in()
    rp.end_session(id_token_hint=tokens["id_token"])
    # Nobody is called; an application learns of it here.
    assert rp.application.userinfo(tokens["access_token"]).status_code == 401


def test_oidcc_frontchannel_logout_discovery_endpoint_verification(rp: RelyingParty) -> None:
    assert [name for name in rp.configuration if name.startswith("frontchannel_logout")] == []


def test_oidcc_frontchannel_rp_initiated_logout(rp: RelyingParty) -> None:
    page = rp.end_session(id_token_hint=rp.sign_in()["id_token"])
    assert "You are signed out" in page.text
    assert "<iframe" not in page.text


def test_oidcc_session_management_discovery_endpoint_verification(rp: RelyingParty) -> None:
    assert "check_session_iframe" not in rp.configuration


def test_oidcc_session_management_rp_initiated_logout(rp: RelyingParty) -> None:
    assert "session_state" not in rp.authorize()
