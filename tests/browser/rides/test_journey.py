"""The whole journey on the deployed suite: an account, a ride, a receipt, and what may come between."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

from local.browser import fill_sign_in
from local.suite import Suite
from tests.browser.visitors import make_account

PASSWORD = "a unicorn over the roofs"
RESET_CODE = "654321"  # the local engine's every code to set a password anew


def email() -> str:
    return f"rider-{secrets.token_hex(4)}@example.org"


def title(page: Page, text: str) -> None:
    expect(page.locator("#panel-title")).to_have_text(text)


def register(page: Page, suite: Suite, who: str) -> None:
    page.goto(f"{suite['WebUrl']}/rides/")
    page.get_by_role("button", name="Create an account").click()
    make_account(page, who, PASSWORD)


def choose(page: Page, place: str = "Senate Square") -> None:
    page.get_by_role("combobox", name="Place").select_option(place)


@pytest.fixture
def rider(page: Page, suite: Suite) -> str:
    """Somebody who has registered and is signed in; their address."""
    who = email()
    register(page, suite, who)
    page.locator("#content").get_by_role("button", name="Sign in").click()
    fill_sign_in(page, who, PASSWORD)
    expect(page.locator(".who")).to_have_text(who)
    return who


def request(page: Page) -> None:
    page.get_by_role("button", name="Request a unicorn", exact=True).click()
    expect(page).to_have_url(re.compile(r"/rides/\?ride=[0-9a-f-]{36}$"))


def age(page: Page, seconds: int) -> None:
    """Let the tab's token end sooner."""
    page.evaluate(
        """seconds => {
          const session = JSON.parse(sessionStorage.getItem("visit.session"));
          session.expires = Date.now() + 1000 * seconds;
          sessionStorage.setItem("visit.session", JSON.stringify(session));
        }""",
        seconds,
    )


@pytest.mark.timeout(240)
def test_from_the_home_page_to_the_receipt(page: Page, suite: Suite) -> None:
    who = email()
    page.goto(suite["WebUrl"] + "/")
    page.locator("#applications").get_by_role("link", name="Rides").click()
    choose(page)
    register_here = page.get_by_role("button", name="Create an account")
    register_here.click()
    page.go_back()
    title(page, "Where do you wait?")
    register(page, suite, who)
    page.locator("#content").get_by_role("button", name="Sign in").click()
    fill_sign_in(page, who, PASSWORD)
    expect(page.locator("#chosen")).to_have_text("Senate Square")  # it was kept
    request(page)
    for words in ("is yours|is on its way", "is on its way", "over the roofs", "You are back"):
        expect(page.locator("#sentence")).to_contain_text(re.compile(words), timeout=60_000)
    expect(page.locator(".receipt .total")).to_contain_text("$4.30")
    expect(page.locator("#history tbody tr")).to_have_count(1)
    expect(page.locator("#history tbody")).to_contain_text("Done")
    page.reload()
    expect(page.locator(".receipt .total")).to_contain_text("$4.30")
    page.go_back()
    title(page, "Where do you wait?")


@pytest.mark.timeout(240)
def test_a_ride_survives_reload_renewal_and_a_lost_connection(page: Page, suite: Suite, rider: str) -> None:
    renewals: list[Request] = []
    page.on("request", lambda sent: renewals.append(sent) if "/oauth2/token" in sent.url else None)
    choose(page, "Oodi Library")
    request(page)
    expect(page.locator("#panel-title")).to_have_text(re.compile("Assigned|Arriving"))
    age(page, 1)
    page.reload()
    expect(page.locator("#panel-title")).to_have_text(re.compile("Assigned|Arriving|Riding"))
    assert len(renewals) == 1
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_contain_text("You are offline.")
    page.context.set_offline(False)
    title(page, "Welcome back")
    expect(page.locator("#connection")).to_be_hidden()


@pytest.mark.timeout(240)
def test_a_ride_is_cancelled(page: Page, suite: Suite, rider: str) -> None:
    choose(page, "Kamppi Chapel")
    request(page)
    page.get_by_role("button", name="Cancel the ride").click()
    title(page, "Cancelled")
    expect(page.locator("#history tbody")).to_contain_text("Cancelled")


@pytest.mark.timeout(240)
def test_an_ended_sign_in_leads_back_to_the_ride(page: Page, suite: Suite, rider: str) -> None:
    choose(page)
    request(page)
    address = page.url
    page.evaluate(
        """() => {
          const { refresh, ...session } = JSON.parse(sessionStorage.getItem("visit.session"));
          sessionStorage.setItem("visit.session", JSON.stringify({ ...session, expires: Date.now() - 1 }));
        }"""
    )
    title(page, "Sign in to follow your ride")
    page.locator("#content").get_by_role("button", name="Sign in").click()
    # Cognito's own session may still be there; then it asks for nothing.
    hosted = page.get_by_label("Username")
    expect(hosted.or_(page.locator(".steps"))).to_be_visible()
    if hosted.is_visible():
        fill_sign_in(page, rider, PASSWORD)
    expect(page.locator(".steps")).to_be_visible()
    assert page.url == address


@pytest.mark.timeout(240)
def test_a_forgotten_password_is_set_anew(page: Page, suite: Suite) -> None:
    who = email()
    register(page, suite, who)
    page.goto(f"{suite['WebUrl']}/rides/?account=forgot")
    page.get_by_label("Email address").fill(who)
    page.get_by_role("button", name="Send a code").click()
    page.get_by_label("Code from the mail").fill("000000")
    page.get_by_label("Password", exact=True).fill("another unicorn, please")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("alert")).to_contain_text("This is not the code")
    page.get_by_label("Code from the mail").fill(RESET_CODE)
    page.get_by_role("button", name="Set the password").click()
    title(page, "Your account is ready")
    page.locator("#content").get_by_role("button", name="Sign in").click()
    fill_sign_in(page, who, "another unicorn, please")
    expect(page.locator(".who")).to_have_text(who)


def test_an_address_registers_once(page: Page, suite: Suite) -> None:
    who = email()
    register(page, suite, who)
    page.goto(f"{suite['WebUrl']}/rides/?account=register")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_role("alert")).to_contain_text("There is an account with this address already")


def test_an_operators_session_does_not_open_the_rides(page: Page, suite: Suite) -> None:
    page.goto(f"{suite['WebUrl']}/rides/")
    page.evaluate(
        "kept => sessionStorage.setItem('sign-in.session', kept)",
        json.dumps({"token": "x", "email": "operator@example.org", "expires": 9e15}),
    )
    asked: list[Any] = []
    page.on("request", lambda sent: asked.append(sent.url) if "/v1/rides" in sent.url else None)
    page.reload()
    expect(page.get_by_role("button", name="Sign in to request a unicorn")).to_be_visible()
    assert asked == []
