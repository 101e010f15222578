"""Single sign-on over HTTP: what it does for applications and people, and what it refuses."""

from __future__ import annotations

import hashlib
import html
import json
import time
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import pytest
import requests

from local.clients.company import Company
from local.clients.sign_on import CALLBACK, GOODBYE, Application, Form, Visitor, told
from local.suite import Suite
from ops.auth_clients import register
from ops.paths import ROOT
from tests.conftest import Faults
from tests.integration.auth.conftest import Person, fresh_email, fresh_password, joined, mailed
from tests.integration.auth.test_recovery import Guarded
from tests.support.permissions import forget_decisions, function, refused, unused
from tests.support.totp import totp


@pytest.fixture(scope="module")
def somebody(shop: Company) -> Person:
    """Somebody whose password no test gets wrong often, and whose account stays."""
    person = Person(shop, fresh_email(), fresh_password())
    return joined(person, given_name="Ada", family_name="Lovelace", country="GB", phone="+351912345678")


@pytest.fixture(scope="module")
def app(suite: Suite) -> Application:
    """An application of the group itself."""
    return Application(suite, "Wish list")


@pytest.fixture(scope="module")
def server(suite: Suite) -> Application:
    """An application of the group itself that has a key."""
    return Application(suite, "Web shop", public=False)


@pytest.fixture(scope="module")
def stranger(suite: Suite) -> Application:
    """Somebody else's application."""
    return Application(suite, "Stranger's <b>game</b>", trusted=False)


@pytest.fixture
def visitor(suite: Suite) -> Visitor:
    return Visitor(suite)


@pytest.fixture(scope="module")
def signed_in(suite: Suite, app: Application, somebody: Person) -> Visitor:
    """A browser in which somebody is signed in, for tests that do not change that."""
    visitor = Visitor(suite)
    told(visitor.sign_in(app, somebody.email, somebody.password))
    return visitor


@pytest.fixture(scope="module")
def page(suite: Suite, signed_in: Visitor) -> Application:
    """An application without a server, to which somebody has consented."""
    made = Application(suite, "A page", public=True)
    told(signed_in.submit(signed_in.open(made.request()), decision="allow"))
    return made


def code_of(answer: requests.Response) -> str:
    return told(answer)["code"]


def stored(suite: Suite, code: str) -> dict[str, Any]:
    return {"pk": {"S": f"O#{hashlib.sha256(code.encode()).hexdigest()}"}, "sk": {"S": "."}}


def is_log_in(page: requests.Response) -> bool:
    return Form(page).action.endswith("/oauth2/login")


# ---- what it is for


def test_code_is_exchanged_for_an_id_token_and_an_access_token(
    visitor: Visitor, app: Application, somebody: Person
) -> None:
    before = int(time.time())
    answer = told(visitor.sign_in(app, somebody.email, somebody.password))
    assert answer.keys() == {"code", "state", "iss"}
    assert (answer["state"], answer["iss"]) == ("the state", app.url)
    exchanged = app.exchange(answer["code"])
    assert exchanged.status_code == 200, exchanged.text
    assert exchanged.headers["Cache-Control"] == "no-store"
    tokens = exchanged.json()
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope", "id_token"}
    assert (tokens["token_type"], tokens["scope"]) == ("Bearer", "openid email")
    claims = app.read(tokens["id_token"])
    assert (claims["sub"], claims["nonce"]) == (somebody.id, app.nonce)
    assert before <= claims["auth_time"] <= time.time()
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == urlsafe_b64encode(half).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ("openid", set()),
        ("openid email", {"email", "email_verified"}),
        ("openid phone", {"phone_number", "phone_number_verified"}),
        ("openid profile", {"given_name", "family_name", "country", "updated_at"}),
        ("openid profile email phone unheard-of", {
            "email", "email_verified", "phone_number", "phone_number_verified", "given_name", "family_name",
            "country", "updated_at",
        }),
    ],
)  # fmt: skip
def test_userinfo_shows_what_the_scopes_are_for(
    signed_in: Visitor, app: Application, somebody: Person, scope: str, claims: set[str]
) -> None:
    tokens = app.exchange(code_of(signed_in.open(app.request(scope=scope)))).json()
    shown = app.userinfo(tokens["access_token"]).json()
    assert shown.keys() == {"sub"} | claims
    assert shown["sub"] == somebody.id
    assert shown.get("email", somebody.email) == somebody.email
    assert shown.get("given_name", "Ada") == "Ada"
    posted = app.suite.http.post(
        f"{app.url}/oauth2/userinfo", headers={"Authorization": f"bearer {tokens['access_token']}"}
    )
    assert posted.json() == shown


def test_who_is_signed_in_needs_no_password_for_the_next_application(
    signed_in: Visitor, server: Application, somebody: Person
) -> None:
    exchanged = server.exchange(code_of(signed_in.open(server.request())))
    assert server.read(exchanged.json()["id_token"])["sub"] == somebody.id


