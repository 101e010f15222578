"""What single sign-on says to browsers: cookies, policies, escaped text, forms that are read with care."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.clients import Client
from auth.sign_on import pages
from auth.sign_on.browsers import cookie
from ops.auth_clients import ClientError, register
from shared.http import BadRequestError, Request, UnsupportedTypeError


def client(title: str = "Shop", *uris: str) -> Client:
    return Client(
        "shop", "shop", "", frozenset(), {}, title, False, uris, (), {}, frozenset(), (), "", "RS256"
    )


def form(body: str, kind: str = "application/x-www-form-urlencoded") -> dict[str, str]:
    event = {
        "httpMethod": "POST",
        "path": "/oauth2/token",
        "resource": "/oauth2/token",
        "headers": {"Content-Type": kind},
        "body": body,
    }
    return Request.of(event).form()


def test_cookie_on_https_is_bound_to_the_host() -> None:
    made = cookie("https://abc.execute-api.eu-west-1.amazonaws.com/live", "value")
    assert made == "__Host-sign-on=value; Path=/; Secure; HttpOnly; SameSite=Lax"


def test_cookie_on_the_local_engine_is_sent_to_the_pages_alone() -> None:
    made = cookie("http://127.0.0.1:4566/restapis/abc/live/_user_request_", "value")
    path = "/restapis/abc/live/_user_request_/oauth2"
    assert made == f"sign-on=value; Path={path}; HttpOnly; SameSite=Lax"


def test_forgotten_cookie_has_the_attributes_with_which_it_was_set() -> None:
    made = cookie("https://abc.example", "")
    assert made == "__Host-sign-on=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"


def test_policy_lets_forms_lead_to_the_applications_origins_and_nowhere_else() -> None:
    shop = client("Shop", "https://b.example/x?y=1", "http://127.0.0.1:8080/z", "https://b.example/w")
    policy = pages.login(shop, {}, "")["headers"]["Content-Security-Policy"]
    assert policy.endswith("; form-action 'self' http://127.0.0.1:8080 https://b.example")
    nobody = pages.error(400, "No.")["headers"]["Content-Security-Policy"]
    assert nobody.endswith("; form-action 'self'")


class Elements(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.values: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}
        self.values += [value for name, value in attrs if name == "value"]


HOSTILE = st.text(alphabet="<>\"'&/=` \n-!xonscriptalert()", max_size=60)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_text_from_outside_becomes_markup(title: str, text: str, value: str) -> None:
    carried = {"request": value}
    made = [
        (pages.login(client(title), carried, text, text), pages.login(client(), {"request": ""}, "", "x")),
        (
            pages.second_factor(client(title), carried, text or "x"),
            pages.second_factor(client(), {"request": ""}, "x"),
        ),
        (
            pages.consent(client(title), carried, [text], text),
            pages.consent(client(), {"request": ""}, ["x"], "x"),
        ),
        (pages.error(400, text, value or "x"), pages.error(400, "x", "x")),
    ]
    for hostile, harmless in made[1 if not text else 0 :]:
        before, after = Elements(harmless["body"]), Elements(hostile["body"])
        assert after.tags == before.tags
        assert after.names == before.names
    login = Elements(made[0][0]["body"])
    assert value in login.values


def test_every_input_has_a_label_and_says_how_it_is_filled_in() -> None:
    for page in (pages.login(client(), {}, ""), pages.second_factor(client(), {})):
        inputs = re.findall(r"<input [^>]*>", page["body"])
        assert inputs
        for each in inputs:
            [name] = re.findall(r' id="(\w+)"', each)
            assert f'<label for="{name}">' in page["body"]
            assert "autocomplete=" in each


@pytest.mark.parametrize("body", ["a=1&a=2", "a=%ff", "&".join(f"a{n}=1" for n in range(51))])
def test_form_that_is_ambiguous_or_malformed_is_refused(body: str) -> None:
    with pytest.raises(BadRequestError):
        form(body)


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
def test_only_forms_are_forms(kind: str) -> None:
    with pytest.raises(UnsupportedTypeError):
        form("a=1", kind)


def test_form_keeps_what_was_typed() -> None:
    assert form("email=a%2Bb%40example.org&password=+%26+%E2%82%AC&empty=") == {
        "email": "a+b@example.org",
        "password": " & €",
        "empty": "",
    }


@pytest.mark.parametrize(
    "uri",
    [
        "http://shop.example/callback", "http://127.0.0.1.evil.example/", "http://localhost.evil.example/",
        "http://localhost@evil.example/", "https://shop.example/callback#fragment", "javascript:alert(1)",
        "https://shop.example; script-src 'unsafe-inline'", "https://shop.example/\r\nX: y", "https://",
        "https://user@shop.example/", "//shop.example/", "https://*/",
    ],
)  # fmt: skip
def test_application_cannot_be_registered_with_an_address_that_is_not_safe(uri: str) -> None:
    def nothing(service: str) -> Any:
        raise AssertionError(service)

    for where in ("redirect_uris", "logout_uris"):
        addresses: dict[str, Any] = {where: [uri]}
        with pytest.raises(ClientError):
            register(nothing, {}, "shop", company="shop", title="Shop", **addresses)
