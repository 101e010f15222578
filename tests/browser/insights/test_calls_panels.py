"""The panels about EC2's calls, while things happen in EC2."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from datagen.ec2_calls import Calls, at, encoded, recorded
from local.clients.person import PersonAt
from local.suite import Suite
from tests.browser.insights.test_insights_page import sign_in
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


def rows(person: PersonAt, panel: str, window: str = "half_day") -> list[list[object]]:
    """Return what the API says."""
    answer = person.get(panel, window=window)
    while answer.status_code == 202:
        answer = person.get(panel, query=answer.json()["query"])
    answer.raise_for_status()
    return [*answer.json()["rows"]]


def made(person: PersonAt, panel: str, window: str = "half_day") -> int:
    return sum(int(str(row[2])) for row in rows(person, panel, window))


def test_calls_actors_and_denials_of_the_last_12_hours_are_those_of_the_record(
    page: Page, suite: Suite, person: PersonAt, calls: None
) -> None:
    sign_in(page, suite, person)
    section = page.locator("#calls")
    by_name = section.locator("[data-panel=ec2_calls]")
    expect(by_name.locator("svg.chart rect.part").first).to_be_visible(timeout=30_000)
    expect(by_name.get_by_role("img")).to_have_attribute(
        "aria-label", re.compile("Calls by name in the last 12 hours")
    )
    expect(by_name.locator(".legend li")).to_have_count(7)
    expect(by_name.locator(".legend li").last).to_have_text("others")
    expect(section.locator(".badge")).to_contain_text("as of")
    shown = by_name.locator("tbody tr td.number").all_inner_texts()
    assert sum(int(text.replace(",", "")) for text in shown) == made(person, "ec2_calls")

    actors = section.locator("[data-panel=ec2_actors]")
    [first, *_] = rows(person, "ec2_actors")
    expect(actors.locator("tbody tr").first).to_contain_text(str(first[0]))
    expect(actors.locator("svg rect.bar").first).to_be_visible()

    denied = section.locator("[data-panel=ec2_denied]")
    expect(denied).to_contain_text("Client.UnauthorizedOperation")
    expect(denied).to_contain_text("Failed authentication")
    expect(denied.locator("tbody tr")).to_have_count(len(rows(person, "ec2_denied")))


@pytest.mark.parametrize(
    ("window", "words"),
    [("hour", "the last hour"), ("day", "the last 24 hours"), ("week", "the last 7 days")],
)
def test_another_window_can_be_chosen(
    page: Page, suite: Suite, person: PersonAt, calls: None, window: str, words: str
) -> None:
    sign_in(page, suite, person)
    page.get_by_label("Calls of").select_option(words)
    by_name = page.locator("[data-panel=ec2_calls]")
    expect(by_name.get_by_role("img")).to_have_attribute("aria-label", re.compile(words), timeout=30_000)
    shown = by_name.locator("tbody tr td.number").all_inner_texts()
    assert sum(int(text.replace(",", "")) for text in shown) == made(person, "ec2_calls", window)


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
    answered = rows(person, "ec2_calls", "day")
    assert len({row[1] for row in answered}) == 31
    sign_in(page, suite, person)
    page.get_by_label("Calls of").select_option("the last 24 hours")
    by_name = page.locator("[data-panel=ec2_calls]")
    expect(by_name.get_by_role("img")).to_have_attribute("aria-label", re.compile("the last 24 hours"))
    shown = by_name.locator("tbody tr td.number").all_inner_texts()
    assert sum(int(text.replace(",", "")) for text in shown) == sum(int(str(row[2])) for row in answered)
    expect(by_name.locator("tbody tr").last).to_contain_text("others")
    assert {"so far", "from the beginning of the window"} >= {
        text.partition(", ")[2].partition(":")[0]
        for text in by_name.locator("rect.partial title").all_text_contents()
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_page_does_not_scroll_sideways(
    page: Page, suite: Suite, person: PersonAt, calls: None, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": 320, "height": 800})
    sign_in(page, suite, person)
    expect(page.locator("[data-panel=ec2_denied] tbody tr").first).to_be_visible(timeout=30_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_stranger_sees_no_calls(page: Page, suite: Suite) -> None:
    page.goto(f"{suite['WebUrl']}/insights/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.locator("#calls")).to_be_hidden()
