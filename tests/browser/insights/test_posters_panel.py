"""The chart of the most active users, while somebody feeds the stream."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from datagen.social_posts import Posts
from local.clients.person import PersonAt
from local.feeders.posts import feed
from local.suite import Suite
from tests.browser.insights.test_insights_page import sign_in


@pytest.fixture(scope="module")
def person(suite: Suite) -> PersonAt:
    return PersonAt(suite, "follower@example.org")


@pytest.fixture
def traffic(suite: Suite) -> Iterator[None]:
    """Somebody posts while the test runs; the same users again and again."""
    over = threading.Event()

    def go_on() -> None:
        while not over.is_set():
            posts = Posts(300, seed=time.time_ns(), start=time.time(), users=30, prefix="follow")
            feed(suite.client("kinesis"), suite["SocialStreamName"], posts, rate=200)

    thread = threading.Thread(target=go_on)
    thread.start()
    yield
    over.set()
    thread.join()


def test_chart_and_table_show_the_top_ten_and_grow_while_the_feeder_runs(
    page: Page, suite: Suite, person: PersonAt, traffic: None
) -> None:
    sign_in(page, suite, person)
    panel = page.locator("#posters")
    rows = panel.locator("tbody tr")
    expect(rows).to_have_count(10, timeout=60_000)
    expect(panel.locator("svg rect.bar")).to_have_count(10)
    expect(panel.locator(".badge")).to_contain_text("as of")
    chart = panel.get_by_role("img")
    expect(chart).to_have_attribute("aria-label", re.compile("Most active users in the last 24 hours"))
    most = rows.first.locator("td").last
    before = number(most.inner_text())
    expect(most).not_to_have_text(f"{before:,}", timeout=40_000)
    assert number(most.inner_text()) > before


def test_window_and_number_can_be_chosen_and_the_table_says_what_the_api_says(
    page: Page, suite: Suite, person: PersonAt
) -> None:
    posts = Posts(600, seed=1, start=time.time(), users=60, prefix="chosen")
    feed(suite.client("kinesis"), suite["SocialStreamName"], posts)
    sign_in(page, suite, person)
    panel = page.locator("#posters")
    panel.get_by_label("Posts of").select_option("the last 7 days")
    panel.get_by_label("Show").select_option("the top 25")
    rows = panel.locator("tbody tr")
    expect(rows).to_have_count(25, timeout=60_000)
    expect(panel.get_by_role("img")).to_have_attribute("aria-label", re.compile("the last 7 days"))
    # What others fed before may still arrive: page and API agree as soon as nothing does.
    for _ in range(20):
        answer = person.get("top_posters", window="week")
        if answer.status_code == 200:
            [user, count] = answer.json()["rows"][0]
            if count == number(rows.first.locator("td").last.inner_text()):
                break
        page.wait_for_timeout(1_500)
    expect(rows.first).to_contain_text(user)
    expect(rows.first.locator("td").last).to_have_text(f"{count:,}")


def test_a_stranger_sees_no_chart(page: Page, suite: Suite) -> None:
    page.goto(f"{suite['WebUrl']}/insights/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.locator("#posters")).to_be_hidden()


def number(text: str) -> int:
    return int(re.sub(r"\D", "", text))
