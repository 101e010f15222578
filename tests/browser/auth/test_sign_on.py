"""The sign-on pages as a person uses them, coming from an application of its own origin."""

from __future__ import annotations

import html
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from local.clients.company import Company
from local.clients.sign_on import Application
from local.suite import Suite
from tests.browser.conftest import SCREENSHOTS
from tests.browser.quality.checks import SCHEMES, WIDTHS, Console, policy_problems, view_problems
from tests.integration.auth.conftest import (
    LINKS,
    Person,
    fresh_email,
    fresh_password,
    joined,
    let_codes_pass,
)
from tests.support.totp import totp
from tests.support.waiting import wait_until


class Shop:
    """An application with a server, on loopback: `/` leads to the sign-on, `/callback` says hello.

    Args:
        suite: Where people sign on.
        settings: Further settings of `Application`.
    """

    def __init__(self, suite: Suite, **settings: Any) -> None:
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                answer = shop.answer(parts.path, dict(parse_qsl(parts.query)))
                self.send_response(302 if answer.startswith("http") else 200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                if answer.startswith("http"):
                    self.send_header("Location", answer)
                self.end_headers()
                if not answer.startswith("http"):
                    self.wfile.write(f"<!doctype html><title>Shop</title><h1>{answer}</h1>".encode())

            def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.moved = f"http://localhost:{self.server.server_port}/moved"  # another origin
        self.moving = False
        self.application = Application(
            suite,
            "The Corner Shop",
            public=False,
            redirect_uris=(f"{self.url}/callback",),
            logout_uris=(f"{self.url}/goodbye", self.moved),
            **settings,
        )
        self.tokens: dict[str, str] = {}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, path: str, query: dict[str, str]) -> str:
        """Return a heading, or the address of a redirect."""
        if path == "/callback" and "code" in query:
            self.tokens = self.application.exchange(query["code"]).json()
            if self.moving:
                return self.moved
            shown = self.application.userinfo(self.tokens["access_token"]).json()
            return f"Hello, {html.escape(shown['email'])}"
        if path == "/callback":
            return f"Not signed in: {html.escape(query['error'])}"
        if path == "/framed":
            return f'<iframe src="{html.escape(self.sign_in)}"></iframe>'
        return {"/goodbye": "Goodbye", "/moved": "Moved"}.get(path, "Shop")

    @property
    def sign_in(self) -> str:
        return f"{self.application.url}/oauth2/authorize?{urlencode(self.application.request())}"

    @property
    def sign_out(self) -> str:
        query = {"post_logout_redirect_uri": f"{self.url}/goodbye"}
        hint = {"id_token_hint": self.tokens["id_token"]}
        return f"{self.application.url}/oauth2/logout?{urlencode(query | hint)}"


@pytest.fixture(scope="module")
def company(suite: Suite) -> Company:
    return Company(suite, "high-street", links=LINKS)


@pytest.fixture
def person(company: Company) -> Person:
    return joined(Person(company, fresh_email(), fresh_password()), given_name="Ada")


@pytest.fixture
def shop(suite: Suite) -> Iterator[Shop]:
    """The group's own application: nobody is asked for consent."""
    shop = Shop(suite)
    yield shop
    shop.close()


@pytest.fixture
def stranger(suite: Suite) -> Iterator[Shop]:
    """Somebody else's application."""
    shop = Shop(suite, trusted=False)
    yield shop
    shop.close()


def fill_in(page: Page, person: Person, password: str | None = None) -> None:
    page.get_by_label("E-mail address").fill(person.email)
    page.get_by_label("Password").fill(password or person.password)
    page.get_by_role("button", name="Sign in").click()


def with_second_factor(person: Person) -> tuple[str, list[str]]:
    """Enrol an authenticator; returns its secret, and the recovery codes."""
    access_token = person.tokens()["access_token"]
    asked = {"access_token": access_token, "action": "enrol", "current": person.password}
    enrol = person.shop.post("/v1/mfa/totp", **asked)
    secret = str(enrol.json()["secret"])
    confirm = person.shop.post("/v1/mfa/totp", access_token=access_token, action="confirm", code=totp(secret))
    let_codes_pass(person.shop.suite, person.id)
    return secret, confirm.json()["recovery_codes"]


def test_person_signs_in_consents_comes_back_and_signs_out(
    page: Page, stranger: Shop, person: Person
) -> None:
    page.goto(stranger.sign_in)
    expect(page.get_by_text("to continue to The Corner Shop")).to_be_visible()
    fill_in(page, person)
    expect(page.get_by_role("heading", name="Allow The Corner Shop?")).to_be_visible()
    expect(page.get_by_text("You are signed in as")).to_contain_text(person.email)
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("heading", name=f"Hello, {person.email}")).to_be_visible()
    page.goto(stranger.sign_in)
    expect(
        page.get_by_role("heading", name=f"Hello, {person.email}")
    ).to_be_visible()  # neither is asked again
    assert page.evaluate("() => document.cookie") == ""
    page.goto(stranger.sign_out)
    expect(page.get_by_role("heading", name="Goodbye")).to_be_visible()
    page.goto(stranger.sign_in)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert stranger.application.userinfo(stranger.tokens["access_token"]).status_code == 401


