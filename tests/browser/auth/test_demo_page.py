"""The page `auth/`: an application without a server, signed on to by somebody real."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from local.clients.company import Company
from local.suite import Suite
from ops.auth_clients import register_page
from tests.integration.auth.conftest import Person, fresh_email, fresh_password, joined, shop

__all__ = ["shop"]  # the fixture


@pytest.fixture
def application(suite: Suite) -> str:
    """The page, registered; its address."""
    return register_page(suite.client, suite.outputs)


def test_somebody_signs_on_and_out(suite: Suite, page: Page, application: str, shop: Company) -> None:
    person = joined(Person(shop, fresh_email(), fresh_password()), name="Grace Example")
    page.goto(application)
    page.locator("#who").get_by_role("button", name="Sign in").click()
    page.get_by_label("E-mail address").fill(person.email)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("heading", name="Hello, Grace Example")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile(rf"sub {person.id}"))).to_be_visible()
    expect(page).to_have_url(application)
    page.get_by_role("link", name="Sign out").click()
    expect(page.locator("#who").get_by_role("button", name="Sign in")).to_be_visible()
    page.locator("#who").get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Password")).to_be_visible()


def test_an_answer_that_was_not_asked_for_is_refused_with_a_sentence(page: Page, application: str) -> None:
    page.goto(f"{application}?code=stolen&state=guessed")
    expect(page.get_by_role("alert")).to_contain_text("not begun in this tab")


def test_who_denies_is_told_so_and_can_begin_anew(
    suite: Suite, page: Page, application: str, shop: Company
) -> None:
    person = joined(Person(shop, fresh_email(), fresh_password()))
    page.goto(application)
    page.locator("#who").get_by_role("button", name="Sign in").click()
    page.get_by_label("E-mail address").fill(person.email)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Do not allow").click()
    expect(page.get_by_role("alert")).to_contain_text("You were not signed in")
    expect(page.locator("#who").get_by_role("button", name="Sign in")).to_be_visible()