def test_authorization_requests_may_come_as_forms(signed_in: Visitor, app: Application) -> None:
    answer = signed_in.post("/oauth2/authorize", app.request())
    assert answer.status_code == 303
    again = signed_in.http.get(f"{signed_in.url}/oauth2/{answer.headers['Location']}", allow_redirects=False)
    assert app.exchange(code_of(again)).status_code == 200


def test_consent_is_asked_for_once_and_again_for_more(
    visitor: Visitor, stranger: Application, somebody: Person
) -> None:
    page = visitor.sign_in(stranger, somebody.email, somebody.password)
    assert page.status_code == 200
    assert "see your e-mail address" in page.text
    assert somebody.email in page.text
    assert "<b>game" not in page.text
    assert stranger.exchange(code_of(visitor.submit(page, decision="allow"))).status_code == 200
    assert "code" in told(visitor.open(stranger.request()))
    assert "code" in told(visitor.open(stranger.request(scope="openid")))
    more = visitor.open(stranger.request(scope="openid email phone"))
    assert "see your telephone number" in more.text
    assert Form(visitor.open(stranger.request(prompt="consent"))).action.endswith("/oauth2/consent")


def test_who_does_not_allow_sends_no_code(visitor: Visitor, stranger: Application, person: Person) -> None:
    page = visitor.sign_in(stranger, person.email, person.password)
    answer = told(visitor.submit(page, decision="deny"))
    assert (answer["error"], answer["state"]) == ("access_denied", "the state")
    assert Form(visitor.open(stranger.request())).action.endswith("/oauth2/consent")


def test_refresh_token_comes_with_offline_access_and_renews_the_id_token(
    signed_in: Visitor, server: Application
) -> None:
    first = server.exchange(code_of(signed_in.open(server.request(scope="openid offline_access")))).json()
    second = server.refresh(first["refresh_token"])
    assert second.status_code == 200, second.text
    before, after = (server.read(tokens["id_token"]) for tokens in (first, second.json()))
    kept = ("sub", "iss", "aud", "auth_time", "sid")
    assert {name: before[name] for name in kept} == {name: after[name] for name in kept}
    assert "nonce" not in after
    assert server.userinfo(second.json()["access_token"]).status_code == 200
    assert (
        server.refresh(second.json()["refresh_token"], scope="openid phone").json()["error"]
        == "invalid_scope"
    )


def test_second_factor_is_asked_for_on_a_page_of_its_own(
    visitor: Visitor, app: Application, person: Person
) -> None:
    tokens = person.tokens()["access_token"]
    asked = {"access_token": tokens, "action": "enrol", "current": person.password}
    secret = person.shop.post("/v1/mfa/totp", **asked).json()["secret"]
    confirmed = person.shop.post("/v1/mfa/totp", access_token=tokens, action="confirm", code=totp(secret))
    assert confirmed.status_code == 200, confirmed.text

    page = visitor.sign_in(app, person.email, person.password)
    assert page.status_code == 200
    assert Form(page).names == ["code", "recovery_code"]
    assert person.password not in page.text
    assert is_log_in(visitor.open(app.request()))  # a password alone is no session
    wrong = visitor.submit(page, code="000000")
    assert wrong.status_code == 401
    assert "code is wrong" in wrong.text
    code = totp(secret, 30)  # that of now confirmed
    assert "code" in told(visitor.submit(wrong, code=code))
    other = Visitor(app.suite)
    again = other.submit(other.sign_in(app, person.email, person.password), code=code)
    assert again.status_code == 401  # a code is good once


# ---- signing out


def test_signing_out_with_the_id_token_ends_all_that_came_from_the_session(
    visitor: Visitor, app: Application, server: Application, person: Person
) -> None:
    first = app.exchange(code_of(visitor.sign_in(app, person.email, person.password))).json()
    second = server.exchange(code_of(visitor.open(server.request(scope="openid offline_access")))).json()
    elsewhere = person.tokens()
    unused = code_of(visitor.open(app.request()))
    answer = visitor.get(
        "/oauth2/logout",
        {"id_token_hint": first["id_token"], "post_logout_redirect_uri": GOODBYE, "state": "bye & bye"},
    )
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{GOODBYE}?state=bye+%26+bye"
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert app.userinfo(first["access_token"]).status_code == 401
    assert server.userinfo(second["access_token"]).status_code == 401
    assert server.refresh(second["refresh_token"]).json()["error"] == "invalid_grant"
    assert app.exchange(unused).json()["error"] == "invalid_grant"
    assert is_log_in(visitor.open(app.request()))
    renewed = person.shop.post("/v1/token/refresh", refresh_token=elsewhere["refresh_token"])
    assert renewed.status_code == 200  # of another session


def test_session_ends_on_the_server_and_not_in_the_cookie_alone(
    visitor: Visitor, app: Application, person: Person
) -> None:
    tokens = app.exchange(code_of(visitor.sign_in(app, person.email, person.password))).json()
    cookies = visitor.http.cookies.copy()
    assert visitor.get("/oauth2/logout", {"id_token_hint": tokens["id_token"]}).status_code == 200
    visitor.http.cookies = cookies
    assert is_log_in(visitor.open(app.request()))


