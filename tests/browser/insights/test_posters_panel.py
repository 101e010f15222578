"""The chart of the most active users, while somebody feeds the stream."""

from __future__ import annotations

import json
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
from tests.browser.insights.screen import address, asked, field, number, open_screen, panel, rows_of, shown


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
    open_screen(page, suite, person, "social_stream")
    card = panel(page, "top_posters")
    expect(card.locator("svg .row")).to_have_count(10, timeout=60_000)
    expect(card.locator("svg.chart")).to_have_attribute(
        "aria-label", re.compile("Most active users in the last 24 hours")
    )
    most = card.locator("svg .value").first
    before = number(most.text_content() or "")
    expect(most).not_to_have_text(f"{before:,}", timeout=40_000)
    assert number(most.text_content() or "") > before


def test_window_and_number_can_be_chosen_and_the_table_says_what_the_api_says(
    page: Page, suite: Suite, person: PersonAt
) -> None:
    posts = Posts(600, seed=1, start=time.time(), users=60, prefix="chosen")
    feed(suite.client("kinesis"), suite["SocialStreamName"], posts)
    open_screen(page, suite, person, "social_stream", refresh="10")
    page.get_by_role("button", name="the last 7 days").click()
    field(page, "most").select_option("the top 25")
    assert asked(page).items() >= {"window": "week", "most": "25"}.items()
    card = panel(page, "top_posters")
    expect(card.locator("svg .row")).to_have_count(25, timeout=60_000)
    expect(card.locator("svg.chart")).to_have_attribute("aria-label", re.compile("the last 7 days"))
    first = shown(page, "top_posters").locator("tbody tr").first
    # What others fed before may still arrive: page and API agree as soon as nothing does.
    for _ in range(20):
        user, count = rows_of(person, "top_posters", window="week")[0]
        if count == number(first.locator("td").last.inner_text()):
            break
        page.wait_for_timeout(1_500)
    expect(first).to_contain_text(user)
    expect(first.locator("td").last).to_have_text(f"{count:,}")


def test_range_of_moments_has_the_posts_of_these_hours(page: Page, suite: Suite, person: PersonAt) -> None:
    """Posts of the lake from three days ago: an hour that has them, and the hour after it."""
    moment = (time.time() - 3 * 86_400) // 3600 * 3600
    user = f"hourly-{int(moment)}"
    lines = "".join(
        json.dumps({
            "table_name": suite["SocialPostsTableName"], "user_id": user, "tweet_id": number_,
            "approx_post_time": time.strftime("%Y-%m-%d %H:%M:%S.000", time.gmtime(moment + number_ % 3600)),
        }) + "\n"
        for number_ in range(7_200)
    )  # fmt: skip
    suite.client("s3").put_object(
        Bucket=suite["SocialLakeBucketName"], Body=lines.encode(),
        Key=time.strftime(f"dynamodb/streams/transactions/%Y/%m/%d/%H/{user}", time.gmtime(moment)),
    )  # fmt: skip

    def iso(second: float) -> str:
        return time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(second))

    open_screen(page, suite, person, "social_stream", **{"from": iso(moment), "to": iso(moment + 1800)})
    expect(shown(page, "top_posters").locator("tbody tr").first).to_contain_text(f"{user}3,600")
    page.goto(address(suite, "social_stream", **{"from": iso(moment + 3600), "to": iso(moment + 7200)}))
    expect(panel(page, "top_posters")).to_contain_text("Nobody posted in", timeout=60_000)
    expect(panel(page, "top_posters")).to_contain_text("Run make feed-posts to make some.")
