"""The panels about EC2's calls, while things happen in EC2."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from datagen.ec2_calls import Calls, at, encoded, recorded
from local.clients.person import PersonAt
from local.suite import Suite
from tests.browser.insights.screen import asked, open_screen, panel, rows_of, shown
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def person(suite: Suite) -> PersonAt:
    return PersonAt(suite, "auditor@example.org")


@pytest.fixture(scope="module")
def calls(suite: Suite, person: PersonAt) -> None:
    """Calls of the last eleven hours, one of them denied, and a sign-in that failed; all in the record."""
    now = datetime.now(UTC)
    events = [
        at(event, now - timedelta(minutes=7 + 11 * number % 660), event["detail"]["eventID"])
        for number, event in enumerate(Calls(300, seed=int(now.timestamp())))
    ]
    events += [
        at(event, now, f"{now.timestamp()}-{name}")
        for name, event in (recorded("quiet") | recorded("alerts")).items()
        if name in ("denied_termination", "sign_in_failed")
    ]
    before = made(person, "ec2_calls")
    answer = suite.client("firehose").put_record_batch(
        DeliveryStreamName=suite["Ec2CallStreamName"], Records=[{"Data": encoded(event)} for event in events]
    )
    assert answer["FailedPutCount"] == 0
    wait_until(
        lambda: made(person, "ec2_calls") >= before + len(events), seconds=90, every=1, what="the calls"
    )


def made(person: PersonAt, name: str, window: str = "half_day") -> int:
    return sum(int(str(row[2])) for row in rows_of(person, name, window=window))


def counted(card: Locator) -> int:
    """Return the sum of a table's numbers."""
    return sum(int(text.replace(",", "")) for text in card.locator("tbody tr td.number").all_inner_texts())


def test_calls_actors_and_denials_of_the_last_12_hours_are_those_of_the_record(
    page: Page, suite: Suite, person: PersonAt, calls: None
) -> None:
    open_screen(page, suite, person, "ec2_monitor")
    by_name = shown(page, "ec2_calls")
    expect(by_name.locator("svg.chart rect.part").first).to_be_visible(timeout=30_000)
    expect(by_name.locator("svg.chart")).to_have_attribute(
        "aria-label", re.compile("Calls by name in the last 12 hours")
    )
    expect(by_name.locator(".legend li")).to_have_count(7)
    expect(by_name.locator(".legend li").last).to_have_text("others")
    assert counted(by_name) == made(person, "ec2_calls")

    actors = shown(page, "ec2_actors")
    first, *_ = rows_of(person, "ec2_actors", window="half_day")
    expect(actors.locator("tbody tr").first).to_contain_text(str(first[0]))
    expect(actors.locator("svg rect.length").first).to_be_visible()

    denied = shown(page, "ec2_denied")
    expect(denied).to_contain_text("Client.UnauthorizedOperation")
    expect(denied).to_contain_text("Failed authentication")
    expect(denied.locator("tbody tr")).to_have_count(len(rows_of(person, "ec2_denied", window="half_day")))


@pytest.mark.parametrize(
    ("window", "words"),
    [("hour", "the last hour"), ("day", "the last 24 hours"), ("week", "the last 7 days")],
)
def test_another_window_can_be_chosen(
    page: Page, suite: Suite, person: PersonAt, calls: None, window: str, words: str
) -> None:
    open_screen(page, suite, person, "ec2_monitor")
    page.get_by_role("button", name=words).click()
    assert asked(page)["window"] == window
    by_name = shown(page, "ec2_calls")
    expect(by_name.locator("svg.chart")).to_have_attribute("aria-label", re.compile(words), timeout=30_000)
    assert counted(by_name) == made(person, "ec2_calls", window)


def test_bar_of_an_actor_filters_calls_and_denials(
    page: Page, suite: Suite, person: PersonAt, calls: None
) -> None:
    open_screen(page, suite, person, "ec2_monitor")
    bar = shown(page, "ec2_actors").get_by_role("button", name=re.compile("Show this actor alone")).nth(1)
    bar.press(" ")
    actor = asked(page)["actor"]
    rows = rows_of(person, "ec2_calls", window="half_day", actor=actor)
    assert counted(shown(page, "ec2_calls")) == sum(row[2] for row in rows)
    expect(shown(page, "ec2_actors").locator("svg .row")).to_have_count(1)
    page.get_by_role("button", name=f"Remove the filter Actor: {actor}").click()
    assert "actor" not in asked(page)


def test_column_leads_to_its_hour(page: Page, suite: Suite, person: PersonAt, calls: None) -> None:
    open_screen(page, suite, person, "ec2_monitor", zone="utc")
    column = shown(page, "ec2_calls").get_by_role("button", name=re.compile("Show this time alone")).nth(5)
    hour = (column.locator("title").text_content() or "")[:5]
    column.click()
    since, until = (datetime.fromisoformat(asked(page)[name]) for name in ("from", "to"))
    assert (f"{since:%H:%M}", until - since) == (hour, timedelta(hours=1))
    rows = rows_of(person, "ec2_calls", **{name: asked(page)[name] for name in ("from", "to")})
    assert counted(shown(page, "ec2_calls")) == sum(row[2] for row in rows)


def test_columns_are_totals_however_many_calls_have_names(
    page: Page, suite: Suite, person: PersonAt, calls: None
) -> None:
    """24 hours of 60 names are more rows than an answer has: those beyond the 30 most frequent are one."""
    now = datetime.now(UTC)
    before = made(person, "ec2_calls", "day")
    [template, *_] = Calls(1, seed=1)
    events = []
    for hour in range(24):
        for name in range(60):
            event = at(
                template, now - timedelta(hours=hour, seconds=30), f"many-{now.timestamp()}-{hour}-{name}"
            )
            events.append(event | {"detail": event["detail"] | {"eventName": f"Many{name:02}"}})
    records = [{"Data": encoded(event)} for event in events]
    for first in range(0, len(records), 500):
        suite.client("firehose").put_record_batch(
            DeliveryStreamName=suite["Ec2CallStreamName"], Records=records[first : first + 500]
        )
    wait_until(
        lambda: made(person, "ec2_calls", "day") >= before + len(events),
        seconds=120,
        every=2,
        what="the calls",
    )
    answered = rows_of(person, "ec2_calls", window="day")
    assert len({row[1] for row in answered}) == 31
    open_screen(page, suite, person, "ec2_monitor", window="day")
    by_name = shown(page, "ec2_calls")
    assert counted(by_name) == sum(int(row[2]) for row in answered)
    expect(by_name.locator("tbody tr").last).to_contain_text("others")
    partial = by_name.locator("g.partial title").all_text_contents()
    assert {text.partition(", ")[2].partition(":")[0] for text in partial} == {
        "so far", "from the beginning of the range",
    }  # fmt: skip
    week = rows_of(
        person, "ec2_calls", **{"from": f"{now - timedelta(days=80):%Y-%m-%d}", "to": f"{now:%Y-%m-%d}"}
    )
    assert len({row[1] for row in week}) == 10, (
        "days have nine names and the others, so that 92 fit an answer"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_page_does_not_scroll_sideways(
    page: Page, suite: Suite, person: PersonAt, calls: None, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": 320, "height": 800})
    open_screen(page, suite, person, "ec2_monitor")
    expect(panel(page, "ec2_denied").locator("tbody tr").first).to_be_visible(timeout=30_000)
    right = page.locator("#signed-in").evaluate("one => one.scrollWidth + one.getBoundingClientRect().left")
    assert right <= 320
