"""The whole journey on the deployed suite: an account, a key, a call, and what becomes of the key."""

from __future__ import annotations

import re
import secrets
import time
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from local.browser import fill_sign_in
from local.clients.marketplace import Marketplace
from local.clients.visitor import PortalVisitor
from local.suite import Suite
from ops.api_documents import APIS
from tests.browser.visitors import make_account

PASSWORD = "forty characters are a key"
PRODUCT, FOREIGN = "suitelocalimages", "someoneelses"
BAR_S = 30  # from the sign-up to the first 200 with the new key
REVOKED_S = 60  # after which a revoked key is refused


def email() -> str:
    return f"developer-{secrets.token_hex(4)}@example.org"


def title(page: Page, text: str) -> None:
    expect(page.locator("#view-title")).to_have_text(text)


def view(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Parts of the portal").get_by_role("link", name=name).click()


def an_account() -> str:
    """Of AWS, for a buyer."""
    return f"{secrets.randbelow(10**12):012}"


def register(page: Page, suite: Suite, who: str) -> None:
    """Make an account on the page, and sign in."""
    page.goto(f"{suite['WebUrl']}/portal/?account=register")
    fill_account(page, who)
    title(page, "Your keys")


def fill_account(page: Page, who: str) -> None:
    """Make an account in the form on which the page is, and sign in."""
    make_account(page, who, PASSWORD)
    page.locator("#content").get_by_role("button", name="Sign in").click()
    fill_sign_in(page, who, PASSWORD)
    expect(page.locator(".who")).to_have_text(who)


def make_key(page: Page, name: str) -> str:
    """Create a key, and return its value; the dialog stays."""
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Create the key").click()
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
    expect(page.locator("#plan-free .quota")).to_have_text("1,000 calls a month per key")
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


@pytest.fixture(scope="module")
def market(suite: Suite) -> Marketplace:
    """AWS Marketplace, with the product that the deployment sells and one that it does not."""
    market = Marketplace(suite)
    market.product(PRODUCT, ["calls"])
    market.product(FOREIGN, ["calls"])
    return market


def arrive(page: Page, suite: Suite, token: str) -> None:
    """Come from AWS Marketplace, which has the browser post its token in a form."""
    page.goto("about:blank")
    page.set_content(
        f"""<form method="post" action="{suite["PortalApiUrl"]}/v1/marketplace">
        <input name="x-amzn-marketplace-token" value="{token}"><button>Set up your account</button></form>"""
    )
    page.get_by_role("button").click()
    page.wait_for_url(f"{suite['WebUrl']}/portal/**")


@pytest.mark.timeout(240)
def test_a_buyer_registers_and_calls_what_they_bought(page: Page, suite: Suite, market: Marketplace) -> None:
    purchase = market.buy(PRODUCT, account=an_account())
    arrive(page, suite, purchase.token)
    expect(page.locator("#registration")).to_contain_text("Finish your subscription")
    assert purchase.token not in page.url
    page.locator("#registration").get_by_role("button", name="Create an account").click()
    who = email()
    fill_account(page, who)
    page.locator("#registration").get_by_role("button", name="Register the subscription").click()
    expect(page.locator("#registration")).to_contain_text("You are subscribed")
    title(page, "Subscriptions")
    licence = purchase.licence.rpartition("/")[2].rpartition(":")[2]
    card = page.locator(".subscription")
    expect(card).to_contain_text(licence)
    while card.locator(".badge").inner_text() != "Active":  # its event is on the way
        page.wait_for_timeout(500)
        page.reload()
        expect(card).to_be_visible()
    card.get_by_role("link", name="Get a key").click()
    expect(page.get_by_label("Plan").locator("option:checked")).to_have_text("Images")
    make_key(page, "Shop")
    confirm(page, "Try it now")
    send(page, "images GET /v1/variants", 200)
    send(page, "rides GET /v1/fleet", 403)  # the plan has not this API


def test_a_plan_that_nobody_bought_gives_no_key(page: Page, suite: Suite, developer: str) -> None:
    expect(page.get_by_label("Plan").locator("option:not([disabled])")).to_have_text(["Free"])
    view(page, "Plans")
    expect(page.locator("#plan-images .badge")).to_have_text("AWS Marketplace")
    view(page, "Subscriptions")
    expect(page.locator("#content")).to_contain_text("No subscription yet.")


def test_visitors_have_one_session_for_their_pages(page: Page, suite: Suite, developer: str) -> None:
    page.goto(f"{suite['WebUrl']}/rides/")
    expect(page.locator(".who")).to_have_text(developer)
    page.goto(f"{suite['WebUrl']}/portal/?view=keys")
    expect(page.locator(".who")).to_have_text(developer)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{suite['WebUrl']}/portal/")
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


def test_bad_registrations_are_explained(
    page: Page, suite: Suite, market: Marketplace, developer: str
) -> None:
    card = page.locator("#registration")
    expired = market.token(market.buy(PRODUCT, account=an_account()), age=timedelta(hours=5))
    foreign = market.buy(FOREIGN, account=an_account())
    taken = market.buy(PRODUCT, account=an_account())
    other = PortalVisitor(suite)
    assert other.ask("POST", "/v1/registrations", json={"token": taken.token}).status_code == 201
    for token, words in [
        ("nobody-issued-this", "does not know this registration"),
        (expired, "has expired"),
        (foreign.token, "not sold here"),
        (taken.token, "Another account has registered"),
    ]:
        arrive(page, suite, token)
        card.get_by_role("button", name="Register the subscription").click()
        expect(card).to_contain_text(words)
        assert token not in page.url
