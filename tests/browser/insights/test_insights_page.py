"""The page `web/insights/` as a person uses it: sign in, look, sign out."""

from __future__ import annotations

import gzip
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from datagen.cloudfront_logs import FIELDS, Corpus
from local.clients.person import PersonAt
from local.feeders.logs import feed
from local.suite import Suite
from tests.support.waiting import wait_until


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


def number(text: str) -> int:
    return int(re.sub(r"\D", "", text))


def sign_in(page: Page, suite: Suite, person: PersonAt) -> None:
    page.goto(f"{suite['WebUrl']}/insights/")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Username").fill(person.email)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#who")).to_contain_text(person.email)


def test_home_page_leads_to_the_insights(page: Page, suite: Suite) -> None:
    page.goto(suite["WebUrl"] + "/")
    page.get_by_role("link", name="Insights").click()
    expect(page.get_by_role("heading", name="Insights")).to_be_visible()


def test_a_stranger_sees_the_sign_in_and_no_data(page: Page, suite: Suite) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{suite['WebUrl']}/insights/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.locator("#live")).to_be_hidden()
    expect(page.locator("#rest")).to_be_hidden()
    assert not [url for url in asked if "/v1/insights/" in url]


def test_sign_in_leads_back_to_the_page_without_the_code_in_the_url(
    page: Page, suite: Suite, person: PersonAt
) -> None:
    sign_in(page, suite, person)
    assert (urlsplit(page.url).path, urlsplit(page.url).query) == ("/insights/", "")
    page.reload()
    expect(page.locator("#who")).to_contain_text(person.email)
    assert page.evaluate("() => Object.keys(localStorage).length + document.cookie.length") == 0


def test_a_link_leads_to_each_applications_panels_and_the_page_fits_a_phone(
    page: Page, suite: Suite, person: PersonAt
) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    sign_in(page, suite, person)
    sections = page.locator("main > section:visible:not(#sign-in)").evaluate_all(
        "all => all.map(one => one.id)"
    )
    assert sections == ["live", "rest", "posters", "containers", "calls"]
    links = page.get_by_role("navigation", name="Panels").get_by_role("link")
    assert links.evaluate_all("all => all.map(one => one.hash.slice(1))") == sections
    links.last.click()
    expect(page.get_by_role("heading", name="EC2 calls")).to_be_in_viewport()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 320


def test_wrong_password_stays_outside(page: Page, suite: Suite, person: PersonAt) -> None:
    page.goto(f"{suite['WebUrl']}/insights/")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Username").fill(person.email)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Incorrect username or password")).to_be_visible()


def test_a_code_that_this_tab_did_not_ask_for_is_refused(page: Page, suite: Suite) -> None:
    page.goto(f"{suite['WebUrl']}/insights/?code=stolen&state=guessed")
    expect(page.get_by_role("alert")).to_contain_text("not begun in this tab")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_live_panels_grow_while_traffic_comes(
    page: Page, suite: Suite, person: PersonAt, traffic: None
) -> None:
    sign_in(page, suite, person)
    total = page.locator("#totals dd").first
    expect(page.locator("[data-panel=requests] svg.chart")).to_be_visible(timeout=20_000)
    first = number(total.inner_text())
    expect(total).not_to_have_text(f"{first:,}")
    assert number(total.inner_text()) > first
    expect(page.locator("#pulse")).to_contain_text("as of")
    for panel in ("sent", "distributions", "locations", "bots", "viewers"):
        expect(page.locator(f"[data-panel={panel}] svg.chart")).to_be_visible()
    page.locator("[data-panel=requests] summary").click()
    expect(page.locator("[data-panel=requests] tbody tr").first).to_be_visible()


def test_live_panels_show_what_the_api_says(page: Page, suite: Suite, person: PersonAt) -> None:
    feed(suite.client("kinesis"), suite["LogStreamName"], rate=200, seconds=1)
    sign_in(page, suite, person)
    expect(page.locator("[data-panel=viewers] tbody tr")).to_have_count(50)
    live = person.get("live").json()  # nobody feeds any more
    expect(page.locator("#totals dd").first).to_have_text(f"{live['totals']['requests']:,}")
    rows = page.locator("[data-panel=viewers] tbody tr")
    for place, (address, requests) in enumerate(live["viewers"]["rows"][:5]):
        expect(rows.nth(place)).to_contain_text(address)
        expect(rows.nth(place).locator("td.number")).to_have_text(str(requests))