def test_sign_out_without_an_id_token_asks_first(visitor: Visitor, app: Application, person: Person) -> None:
    visitor.sign_in(app, person.email, person.password)
    page = visitor.get("/oauth2/logout", {"client_id": app.id, "post_logout_redirect_uri": GOODBYE})
    assert page.status_code == 200
    assert "code" in told(visitor.open(app.request()))  # nothing has happened yet
    assert visitor.post("/oauth2/logout/confirm", {"request": ""}).status_code == 403
    assert visitor.submit(page).headers["Location"] == GOODBYE
    assert is_log_in(visitor.open(app.request()))


def test_id_token_of_somebody_else_asks_first(
    visitor: Visitor, signed_in: Visitor, app: Application, person: Person
) -> None:
    others = app.exchange(code_of(signed_in.open(app.request()))).json()["id_token"]
    visitor.sign_in(app, person.email, person.password)
    page = visitor.get("/oauth2/logout", {"id_token_hint": others})
    assert Form(page).action.endswith("/oauth2/logout/confirm")


def test_sign_out_by_a_form_works_too(visitor: Visitor, app: Application, person: Person) -> None:
    tokens = app.exchange(code_of(visitor.sign_in(app, person.email, person.password))).json()
    answer = visitor.post("/oauth2/logout", {"id_token_hint": tokens["id_token"]})
    assert answer.status_code == 303
    page = visitor.http.get(f"{visitor.url}/oauth2/{answer.headers['Location']}")
    assert "You are signed out" in page.text


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/", GOODBYE + "/", GOODBYE + "?x=1", GOODBYE.upper(), CALLBACK,
        "//evil.example/",
        GOODBYE.replace("https", "http"), "javascript:alert(1)", "https://app.example@evil.example/goodbye",
    ],
)  # fmt: skip
def test_sign_out_leads_to_registered_addresses_only(
    visitor: Visitor, app: Application, address: str
) -> None:
    answer = visitor.get("/oauth2/logout", {"client_id": app.id, "post_logout_redirect_uri": address})
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert "evil" not in answer.text
    nobodys = visitor.get("/oauth2/logout", {"post_logout_redirect_uri": GOODBYE})
    assert nobodys.status_code == 400


def test_new_password_ends_the_sessions_in_browsers(
    suite: Suite, visitor: Visitor, app: Application, person: Person
) -> None:
    visitor.sign_in(app, person.email, person.password)
    person.shop.post("/v1/password/forgot", email=person.email)
    token = mailed(suite, person.email, "reset")
    assert person.shop.post("/v1/password/reset", token=token, password=fresh_password()).status_code == 204
    assert is_log_in(visitor.open(app.request()))


def test_erased_person_is_signed_out_everywhere(visitor: Visitor, app: Application, person: Person) -> None:
    tokens = app.exchange(code_of(visitor.sign_in(app, person.email, person.password))).json()
    unused = code_of(visitor.open(app.request()))
    assert person.shop.ask("DELETE", f"/v1/users/{person.id}").status_code == 204
    assert is_log_in(visitor.open(app.request()))
    assert app.userinfo(tokens["access_token"]).status_code == 401
    assert app.exchange(unused).json()["error"] == "invalid_grant"


# ---- requests that are refused


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None}, {"client_id": "nobody"}, {"client_id": "../admin"}, {"redirect_uri": None},
        *(
            {"redirect_uri": address}
            for address in (
                "https://evil.example/", CALLBACK + "/", CALLBACK + "?x=1", CALLBACK + "#x",
                CALLBACK + "%2f..",
                CALLBACK.replace("https", "http"), CALLBACK.upper(), CALLBACK + ".evil.example",
                "https://app.example@evil.example/callback", "https://app.example:443/callback",
                "https://app.example/x/../callback", "//app.example/callback", "/callback", GOODBYE,
                "javascript:alert(1)", "https://app.example\\@evil.example/callback", CALLBACK + "\r\nX: y",
            )
        ),
    ],
)  # fmt: skip
def test_unknown_application_or_address_gets_a_page_and_never_a_redirect(
    signed_in: Visitor, app: Application, changes: dict[str, str | None]
) -> None:
    answer = signed_in.open(app.request(**changes))
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "email"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "create"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"max_age": "\N{ARABIC-INDIC DIGIT ONE}"}, "invalid_request"),
        ({"nonce": "n" * 2049}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "https://evil.example/request"}, "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"id_token_hint": "e30.e30.e30"}, "invalid_request"),
    ],
)
def test_known_application_is_told_what_is_wrong(
    signed_in: Visitor, app: Application, changes: dict[str, str | None], error: str
) -> None:
    answer = told(signed_in.open(app.request(**changes)))
    assert answer.keys() == {"error", "error_description", "state", "iss"}
    assert (answer["error"], answer["state"], answer["iss"]) == (error, "the state", app.url)


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_repeated_application_or_address_gets_a_page(signed_in: Visitor, app: Application, name: str) -> None:
    given = list(app.request().items())
    for value in ("https://evil.example/", app.request()[name]):
        for order in ([*given, (name, value)], [(name, value), *given]):
            answer = signed_in.open(order)
            assert answer.status_code == 400
            assert "Location" not in answer.headers


