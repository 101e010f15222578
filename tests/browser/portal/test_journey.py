"""The whole journey on the deployed suite: an account, a key, a call, and what becomes of the key."""

from __future__ import annotations

import re
import secrets
import time

import pytest
from playwright.sync_api import Page, expect

from local.browser import fill_sign_in
from local.suite import Suite
from ops.api_documents import APIS

PASSWORD = "forty characters are a key"
CODE = "123456"  # the local engine's every code
BAR_S = 30  # from the sign-up to the first 200 with the new key
REVOKED_S = 60  # after which a revoked key is refused


def email() -> str:
    return f"developer-{secrets.token_hex(4)}@example.org"


def title(page: Page, text: str) -> None:
    expect(page.locator("#view-title")).to_have_text(text)


def view(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Parts of the portal").get_by_role("link", name=name).click()


def register(page: Page, suite: Suite, who: str) -> None:
    """Make an account on the page, and sign in."""
    page.goto(f"{suite['WebUrl']}/portal/?account=register")
    page.get_by_label("Email address").fill(who)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create the account").click()
    page.get_by_label("Code from the mail").fill(CODE)
    page.get_by_role("button", name="Confirm", exact=True).click()
    title(page, "Your account is ready")
    page.locator("#content").get_by_role("button", name="Sign in").click()
    fill_sign_in(page, who, PASSWORD)
    title(page, "Your keys")
    expect(page.locator(".who")).to_have_text(who)


def make_key(page: Page, name: str) -> str:
    """Make a key, and return its value; the dialog stays."""
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make the key").click()
    return value(page)


def value(page: Page) -> str:
    expect(page.locator("#secret")).to_have_text(re.compile(r"^\S{20,128}$"))
    return page.locator("#secret").inner_text()


def confirm(page: Page, button: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=button, exact=True).click()


def send(page: Page, operation: str, status: int) -> None:
    """Send an operation in the console with the key that is there."""
    page.locator("#operation").select_option(operation)
    expect(page.locator("#operation")).to_have_value(operation)
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#status")).to_have_text(str(status))


@pytest.fixture
def developer(page: Page, suite: Suite) -> str:
    """Somebody who has registered and is signed in; their address."""
    who = email()
    register(page, suite, who)
    return who


@pytest.mark.timeout(240)
def test_from_the_sign_up_to_the_first_call(page: Page, suite: Suite) -> None:
    page.goto(f"{suite['WebUrl']}/portal/")
    expect(page.locator("#plan-free .quota")).to_have_text("1,000 calls a month and key")
    began = time.monotonic()
    register(page, suite, email())
    make_key(page, "Shop")
    confirm(page, "Try it now")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#status")).to_have_text("200")
    took = time.monotonic() - began
    expect(page.locator("#answer")).to_contain_text('"url"')
    assert took < BAR_S
    send(page, "rides GET /v1/fleet", 200)
    expect(page.locator("#answer")).to_contain_text('"unicorns"')
    view(page, "Usage")
    expect(page.locator(".used")).to_have_text("2 calls this month")
    expect(page.locator(".meters")).to_contain_text("2 of 1,000 calls")


@pytest.mark.timeout(240)
def test_a_rotated_key_and_the_new_one_work_until_one_is_revoked(
    page: Page, suite: Suite, developer: str
) -> None:
    old = make_key(page, "Shop")
    confirm(page, "I have stored it")
    page.get_by_role("button", name="Rotate: Shop").click()
    confirm(page, "Rotate")
    new = value(page)
    assert new != old
    confirm(page, "Try it now")
    send(page, "rides GET /v1/fleet", 200)
    page.get_by_label("API key", exact=True).fill(old)
    send(page, "rides GET /v1/fleet", 200)
    view(page, "Keys")
    replaced = page.locator(".key-card").filter(has_text="Replaced")
    replaced.get_by_role("button", name="Revoke: Shop").click()
    confirm(page, "Revoke")
    expect(page.locator("#sentence")).to_have_text("“Shop” is revoked.")
    revoked = time.monotonic()
    view(page, "Try it")
    page.get_by_label("API key", exact=True).fill(old)
    send(page, "rides GET /v1/fleet", 403)
    assert time.monotonic() - revoked < REVOKED_S
    expect(page.locator("#answer")).to_contain_text('"invalid_key"')
    page.get_by_label("API key", exact=True).fill(new)
    send(page, "rides GET /v1/fleet", 200)


@pytest.mark.timeout(240)
def test_the_catalogue_is_of_what_is_deployed(page: Page, suite: Suite) -> None:
    page.goto(f"{suite['WebUrl']}/portal/?view=apis")
    expect(page.locator("article.api")).to_have_count(len(APIS))
    for name, (_, output) in APIS.items():
        document = suite.http.get(f"{suite['WebUrl']}/portal/apis/{name}.json").json()
        assert document["servers"] == [{"url": suite[output]}]
    page.goto(f"{suite['WebUrl']}/portal/?view=try&api=event_hub")
    send(page, "event_hub GET /hub/status", 200)


def test_a_plan_without_a_product_is_not_sold(page: Page, suite: Suite, developer: str) -> None:
    view(page, "Plans")
    expect(page.locator("#plan-images .badge")).to_have_text("Not sold here")
    expect(page.locator("#plan-fleet .badge")).to_have_text("Not sold here")
    view(page, "Keys")
    expect(page.get_by_label("Plan").locator("option")).to_have_text(["Free"])


def test_a_registration_that_aws_does_not_know_is_refused(page: Page, suite: Suite, developer: str) -> None:
    page.goto(f"{suite['WebUrl']}/portal/?view=plans#registration=nobody-made-this")
    expect(page.locator("#registration")).to_contain_text("does not know this registration")
    assert "registration" not in page.url
