"""What the page of the rides looks like, and that everybody can use it, in each of its states."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.quality.views import assert_good_views
from tests.browser.rides.fake import FakeSuite, a_ride

STATES = ("requested", "assigned", "arriving", "riding", "done", "cancelled", "unserved", "failed")


@pytest.fixture
def suite_of_page(page: Page, pages: str) -> FakeSuite:
    return FakeSuite(page, pages)


@pytest.mark.timeout(300)  # the first run installs axe
@pytest.mark.parametrize("state", STATES)
def test_each_state_can_be_seen_by_everybody(page: Page, suite_of_page: FakeSuite, state: str) -> None:
    ride: dict[str, Any] = a_ride(state)
    suite_of_page.rides = {"1": a_ride("done", id="1"), ride["id"]: ride}
    suite_of_page.sign_in()
    suite_of_page.open(f"?ride={ride['id']}")
    expect(page.locator("#history tbody tr")).to_have_count(2)
    expect(page.locator(".steps")).to_be_visible()
    assert_good_views(page, f"rides_{state}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("form", ["register", "confirm", "forgot", "reset", "ready"])
def test_each_form_can_be_used_by_everybody(page: Page, suite_of_page: FakeSuite, form: str) -> None:
    suite_of_page.open(f"?account={form}")
    expect(page.locator("#panel-title")).not_to_have_text("One moment")
    if form == "register":
        page.get_by_role("button", name="Create the account").click()
        expect(page.get_by_role("alert")).to_have_text("Enter your address, such as ada@example.org.")
    assert_good_views(page, f"rides_{form}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("is_in", [False, True])
def test_request_can_be_made_by_everybody(page: Page, suite_of_page: FakeSuite, is_in: bool) -> None:
    if is_in:
        suite_of_page.sign_in()
    suite_of_page.open()
    page.get_by_role("combobox", name="Place").select_option("Senate Square")
    page.locator(".stage").focus()
    assert_good_views(page, f"rides_{'request' if is_in else 'stranger'}")