def test_person_who_does_not_allow_it_is_sent_back_without_a_code(
    page: Page, stranger: Shop, person: Person
) -> None:
    page.goto(stranger.sign_in)
    fill_in(page, person)
    page.get_by_role("button", name="Do not allow").click()
    expect(page.get_by_role("heading", name="Not signed in: access_denied")).to_be_visible()


def test_wrong_password_can_be_corrected(page: Page, shop: Shop, person: Person) -> None:
    page.goto(shop.sign_in)
    fill_in(page, person, "not the password")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    expect(page).to_have_title("Error: Sign in")
    expect(page.get_by_label("E-mail address")).to_have_value(person.email)
    expect(page.get_by_label("Password")).to_be_focused()
    expect(page.get_by_label("Password")).to_have_value("")
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name=f"Hello, {person.email}")).to_be_visible()


def test_keyboard_is_enough(page: Page, shop: Shop, person: Person) -> None:
    page.goto(shop.sign_in)
    expect(page.get_by_label("E-mail address")).to_be_focused()
    page.keyboard.type(person.email)
    page.keyboard.press("Tab")
    page.keyboard.type(person.password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"Hello, {person.email}")).to_be_visible()


def test_second_factor_is_asked_for_after_the_password(page: Page, shop: Shop, person: Person) -> None:
    secret, _ = with_second_factor(person)
    page.goto(shop.sign_in)
    fill_in(page, person)
    expect(page.get_by_role("heading", name="Enter your code")).to_be_visible()
    page.get_by_label("Code", exact=True).fill("000000")
    page.get_by_role("button", name="Continue", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The code is wrong")
    expect(page.get_by_label("Code", exact=True)).to_be_focused()
    page.keyboard.type(totp(secret))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"Hello, {person.email}")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_recovery_code_gets_in_who_lost_the_app(
    browser: Browser, shop: Shop, person: Person, scripts: bool
) -> None:
    _, codes = with_second_factor(person)
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    page.goto(shop.sign_in)
    fill_in(page, person)
    expect(page.get_by_label("Recovery code")).to_be_hidden()
    page.get_by_text("Use a recovery code").click()
    page.get_by_label("Recovery code").fill("aaaaa-aaaaa")
    page.get_by_role("button", name="Continue with the recovery code").click()
    expect(page.get_by_role("alert")).to_contain_text("The code is wrong")
    expect(page.get_by_label("Recovery code")).to_be_focused()
    page.keyboard.type(codes[0].lower())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"Hello, {person.email}")).to_be_visible()
    context.close()


def test_pages_work_without_scripts(browser: Browser, stranger: Shop, person: Person) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(stranger.sign_in)
    fill_in(page, person)
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("heading", name=f"Hello, {person.email}")).to_be_visible()
    context.close()


def test_callback_may_lead_on_to_another_registered_origin(page: Page, shop: Shop, person: Person) -> None:
    shop.moving = True
    page.goto(shop.sign_in)
    fill_in(page, person)
    expect(page.get_by_role("heading", name="Moved")).to_be_visible()


def test_sign_on_cannot_be_framed(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.url}/framed")
    wait_until(
        lambda: [frame.url for frame in page.frames if frame.url.startswith("chrome-error:")], what="refusal"
    )
    expect(page.frame_locator("iframe").get_by_label("Password")).to_have_count(0)


def test_two_tabs_do_not_get_in_each_other_s_way_for_long(page: Page, shop: Shop, person: Person) -> None:
    other = page.context.new_page()
    other.goto(shop.sign_in)
    page.goto(shop.sign_in)
    fill_in(page, person)
    expect(page.get_by_role("heading", name=f"Hello, {person.email}")).to_be_visible()
    fill_in(other, person)
    other.get_by_role("link", name="Start again").click()
    expect(other.get_by_role("heading", name=f"Hello, {person.email}")).to_be_visible()


@pytest.mark.timeout(300)  # the first run installs axe
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_is_accessible_and_fits(
    browser: Browser, stranger: Shop, person: Person, scheme: Any, width: int
) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 700})
    page = context.new_page()
    console = Console(page)
    policies: list[str] = []
    page.on("response", lambda got: policies.append(got.headers.get("content-security-policy", "-")))

    def check(name: str, heading: str) -> None:
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"sign_on_{name}_{scheme}_{width}.png", full_page=True)
        assert view_problems(page) == [], name
        assert page.title(), name
        assert policy_problems(policies[-1]) == [], name

    secret, _ = with_second_factor(person)
    page.goto(stranger.sign_in)
    check("login", "Sign in")
    fill_in(page, person, "not the password")
    check("wrong", "Sign in")
    fill_in(page, person)
    check("code", "Enter your code")
    page.get_by_text("Use a recovery code").click()
    check("recovery_code", "Enter your code")
    page.get_by_label("Code", exact=True).fill(totp(secret))
    page.get_by_role("button", name="Continue", exact=True).click()
    check("consent", "Allow The Corner Shop?")
    page.goto(f"{stranger.application.url}/oauth2/logout")
    check("sign_out", "Sign out?")
    page.get_by_role("button", name="Sign out").click()
    check("signed_out", "You are signed out")
    page.goto(f"{stranger.application.url}/oauth2/authorize?client_id=nobody")
    check("error", "This did not work")
    assert [said for said in console.complaints if "Content Security Policy" in said] == []
    context.close()