@pytest.fixture
def logs_at_rest(suite: Suite, person: PersonAt) -> None:
    """Log files of this hour have been delivered, preprocessed and partitioned, every row of them."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    before = requests_at_rest(person)
    # Other files for each test: an object that is done is not read again.
    for file in Corpus(3000, start=hour, late_share=0, viewers=300, seed=before).files():
        suite.client("s3").put_object(Bucket=suite["AccessLogsBucketName"], Key=file.key, Body=file.body)
    wait_until(
        lambda: requests_at_rest(person) >= before + 3000, seconds=60, every=1, what="all rows at rest"
    )


def requests_at_rest(person: PersonAt) -> int:
    return sum(int(requests) for _, requests, *_ in rows_of(person, "cache_hit_ratio"))


def rows_of(person: PersonAt, panel: str) -> list[list[Any]]:
    answer = person.get(panel)
    while answer.status_code == 202:
        answer = person.get(panel, query=answer.json()["query"])
    rows: list[list[Any]] = answer.json()["rows"]
    return rows


def test_panels_at_rest_show_what_the_api_says(
    page: Page, suite: Suite, person: PersonAt, logs_at_rest: None
) -> None:
    sign_in(page, suite, person)
    for panel in (
        "bots_by_edge",
        "bytes_by_distribution",
        "cache_hit_ratio",
        "top_viewers",
        "ai_crawler_share",
    ):
        body = page.locator(f"[data-panel={panel}] .body")
        expect(body).to_contain_text(re.compile("As of .* scanned"), timeout=30_000)
        expect(body.locator("svg.chart")).to_be_visible()
        rows = rows_of(person, panel)
        expect(body.locator("tbody tr")).to_have_count(len(rows))
        for value in rows[0]:
            if isinstance(value, str) and panel != "ai_crawler_share":
                expect(body.locator("tbody tr").first).to_contain_text(value)


REFUSED = """-- Requests that were refused, by distribution.
-- Panel: {"title": "Refused requests", "parameters": "dates", "chart": "bars",
--   "bar": ["distribution", "refused"], "columns": {"distribution": "Distribution", "refused": "Requests"}}
SELECT distribution, count(*) AS refused
FROM cf_logs_by_request
WHERE logdate BETWEEN CAST(? AS date) AND CAST(? AS date) AND status = 403
GROUP BY distribution
ORDER BY refused DESC
"""


def test_query_that_somebody_saves_is_a_panel_a_minute_later(
    page: Page, suite: Suite, person: PersonAt, logs_at_rest: None
) -> None:
    athena = suite.client("athena")
    query = athena.create_named_query(
        Name="refused_requests",
        Database=suite["AccessLogsDatabaseName"],
        QueryString=REFUSED,
        WorkGroup=suite["AccessLogsWorkGroupName"],
    )["NamedQueryId"]
    try:
        wait_until(
            lambda: "refused_requests" in [each["panel"] for each in person.get("panels").json()["panels"]],
            seconds=75,
            every=2,
            what="the panel",
        )
        sign_in(page, suite, person)
        card = page.locator("[data-panel=refused_requests]")
        # Each instance of the function has a list of its own, up to a minute old.
        for _ in range(8):
            expect(page.locator("[data-panel=ai_crawler_share]")).to_be_visible(timeout=30_000)
            if card.is_visible():
                break
            page.wait_for_timeout(8_000)
            page.reload()
        expect(card.get_by_role("heading")).to_have_text("Refused requests")
        rows = rows_of(person, "refused_requests")
        expect(card.locator("tbody tr")).to_have_count(len(rows), timeout=30_000)
        shown = card.locator("tbody tr").first
        expect(shown.locator("td").last).to_have_text(f"{rows[0][1]:,}")
        expect(card.locator("svg rect.bar")).to_have_count(min(10, len(rows)))
    finally:
        athena.delete_named_query(NamedQueryId=query)


def log_of_many_groups(hour: datetime, distribution: str) -> tuple[bytes, Counter[str], Counter[str]]:
    """A log in which bots have 1,300 pairs of address and edge location, and what its bars must be.

    The location with the most requests has one from each of 800 addresses: each pair is among the rarest.
    """
    places = [f"AA{number:02}0-P1" for number in range(50)]
    pairs = [(f"10.1.{number >> 8}.{number & 255}", "ZZ999-P9", 1) for number in range(800)]
    pairs += [(f"10.2.{number >> 8}.{number & 255}", places[number % 50], 2) for number in range(500)]
    lines = [f"#Version: 1.0\n#Fields: {' '.join(FIELDS)}\n"]
    requests, sizes = Counter[str](), Counter[str]()
    for address, place, times in pairs:
        row = dict.fromkeys(FIELDS, "-") | {
            "date": f"{hour:%Y-%m-%d}", "time": f"{hour:%H}:00:01", "x-edge-location": place, "sc-bytes": "7",
            "c-ip": address, "cs-method": "GET", "sc-status": "200", "x-edge-result-type": "Hit",
            "cs(User-Agent)": "GPTBot/1.2",
        }  # fmt: skip
        lines += ["\t".join(row.values()) + "\n"] * times
        requests[place] += times
        sizes[distribution] += 7 * times
    return gzip.compress("".join(lines).encode()), requests, sizes


def test_bars_are_totals_where_the_table_is_cut(page: Page, suite: Suite, person: PersonAt) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    distribution = f"EMANY{int(time.time()) % 100_000_000:08}"
    body, requests, sizes = log_of_many_groups(hour, distribution)
    before = requests_at_rest(person)
    key = f"cloudfront/{distribution}.{hour:%Y-%m-%d-%H}.00000001.gz"
    suite.client("s3").put_object(Bucket=suite["AccessLogsBucketName"], Key=key, Body=body)
    wait_until(
        lambda: requests_at_rest(person) >= before + requests.total(), seconds=60, every=1, what="all rows"
    )
    sign_in(page, suite, person)
    panel = page.locator("[data-panel=bots_by_edge]")
    bar = panel.locator("svg title").filter(has_text="ZZ999-P9")
    expect(bar).to_have_text("ZZ999-P9: 800")
    by_size = page.locator("[data-panel=bytes_by_distribution]")
    expect(by_size.locator("tbody tr").filter(has_text=distribution)).to_contain_text("12.6 kB")
    assert sizes[distribution] == 12_600
    rows = person.get("bot_requests").json()
    assert rows["more"]
    assert len(rows["rows"]) == 999
    left_out = f"the first 999 of {rows['rows'][0][-1]:,} rows"
    expect(page.locator("[data-panel=bot_requests] .note")).to_contain_text(left_out)


def test_an_older_answer_never_stands_under_newer_dates(
    page: Page, suite: Suite, person: PersonAt, logs_at_rest: None
) -> None:
    sign_in(page, suite, person)
    body = page.locator("[data-panel=cache_hit_ratio] .body")
    expect(body.locator("tbody tr").first).to_be_visible()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    today = datetime.now(UTC).date().isoformat()
    page.route(re.compile(rf"/v1/insights/\w+\?.*from={today}"), hold)
    dates = page.locator("#dates")
    dates.get_by_label("From").fill(today)
    page.get_by_role("button", name="Run queries").click()
    expect(body).to_have_text("Asking …")
    expect(body.locator("tbody tr")).to_have_count(0)
    for label, day in (("From", "2025-01-01"), ("To", "2025-01-02")):
        dates.get_by_label(label).fill(day)
    page.get_by_role("button", name="Run queries").click()
    for name in ("cache_hit_ratio", "ai_crawler_share"):
        expect(page.locator(f"[data-panel={name}] .body")).to_contain_text("No requests in these days")
    assert held
    for route in held:
        with page.expect_response(route.request.url):
            route.continue_()
    for name in ("bots_by_edge", "cache_hit_ratio", "ai_crawler_share"):
        expect(page.locator(f"[data-panel={name}] tbody tr")).to_have_count(0)


def test_ratios_are_drawn_on_a_scale_to_100_percent(
    page: Page, suite: Suite, person: PersonAt, logs_at_rest: None
) -> None:
    sign_in(page, suite, person)
    panel = page.locator("[data-panel=cache_hit_ratio]")
    expect(panel.locator("rect.bar.first").first).to_be_visible()
    rows = rows_of(person, "cache_hit_ratio")
    widths = panel.locator("rect.bar.first").evaluate_all("all => all.map(one => one.width.baseVal.value)")
    [whole] = {
        round(width) for width in panel.locator("rect.bar.rest").evaluate_all(
            "all => all.map(one => one.width.baseVal.value)"
        )
    }  # fmt: skip
    assert len(widths) == min(10, len(rows))
    for width, row in zip(widths, rows, strict=False):
        assert width == pytest.approx(whole * row[3], abs=1.5)


def test_days_without_requests_say_where_old_history_is(page: Page, suite: Suite, person: PersonAt) -> None:
    """Logs that came later than two days after their requests are in another view."""
    sign_in(page, suite, person)
    expect(page.locator("[data-panel=ai_crawler_share] .body")).to_contain_text("scanned", timeout=30_000)
    page.get_by_role("textbox", name="From", exact=True).fill("2025-01-01")
    page.get_by_role("textbox", name="To", exact=True).fill("2025-01-02")
    page.get_by_role("button", name="Run queries").click()
    expect(page.locator("[data-panel=ai_crawler_share] .body")).to_contain_text(
        "in logs that came within two days; later ones are in the view cf_logs_unique alone",
        timeout=30_000,
    )


def test_a_question_that_cannot_be_asked_is_said_in_words(page: Page, suite: Suite, person: PersonAt) -> None:
    sign_in(page, suite, person)
    expect(page.locator("[data-panel=ai_crawler_share] .body")).to_contain_text("scanned", timeout=30_000)
    page.get_by_role("textbox", name="From", exact=True).fill("2020-01-01")
    page.get_by_role("button", name="Run queries").click()
    expect(page.locator("[data-panel=top_viewers] [role=alert]")).to_contain_text("bad_request")


def test_an_ended_session_leads_to_the_sign_in(page: Page, suite: Suite, person: PersonAt) -> None:
    sign_in(page, suite, person)
    page.evaluate(
        """() => {
          const session = JSON.parse(sessionStorage["sign-in.session"]);
          sessionStorage["sign-in.session"] = JSON.stringify({ ...session, expires: Date.now() - 1 });
        }"""
    )
    expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=10_000)
    expect(page.locator("#live")).to_be_hidden()


def test_a_forged_token_is_refused_by_the_api(page: Page, suite: Suite, person: PersonAt) -> None:
    sign_in(page, suite, person)
    page.evaluate(
        """() => {
          const session = JSON.parse(sessionStorage["sign-in.session"]);
          const token = session.token.split(".");
          token[2] = token[2].split("").reverse().join("");
          sessionStorage["sign-in.session"] = JSON.stringify({ ...session, token: token.join(".") });
        }"""
    )
    page.reload()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=10_000)


def test_signing_out_forgets_the_token(page: Page, suite: Suite, person: PersonAt) -> None:
    sign_in(page, suite, person)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Serverless suite")).to_be_visible()
    assert page.evaluate("() => sessionStorage.length") == 0
    page.goto(f"{suite['WebUrl']}/insights/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_who_is_no_operator_is_told_once_and_not_asked_for_again(page: Page, suite: Suite) -> None:
    stranger = PersonAt(suite, "stranger@example.org", operator=False)
    refusals: list[int] = []
    page.on(
        "response", lambda answer: refusals.append(answer.status) if "/v1/insights/" in answer.url else None
    )
    sign_in(page, suite, stranger)
    expect(page.locator("#trouble")).to_have_text(re.compile("^Your account is not in the group operators"))
    for section in ("#live", "#rest", "#posters", "#containers", "#calls"):
        expect(page.locator(section)).to_be_hidden()
    page.wait_for_timeout(1_000)  # what was asked for side by side is answered
    asked = len(refusals)
    page.wait_for_timeout(6_000)  # more than two refreshes
    assert set(refusals) == {403}
    assert len(refusals) == asked
