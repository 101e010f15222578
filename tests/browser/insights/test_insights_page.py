"""The page `web/insights/` as a person uses it: who sees what, and live traffic."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from local.browser import fill_sign_in
from local.clients.person import PersonAt
from local.feeders.logs import feed
from local.suite import Suite
from tests.browser.insights.screen import address, answer_as_api, asked, field, number, open_screen, panel

SCREENS = {
    "access_logs": "Access logs",
    "log_streaming": "Log streaming",
    "social_stream": "Social stream",
    "container_metrics": "Container metrics",
    "ec2_monitor": "EC2 monitor",
}


@pytest.fixture(scope="module")
def person(suite: Suite) -> PersonAt:
    return PersonAt(suite, "person@example.org")


@pytest.fixture
def traffic(suite: Suite) -> Iterator[None]:
    """Somebody feeds the stream while the test runs."""
    over = threading.Event()

    def go_on() -> None:
        while not over.is_set():
            feed(suite.client("kinesis"), suite["LogStreamName"], rate=150, seconds=2)

    thread = threading.Thread(target=go_on)
    thread.start()
    yield
    over.set()
    thread.join()


def within_a_minute() -> None:
    """Wait until requests of the last two seconds, and those of the next ten, are of one minute."""
    second = time.time() % 60
    time.sleep(3 - second if second < 3 else 63 - second if second > 50 else 0)


@pytest.mark.parametrize("app", SCREENS)
def test_a_stranger_sees_the_sign_in_and_no_data(page: Page, suite: Suite, app: str) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(address(suite, app))
    expect(page.locator("#sign-in").get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_role("heading", name=SCREENS[app])).to_be_visible()
    expect(page.locator("#signed-in")).to_be_hidden()
    assert not [url for url in requests if "/v1/insights/" in url]


def test_sign_in_leads_back_to_the_same_screen(page: Page, suite: Suite, person: PersonAt) -> None:
    open_screen(page, suite, person, "ec2_monitor", window="day", zone="utc")
    assert asked(page) == {"app": "ec2_monitor", "window": "day", "zone": "utc"}
    page.reload()
    expect(page.locator("#shell")).to_contain_text(person.email)
    assert page.evaluate("() => document.cookie.length") == 0


def test_navigation_leads_to_each_applications_screen(page: Page, suite: Suite, person: PersonAt) -> None:
    open_screen(page, suite, person, "access_logs")
    for app, title in SCREENS.items():
        page.get_by_role("navigation", name="Applications").get_by_role("link", name=title).click()
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
        assert asked(page)["app"] == app
        expect(page.locator("#health .badge")).to_be_visible()
        expect(page.locator("#navigation [aria-current=page]")).to_have_text(title)


def test_without_an_application_the_first_that_is_deployed_is_shown(page: Page, suite: Suite) -> None:
    page.goto(f"{suite['WebUrl']}/insights/")
    expect(page.get_by_role("heading", name="Access logs")).to_be_visible()
    assert asked(page)["app"] == "access_logs"


def test_application_that_is_not_deployed_says_how_to(page: Page, suite: Suite) -> None:
    config = suite.http.get(f"{suite['WebUrl']}/config.json").json()
    del config["Ec2WorkGroupName"]
    page.route("**/config.json", lambda route: route.fulfill(json=config))
    page.goto(address(suite, "ec2_monitor"))
    expect(page.locator("#missing")).to_contain_text("EnableEc2Monitor=true")
    expect(page.locator("#sign-in")).to_be_hidden()


def test_wrong_password_stays_outside(page: Page, suite: Suite, person: PersonAt) -> None:
    page.goto(address(suite, "access_logs"))
    page.locator("#sign-in").get_by_role("button", name="Sign in").click()
    fill_sign_in(page, person.email, "not the password")
    expect(page.get_by_text("Incorrect username or password")).to_be_visible()


def test_live_panels_grow_while_traffic_comes(
    page: Page, suite: Suite, person: PersonAt, traffic: None
) -> None:
    open_screen(page, suite, person, "log_streaming")
    total = page.locator("#totals dd").first
    expect(panel(page, "seconds").locator(".plot canvas")).to_be_visible(timeout=40_000)
    first = number(total.inner_text())
    expect(total).not_to_have_text(f"{first:,}")
    expect(page.locator("#as-of")).to_contain_text(re.compile(r"As of \d\d:\d\d:\d\d, times in "))
    expect(panel(page, "sent").locator(".plot canvas")).to_be_visible()
    for name in ("distributions", "locations", "bots", "viewers"):
        expect(panel(page, name).locator("svg.chart")).to_be_visible()
    panel(page, "seconds").locator("summary").click()
    expect(panel(page, "seconds").locator("tbody tr").first).to_be_visible()


def test_live_panels_show_what_the_api_says(page: Page, suite: Suite, person: PersonAt) -> None:
    within_a_minute()  # the chart has the viewers of one
    feed(suite.client("kinesis"), suite["LogStreamName"], rate=200, seconds=1)
    open_screen(page, suite, person, "log_streaming")
    viewers = panel(page, "viewers")
    expect(viewers.locator("tbody tr")).to_have_count(50)
    viewers.locator("summary").click()
    live = person.get("live").json()  # nobody feeds any more
    expect(page.locator("#totals dd").first).to_have_text(f"{live['totals']['requests']:,}")
    rows = viewers.locator("tbody tr")
    for place, (viewer, requests) in enumerate(live["viewers"]["rows"][:5]):
        expect(rows.nth(place)).to_contain_text(viewer)
        expect(rows.nth(place).locator("td.number")).to_have_text(str(requests))


def test_the_newest_seconds_are_left_out_until_they_are_complete(
    page: Page, suite: Suite, person: PersonAt
) -> None:
    second = 1_795_800_000
    answer = {
        "as_of": "2026-11-28T00:00:30Z",
        "totals": {"requests": 9, "sent": 90, "bot_requests": 0, "late": 0, "duplicates": 0},
        "seconds": {
            "columns": ["second", "requests", "sent", "bot_requests"],
            "rows": [[second + place, 3, 30, 0] for place in range(3)], "complete_until": second + 1,
        },
        "distributions": {"columns": ["x"], "rows": [["E1", 9, 90]]},
        "locations": {"columns": ["x"], "rows": [["FRA56-P7", 9, 90]]},
        "bots": {"columns": [], "rows": []}, "bot_addresses": {"columns": [], "rows": []},
        "viewers": {"minute": None, "complete": False, "error": 0, "columns": [], "rows": []},
    }  # fmt: skip
    answer_as_api(page, "**/v1/insights/live*", answer)
    open_screen(page, suite, person, "log_streaming", zone="utc")
    card = panel(page, "seconds")
    card.locator("summary").click()
    expect(card.locator("tbody tr")).to_have_count(2)
    expect(card.get_by_role("slider")).to_have_attribute(
        "aria-valuetext", re.compile("Requests 3, From bots 0")
    )


def test_quiet_stream_names_the_command_that_feeds_it(page: Page, suite: Suite, person: PersonAt) -> None:
    answer = {
        "as_of": "2026-11-28T00:00:30Z", "totals": {},
        "seconds": {"columns": [], "rows": [], "complete_until": 0},
    }  # fmt: skip
    answer_as_api(page, "**/v1/insights/live*", answer)
    open_screen(page, suite, person, "log_streaming")
    expect(panel(page, "seconds")).to_contain_text("Run make feed to make some.")


def test_an_ended_session_leads_to_the_sign_in(page: Page, suite: Suite, person: PersonAt) -> None:
    open_screen(page, suite, person, "log_streaming")
    page.evaluate(
        """() => {
          const { refresh, ...session } = JSON.parse(sessionStorage["sign-in.session"]);
          sessionStorage["sign-in.session"] = JSON.stringify({ ...session, expires: Date.now() - 1 });
        }"""
    )
    expect(page.locator("#sign-in").get_by_role("button", name="Sign in")).to_be_visible(timeout=15_000)
    expect(page.locator("#signed-in")).to_be_hidden()


def test_nothing_of_an_operator_stays_when_the_session_ends(
    page: Page, suite: Suite, person: PersonAt
) -> None:
    open_screen(page, suite, person, "access_logs", rows="")
    expect(page.locator("#rows")).to_be_visible()
    expect(page.locator("#panels .card").first).to_be_visible()
    page.evaluate("() => sessionStorage.clear()")
    page.evaluate("() => window.dispatchEvent(new Event('session'))")  # as when another tab signs out
    expect(page.locator("#sign-in")).to_be_visible()
    expect(page.locator("#rows")).to_be_hidden()
    assert page.evaluate("() => document.querySelector('#rows').textContent") == ""
    expect(page.locator("#panels > *")).to_have_count(0)


def test_an_unknown_application_in_the_address_is_the_first(
    page: Page, suite: Suite, person: PersonAt
) -> None:
    open_screen(page, suite, person, "constructor")
    expect(page.get_by_role("heading", name="Access logs")).to_be_visible()
    expect(page.locator("#trouble")).to_be_hidden()


def test_no_address_asks_oftener_than_the_form_offers(page: Page, suite: Suite, person: PersonAt) -> None:
    open_screen(page, suite, person, "log_streaming", refresh="0.001")
    expect(page.locator("#as-of")).to_contain_text("As of")
    questions: list[str] = []
    page.on("request", lambda request: questions.append(request.url) if "/live?" in request.url else None)
    page.wait_for_timeout(4000)
    assert len(questions) <= 4, "a preflight and a question every three seconds"
    expect(field(page, "refresh")).to_have_value("3")


def test_signing_out_forgets_the_token(page: Page, suite: Suite, person: PersonAt) -> None:
    open_screen(page, suite, person, "access_logs")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(lambda url: urlsplit(url).path == "/")
    assert page.evaluate("() => sessionStorage.length") == 0
    page.goto(address(suite, "access_logs"))
    expect(page.locator("#sign-in").get_by_role("button", name="Sign in")).to_be_visible()


@pytest.mark.parametrize("app", ["log_streaming", "access_logs"])
def test_who_is_no_operator_is_told_once_and_not_asked_for_again(page: Page, suite: Suite, app: str) -> None:
    stranger = PersonAt(suite, "stranger@example.org", operator=False)
    refusals: list[int] = []
    page.on(
        "response", lambda answer: refusals.append(answer.status) if "/v1/insights/" in answer.url else None
    )
    open_screen(page, suite, stranger, app)
    expect(page.locator("#trouble")).to_have_text(re.compile("^Your account is not in the group operators"))
    expect(page.locator("#signed-in")).to_be_hidden()
    page.wait_for_timeout(1_000)  # what was asked for side by side is answered
    before = len(refusals)
    page.wait_for_timeout(6_000)  # more than one refresh
    assert set(refusals) == {403}
    assert len(refusals) == before