@pytest.mark.parametrize("name", ["scope", "state", "nonce", "code_challenge", "prompt", "unheard-of"])
def test_repeated_parameter_is_refused(signed_in: Visitor, app: Application, name: str) -> None:
    answer = told(signed_in.open([*app.request().items(), (name, "x"), (name, "y")]))
    assert answer["error"] == "invalid_request"


def test_prompt_none_never_shows_a_page(
    suite: Suite, visitor: Visitor, app: Application, stranger: Application, person: Person
) -> None:
    assert told(visitor.open(app.request(prompt="none")))["error"] == "login_required"
    tokens = app.exchange(code_of(visitor.sign_in(app, person.email, person.password))).json()
    assert "code" in told(visitor.open(app.request(prompt="none")))
    assert told(visitor.open(stranger.request(prompt="none")))["error"] == "consent_required"
    hint = {"prompt": "none", "id_token_hint": tokens["id_token"]}
    assert "code" in told(visitor.open(app.request(**hint)))


def test_prompt_none_with_an_id_token_of_somebody_else_gets_no_code(
    visitor: Visitor, signed_in: Visitor, app: Application, person: Person
) -> None:
    others = app.exchange(code_of(signed_in.open(app.request()))).json()["id_token"]
    visitor.sign_in(app, person.email, person.password)
    assert told(visitor.open(app.request(prompt="none", id_token_hint=others)))["error"] == "login_required"
    answer = visitor.sign_in(app, person.email, person.password, id_token_hint=others)
    assert told(answer)["error"] == "login_required"


@pytest.mark.parametrize("changes", [{"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "0"}])
def test_log_in_anew_is_a_later_log_in_of_the_same_session(
    suite: Suite, visitor: Visitor, app: Application, person: Person, changes: dict[str, str]
) -> None:
    first = app.exchange(code_of(visitor.sign_in(app, person.email, person.password))).json()
    time.sleep(1.1)  # the resolution of auth_time
    page = visitor.open(app.request(**changes))
    assert is_log_in(page)
    again = app.exchange(code_of(visitor.submit(page, email=person.email, password=person.password))).json()
    before, after = (app.read(each["id_token"]) for each in (first, again))
    assert after["auth_time"] > before["auth_time"]
    assert after["sid"] == before["sid"]


def test_log_in_within_max_age_is_enough(signed_in: Visitor, app: Application) -> None:
    assert "code" in told(signed_in.open(app.request(max_age="3600")))


# ---- passwords


def test_wrong_password_and_unknown_address_look_the_same(
    visitor: Visitor, app: Application, person: Person
) -> None:
    def shown(page: requests.Response) -> str:
        assert page.status_code == 401
        form = Form(page)
        text = page.text
        for value in (*form.fields.values(), person.email, nobody):
            text = text.replace(value, "...")
        return text

    nobody = fresh_email()
    wrong = visitor.sign_in(app, person.email, "not the password")
    assert "The name or the password is wrong." in wrong.text
    assert "not the password" not in wrong.text
    assert shown(wrong) == shown(visitor.submit(wrong, email=nobody, password="not the password"))
    assert shown(wrong) == shown(visitor.submit(wrong, email=person.email, password=""))
    assert "code" in told(visitor.submit(wrong, email=person.email, password=person.password))


def test_too_many_attempts_have_to_wait(visitor: Visitor, app: Application) -> None:
    page = visitor.open(app.request())
    email = fresh_email()
    for _ in range(6):
        page = visitor.submit(page, email=email, password="a guess")
        assert page.status_code == 401
    page = visitor.submit(page, email=email, password="a guess")
    assert page.status_code == 429
    assert int(page.headers["Retry-After"]) >= 1
    assert "Too many attempts" in page.text
    assert is_log_in(page)


def test_malformed_address_is_said_to_be_malformed(visitor: Visitor, app: Application) -> None:
    page = visitor.sign_in(app, "no address", "password")
    assert page.status_code == 400
    assert is_log_in(page)


def test_unverified_person_gets_no_session(visitor: Visitor, app: Application, newcomer: Person) -> None:
    signed_up = newcomer.shop.post("/v1/signup", email=newcomer.email, password=newcomer.password)
    assert signed_up.status_code == 202
    page = visitor.sign_in(app, newcomer.email, newcomer.password)
    assert page.status_code == 403
    assert "has not been verified" in page.text
    assert is_log_in(visitor.open(app.request()))


def test_guesses_at_the_pages_do_not_shut_the_application_s_own_server_out(
    suite: Suite, visitor: Visitor, app: Application
) -> None:
    visitor.sign_in(app, fresh_email(), "a guess")
    pages = suite.client("dynamodb").get_paginator("scan").paginate(TableName=suite["AuthUsersTableName"])
    counters = [
        item["pk"]["S"] for page in pages for item in page["Items"] if item["pk"]["S"].startswith("L#fail")
    ]
    assert counters
    assert f"L#failures#{app.id}" not in counters
    assert not [name for name in counters if "127.0.0.1" in name]


# ---- forms and cookies


@pytest.mark.parametrize("path", ["login", "second-factor", "consent", "logout/confirm"])
def test_form_of_another_site_does_nothing(
    suite: Suite, signed_in: Visitor, app: Application, path: str
) -> None:
    form = {"request": urlencode(app.request()), "email": "a@b.example", "password": "x", "decision": "allow"}
    for seal in ({}, {"seal": ""}, {"seal": "x" * 43}, {"seal": "ü"}):
        answer = signed_in.post(f"/oauth2/{path}", form | seal)
        assert answer.status_code == 403
        assert "Location" not in answer.headers
    assert "code" in told(signed_in.open(app.request()))


def test_form_works_in_the_browser_that_it_was_made_for_alone(
    visitor: Visitor, suite: Suite, app: Application, person: Person
) -> None:
    form = Form(visitor.open(app.request()))
    filled = form.fields | {"email": person.email, "password": person.password}
    victim = Visitor(suite)
    assert victim.post("/oauth2/login", filled).status_code == 403
    victim.open(app.request())
    assert victim.post("/oauth2/login", filled).status_code == 403
    assert "code" in told(visitor.post("/oauth2/login", filled))


def test_form_does_what_it_was_made_for_alone(
    visitor: Visitor, app: Application, server: Application, stranger: Application, person: Person
) -> None:
    consent = visitor.sign_in(stranger, person.email, person.password)
    log_in = visitor.open(app.request(prompt="login"))
    seals = {"consent": Form(consent).fields, "login": Form(log_in).fields}
    swapped = seals["login"] | {"request": seals["consent"]["request"], "decision": "allow"}
    assert visitor.post("/oauth2/consent", swapped).status_code == 403
    wider = urlencode(stranger.request(scope="openid email phone offline_access"))
    assert (
        visitor.post(
            "/oauth2/consent", seals["consent"] | {"request": wider, "decision": "allow"}
        ).status_code
        == 403
    )
    evil = urlencode(stranger.request(redirect_uri="https://evil.example/"))
    assert (
        visitor.post("/oauth2/consent", seals["consent"] | {"request": evil, "decision": "allow"}).status_code
        == 400
    )
    twice = [*seals["consent"].items(), ("decision", "deny"), ("decision", "allow")]
    assert visitor.post("/oauth2/consent", twice).status_code == 400


def test_page_that_has_gone_stale_says_how_to_begin_again(
    visitor: Visitor, app: Application, person: Person
) -> None:
    other_tab = visitor.open(app.request())
    visitor.submit(visitor.open(app.request()), email=person.email, password=person.password)
    stale = visitor.submit(other_tab, email=person.email, password=person.password)
    assert stale.status_code == 403
    [link] = [part.partition('"')[0] for part in stale.text.split('href="')[1:]]
    again = visitor.http.get(urljoin(stale.url, html.unescape(link)), allow_redirects=False)
    assert "code" in told(again)


def test_cookie_that_was_there_before_is_worth_nothing_after_the_log_in(
    visitor: Visitor, suite: Suite, app: Application, person: Person
) -> None:
    attacker = Visitor(suite)
    attacker.open(app.request())
    planted = attacker.cookie
    visitor.http.cookies = attacker.http.cookies.copy()
    answer = visitor.sign_in(app, person.email, person.password)
    assert "code" in told(answer)
    assert visitor.cookie != planted
    assert is_log_in(attacker.open(app.request()))
    for attribute in ("HttpOnly", "SameSite=Lax", f"Path={urlsplit(app.url).path}/oauth2"):
        assert attribute in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("cookie", ["", "x", "x" * 64, "A" * 63 + ";", "é" * 64, "a" * 5000])
def test_odd_cookie_is_nobody_s(suite: Suite, app: Application, cookie: str) -> None:
    answer = suite.http.get(
        f"{app.url}/oauth2/authorize",
        params=app.request(),
        headers={"Cookie": f"sign-on={cookie}".encode()},
        allow_redirects=False,
    )
    assert answer.status_code == 200
    assert is_log_in(answer)


def test_log_in_as_somebody_else_replaces_the_session(
    visitor: Visitor, app: Application, somebody: Person, person: Person
) -> None:
    first = app.exchange(code_of(visitor.sign_in(app, somebody.email, somebody.password))).json()
    second = app.exchange(code_of(visitor.sign_in(app, person.email, person.password, prompt="login"))).json()
    before, after = (app.read(each["id_token"]) for each in (first, second))
    assert (before["sub"], after["sub"]) == (somebody.id, person.id)
    assert before["sid"] != after["sid"]


# ---- pages


def test_pages_cannot_be_framed_cached_or_scripted(
    visitor: Visitor, app: Application, stranger: Application, person: Person
) -> None:
    pages = [
        visitor.open(app.request(client_id="nobody")),
        visitor.open(app.request()),
        visitor.sign_in(app, person.email, "wrong"),
        visitor.sign_in(stranger, person.email, person.password),
        visitor.get("/oauth2/logout"),
        visitor.submit(visitor.get("/oauth2/logout")),
    ]
    for page in pages:
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert "<script" not in page.text
        assert " style=" not in page.text
        style = page.text.partition("<style>")[2].partition("</style>")[0]
        digest = urlsafe_b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"'sha256-{digest.replace('-', '+').replace('_', '/')}'" in policy
    assert "form-action 'self' https://app.example" in pages[1].headers["Content-Security-Policy"]


SCRIPT = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.mark.parametrize("name", ["login_hint", "state", "nonce", "scope"])
def test_script_in_a_parameter_is_text(visitor: Visitor, app: Application, name: str) -> None:
    value = f"openid {SCRIPT}" if name == "scope" else SCRIPT
    page = visitor.open(app.request(**{name: value}))
    assert page.status_code == 200
    for text in (page.text, visitor.submit(page, email=SCRIPT, password=SCRIPT).text):
        assert "<script" not in text
        assert "<img" not in text


# ---- the token endpoint


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"code_verifier": "w" * 43}, 400, "invalid_grant"),
        ({"code_verifier": None}, 400, "invalid_grant"),
        ({"code_verifier": ""}, 400, "invalid_grant"),
        ({"code_verifier": "é" * 50}, 400, "invalid_grant"),
        ({"redirect_uri": None}, 400, "invalid_grant"),
        ({"redirect_uri": CALLBACK + "/"}, 400, "invalid_grant"),
        ({"code": None}, 400, "invalid_grant"),
        ({"code": "x" * 43}, 400, "invalid_grant"),
        ({"grant_type": None}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
        ({"client_id": None}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_secret": "secret"}, 401, "invalid_client"),
    ],
)
def test_code_is_not_exchanged_for_a_request_that_does_not_fit_and_stays_good(
    signed_in: Visitor, page: Application, changes: dict[str, str | None], status: int, error: str
) -> None:
    code = code_of(signed_in.open(page.request()))
    refused = page.exchange(code, **changes)
    assert (refused.status_code, refused.json()["error"]) == (status, error)
    assert refused.headers["Cache-Control"] == "no-store"
    assert page.exchange(code).status_code == 200


def test_code_of_one_application_is_worth_nothing_to_another(
    signed_in: Visitor, suite: Suite, app: Application, server: Application
) -> None:
    code = code_of(signed_in.open(app.request()))
    thief = Application(suite)
    assert thief.exchange(code, code_verifier=app.verifier).json()["error"] == "invalid_grant"
    assert server.exchange(code, code_verifier=app.verifier).json()["error"] == "invalid_grant"


def test_code_that_is_used_again_ends_what_it_led_to(signed_in: Visitor, server: Application) -> None:
    code = code_of(signed_in.open(server.request(scope="openid offline_access")))
    tokens = server.exchange(code).json()
    assert server.userinfo(tokens["access_token"]).status_code == 200
    assert server.exchange(code).json()["error"] == "invalid_grant"
    assert server.userinfo(tokens["access_token"]).status_code == 401
    assert server.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert "code" in told(signed_in.open(server.request()))  # the person stays signed in


def test_one_of_many_who_show_the_same_code_gets_tokens_for_a_moment(
    signed_in: Visitor, app: Application, faults: Faults
) -> None:
    code = code_of(signed_in.open(app.request()))
    with ThreadPoolExecutor(4) as pool:
        faults.inject({"match": "dynamodb.GetItem", "delay": 2})  # as many environments are needed
        list(pool.map(lambda _: app.suite.http.get(f"{app.url}/v1/health"), range(4)))
        faults.inject({"match": "dynamodb.TransactWriteItems", "delay": 1})  # all read before one writes
        answers = list(pool.map(lambda _: app.exchange(code), range(4)))
    faults.clear()
    [good] = [each for each in answers if each.status_code == 200]
    assert {each.json()["error"] for each in answers if each is not good} == {"invalid_grant"}
    assert app.userinfo(good.json()["access_token"]).status_code == 401


def test_expired_code_is_refused(suite: Suite, signed_in: Visitor, app: Application) -> None:
    code = code_of(signed_in.open(app.request()))
    suite.client("dynamodb").update_item(
        TableName=suite["AuthUsersTableName"],
        Key=stored(suite, code),
        UpdateExpression="SET good_until = :past",
        ExpressionAttributeValues={":past": {"N": str(int(time.time()) - 1)}},
    )
    assert app.exchange(code).json()["error"] == "invalid_grant"


def test_code_lives_a_minute_and_is_stored_as_a_hash(
    suite: Suite, signed_in: Visitor, app: Application
) -> None:
    code = code_of(signed_in.open(app.request()))
    table = suite["AuthUsersTableName"]
    item = suite.client("dynamodb").get_item(TableName=table, Key=stored(suite, code))["Item"]
    assert int(item["good_until"]["N"]) <= time.time() + 60
    assert code not in str(item)
    assert signed_in.cookie not in str(item)


def test_application_with_a_key_has_to_prove_who_it_is(signed_in: Visitor, server: Application) -> None:
    code = code_of(signed_in.open(server.request()))
    none = {"client_assertion": None, "client_assertion_type": None}
    assertion = server.assertion()
    now = int(time.time())
    for changes in (
        none,
        {"client_assertion": ""},
        {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
        {"client_assertion": server.assertion(aud="https://evil.example")},
        {"client_assertion": server.assertion(sub="somebody-else")},
        {"client_assertion": server.assertion(iss="somebody-else")},
        {"client_assertion": server.assertion(exp=now - 60, iat=now - 120)},
        {"client_assertion": server.assertion(exp=now + 3700)},
        {"client_assertion": server.assertion(aud=[server.url, "https://evil.example"])},
        {"client_assertion": server.assertion(jti=None)},
        {"client_assertion": assertion[:-4] + ("AAAA" if assertion[-4:] != "AAAA" else "BBBB")},
        {"client_id": "somebody-else"},
    ):
        refused = server.exchange(code, **changes)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client"), changes
    token_endpoint = server.assertion(aud=[f"{server.url}/oauth2/token"])
    exchanged = server.exchange(code, client_assertion=token_endpoint)
    assert exchanged.status_code == 200
    another = code_of(signed_in.open(server.request()))
    replayed = server.exchange(another, client_assertion=token_endpoint)
    assert (replayed.status_code, replayed.json()["error"]) == (401, "invalid_client")


def test_token_endpoint_reads_forms_only(suite: Suite, app: Application) -> None:
    address = f"{app.url}/oauth2/token"
    for headers, body, status in (
        ({"Content-Type": "application/json"}, "{}", 415),
        ({}, "grant_type=authorization_code", 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "x" * 20_000, 413),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "a=%ff", 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "&".join(f"a{n}=" for n in range(60)), 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "grant_type=a&grant_type=b", 400),
    ):
        answer = suite.http.post(address, data=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (status, "invalid_request")
    parameters = {"grant_type": "refresh_token", "client_id": app.id}
    in_query = suite.http.post(
        address, params=parameters, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert in_query.status_code == 401


@pytest.mark.parametrize("token", ["", "x", "x" * 81, "x" * 5000, "é"])
def test_odd_refresh_token_is_refused(app: Application, token: str) -> None:
    refused = app.refresh(token)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


def test_refresh_token_of_one_application_is_worth_nothing_to_another(
    suite: Suite, signed_in: Visitor, app: Application
) -> None:
    tokens = app.exchange(code_of(signed_in.open(app.request(scope="openid offline_access")))).json()
    assert Application(suite).refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert app.refresh(tokens["refresh_token"]).status_code == 200


# ---- userinfo


def test_userinfo_wants_an_access_token_that_is_good_now(
    suite: Suite, signed_in: Visitor, app: Application, somebody: Person
) -> None:
    address = f"{app.url}/oauth2/userinfo"
    nobody = suite.http.get(address)
    assert (nobody.status_code, nobody.headers["WWW-Authenticate"]) == (401, "Bearer")
    tokens = app.exchange(code_of(signed_in.open(app.request()))).json()
    head, body, tail = tokens["access_token"].split(".")
    for token in ("x", "a.b.c", tokens["id_token"], f"{head}.{body}.{tail[::-1]}", f"{head}.{body}."):
        refused = app.userinfo(token)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
        assert refused.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    in_query = suite.http.get(address, params={"access_token": tokens["access_token"]})
    assert in_query.status_code == 401
    account = somebody.tokens()["access_token"]  # of a company's server, which reads profiles elsewhere
    refused = app.userinfo(account)
    assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")


def test_token_of_a_sign_on_changes_no_account(suite: Suite, visitor: Visitor, person: Person) -> None:
    app = Application(suite, public=False)
    company = Company(
        suite, app.id, trusted=True, redirect_uris=[CALLBACK], sign_on_scopes=["email"]
    )  # has both ways in
    app.key, app.kid = company.key, company.kid
    answer = visitor.sign_in(app, person.email, person.password)
    exchanged = app.exchange(code_of(answer))
    assert exchanged.status_code == 200, exchanged.text
    token = exchanged.json()["access_token"]
    assert company.post("/v1/mfa/totp", access_token=token, action="enrol").status_code == 401
    changed = company.post(
        "/v1/password/change", access_token=token, current=person.password, password=fresh_password()
    )
    assert changed.status_code == 401


# ---- when something does not answer


@pytest.mark.parametrize("service", ["dynamodb", "kms"])
def test_outage_is_said_to_be_one(
    visitor: Visitor, app: Application, person: Person, faults: Faults, service: str
) -> None:
    page = visitor.open(app.request())
    tokens = app.exchange(code_of(visitor.submit(page, email=person.email, password=person.password))).json()
    page = visitor.open(app.request(prompt="login"))
    action = "GetItem" if service == "dynamodb" else "Decrypt"
    faults.inject({"match": f"{service}.{action}", "rate": 1, "status": 400, "type": "ThrottlingException"})
    shown = visitor.submit(page, email=person.email, password=person.password)
    asked = app.userinfo(tokens["access_token"])
    faults.clear()
    assert shown.status_code == asked.status_code == 503
    assert int(shown.headers["Retry-After"]) >= 1
    assert int(asked.headers["Retry-After"]) >= 1
    assert "try again" in shown.text
    assert asked.json()["error"] == "temporarily_unavailable"
    again = visitor.submit(page, email=person.email, password=person.password)
    assert "code" in told(again)


# ---- for everybody


def test_discovery_says_what_is_so(suite: Suite, app: Application) -> None:
    answer = suite.http.get(f"{app.url}/.well-known/openid-configuration")
    assert answer.headers["Cache-Control"].startswith("public")
    document = answer.json()
    assert document["issuer"] == app.url
    for name, value in document.items():
        if name.endswith(("_endpoint", "_uri")):
            assert value.startswith(f"{app.url}/")
            posted = name in ("token_endpoint", "revocation_endpoint")
            answer = suite.http.post(value) if posted else suite.http.get(value)
            assert answer.status_code != 404, name
    keys = suite.http.get(document["jwks_uri"])
    assert keys.headers["Cache-Control"].startswith("public")
    assert keys.json()["keys"]
    assert not [key for key in keys.json()["keys"] if "d" in key]


def test_health_says_that_the_region_can_serve(suite: Suite, app: Application) -> None:
    assert suite.http.get(f"{app.url}/v1/health").json()["status"] == "ok"


def test_scripts_of_applications_may_read_tokens_but_no_pages(suite: Suite, app: Application) -> None:
    origin = {"Origin": "https://app.example"}
    allowed = suite.http.options(f"{app.url}/oauth2/userinfo", headers=origin)
    assert allowed.status_code == 204
    assert allowed.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type"
    for path in ("/oauth2/userinfo", "/.well-known/jwks.json", "/.well-known/openid-configuration"):
        assert suite.http.get(app.url + path, headers=origin).headers["Access-Control-Allow-Origin"] == "*"
    assert app.token().headers["Access-Control-Allow-Origin"] == "*"
    for path in ("/oauth2/authorize", "/oauth2/logout"):
        assert "Access-Control-Allow-Origin" not in suite.http.get(app.url + path, headers=origin).headers


@pytest.mark.parametrize(
    ("case", "status", "text"),
    [
        ("discovery", 200, "authorization_endpoint"),
        ("jwks", 200, "keys"),
        ("health", 200, "ok"),
        ("authorize_login_page", 200, "to continue to Wish list"),
        ("authorize_unknown_client", 400, "is not known"),
        ("token_bad_code", 400, "invalid_grant"),
        ("userinfo_no_token", 401, "An access token is needed"),
    ],
)
def test_recorded_event_is_answered(suite: Suite, case: str, status: int, text: str) -> None:
    register(
        suite.client, suite.outputs, "wish-list", company="shop", title="Wish list", sign_on_scopes=["email"],
        redirect_uris=["https://wishes.example/callback"],
    )  # fmt: skip
    event = (ROOT / f"events/auth/oidc_{case}.json").read_bytes()
    answer = suite.client("lambda").invoke(FunctionName=function(suite, "AuthOidcFunction"), Payload=event)
    made = json.load(answer["Payload"])
    assert made["statusCode"] == status
    assert text in made["body"]


def test_role_of_the_function_has_what_it_needs_and_no_more(
    suite: Suite, visitor: Visitor, app: Application, stranger: Application, shop: Company
) -> None:
    forget_decisions(suite)
    person = joined(Person(shop, fresh_email(), fresh_password()))
    guarded = Guarded(person)
    visitor.sign_in(app, person.email, "a guess")
    page = visitor.sign_in(stranger, person.email, person.password)
    page = visitor.submit(page, recovery_code=guarded.codes[0])  # of which the person is told
    tokens = stranger.exchange(code_of(visitor.submit(page, decision="allow"))).json()
    stranger.userinfo(tokens["access_token"])
    visitor.get("/oauth2/logout", {"id_token_hint": tokens["id_token"]})
    assert refused(suite, "AuthOidcFunction") == []
    assert unused(suite, "AuthOidcFunction") <= {"ssm:GetParameter"}  # at a start
