"""The screen of access logs: range, zone and filters in the address, charts that lead on, CSV, Athena."""

from __future__ import annotations

import csv
import gzip
import io
import re
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from datagen.cloudfront_logs import FIELDS, Corpus
from local.clients.person import PersonAt
from local.suite import Suite
from tests.browser.conftest import SCREENSHOTS
from tests.browser.insights.screen import (
    address,
    answer_as_api,
    asked,
    field,
    open_screen,
    panel,
    rows_of,
    shown,
)
from tests.support.waiting import wait_until

BUSIEST = f"ZZ{int(time.time()) % 1000:03}-P9"  # an edge location that no earlier run has used
WEEK = {"window": "week"}  # the screen's own
BARS = (
    "bots_by_edge",
    "bytes_by_distribution",
    "cache_hit_ratio",
    "error_rates",
    "top_viewers",
    "ai_crawler_share",
)


@pytest.fixture(scope="module")
def person(suite: Suite) -> PersonAt:
    return PersonAt(suite, "person@example.org")


def requests_at_rest(person: PersonAt) -> int:
    return sum(int(row[1]) for row in rows_of(person, "cache_hit_ratio", **WEEK))


@pytest.fixture(scope="module")
def logs(suite: Suite, person: PersonAt) -> None:
    """Log files of the last hours have been delivered, preprocessed and partitioned, every row of them."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    before = requests_at_rest(person)
    files = Corpus(
        3000,
        start=hour - timedelta(hours=5),
        rows_per_file=150,
        late_share=0,
        viewers=300,
        seed=int(time.time()),
    )
    for file in files.files():
        suite.client("s3").put_object(Bucket=suite["AccessLogsBucketName"], Key=file.key, Body=file.body)
    wait_until(
        lambda: requests_at_rest(person) >= before + 3000, seconds=60, every=1, what="all rows at rest"
    )


def ready(page: Page) -> None:
    """Wait until every panel is answered."""
    expect(page.locator("[data-panel] .skeleton")).to_have_count(0, timeout=60_000)
    expect(page.locator("[data-panel] [aria-busy]")).to_have_count(0, timeout=60_000)


def answers(
    page: Page, status: int, code: str, message: str, match: str = r"/v1/insights/(?!overview|panels)\w+"
) -> None:
    """Let the API refuse."""
    answer_as_api(page, re.compile(match), {"code": code, "message": message}, status)


def test_panels_show_what_the_api_says(page: Page, suite: Suite, person: PersonAt, logs: None) -> None:
    open_screen(page, suite, person, "access_logs")
    for name in BARS:
        card = shown(page, name)
        expect(card.locator("svg.chart")).to_be_visible()
        rows = rows_of(person, name, **WEEK)
        expect(card.locator("tbody tr")).to_have_count(len(rows))
        expect(card.locator("svg .row")).to_have_count(min(10, len(rows)))
    over_time = rows_of(person, "requests_over_time", **WEEK)
    stats = shown(page, "requests_over_time").locator(".stat dd")
    expect(stats.first).to_have_text(f"{sum(row[1] for row in over_time):,}")


def test_bars_are_sorted_and_ratios_drawn_on_a_scale_to_100_percent(
    page: Page, suite: Suite, person: PersonAt, logs: None
) -> None:
    open_screen(page, suite, person, "access_logs")
    card = shown(page, "cache_hit_ratio")
    ratios = sorted((row[3] for row in rows_of(person, "cache_hit_ratio", **WEEK)), reverse=True)[:10]
    wide = "all => all.map(one => one.width.baseVal.value)"
    lengths = card.locator("rect.length").evaluate_all(wide)
    [whole] = {round(width) for width in card.locator("rect.track").evaluate_all(wide)}
    assert lengths == pytest.approx([whole * ratio for ratio in ratios], abs=2)
    for name in ("bots_by_edge", "bytes_by_distribution", "top_viewers"):
        lengths = shown(page, name).locator("rect.length").evaluate_all(wide)
        assert lengths == sorted(lengths, reverse=True)
        texts = card.locator("svg .value").all_text_contents()
        assert all(texts)


def test_first_rows_of_what_matters_are_on_one_screen(
    browser: Browser, suite: Suite, person: PersonAt, logs: None
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    open_screen(page, suite, person, "access_logs")
    ready(page)
    for seen in (
        page.locator("#health .badge"),
        page.locator("#range"),
        panel(page, "requests_over_time").locator(".plot"),
    ):
        expect(seen).to_be_in_viewport(ratio=1)
    expect(panel(page, "bots_by_edge").get_by_role("heading")).to_be_in_viewport(ratio=1)
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_page_does_not_scroll_sideways(
    browser: Browser, suite: Suite, person: PersonAt, logs: None, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": 320, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    open_screen(page, suite, person, "access_logs")
    ready(page)
    page.screenshot(path=SCREENSHOTS / f"access_logs_320_{scheme}.png", full_page=True)
    right = page.locator("main").evaluate(
        """main => Math.max(...[...main.querySelectorAll("*")]
          .filter(one => !one.closest(".scroll, svg, .plot"))
          .map(one => one.getBoundingClientRect().right))"""
    )
    assert right <= 320
    context.close()


# ---- the address


def test_range_and_filters_are_in_the_address_and_back_and_forward_work(
    page: Page, suite: Suite, person: PersonAt, logs: None
) -> None:
    open_screen(page, suite, person, "access_logs")
    ready(page)
    page.get_by_role("button", name="the last 12 hours").click()
    field(page, "distribution").select_option("E1SHOPFRONT9ZX")
    field(page, "kind").select_option(label="AI crawlers")
    assert (
        asked(page).items() >= {"window": "half_day", "distribution": "E1SHOPFRONT9ZX", "kind": "ai"}.items()
    )
    for name, only in (("cache_hit_ratio", "E1SHOPFRONT9ZX"), ("ai_crawler_share", "AI crawlers")):
        expect(shown(page, name).locator("tbody tr td:first-child")).to_have_text([only])
    page.go_back()
    expect(field(page, "kind")).to_have_value("")
    page.go_back()
    page.go_back()
    assert asked(page).get("window", "week") == "week"
    expect(page.get_by_role("button", name="the last 7 days")).to_have_attribute("aria-pressed", "true")
    for _ in range(3):
        page.go_forward()
    expect(field(page, "kind")).to_have_value("ai")
    for name, only in (("cache_hit_ratio", "E1SHOPFRONT9ZX"), ("ai_crawler_share", "AI crawlers")):
        expect(shown(page, name).locator("tbody tr td:first-child")).to_have_text([only])


def test_copied_link_shows_the_same(page: Page, suite: Suite, person: PersonAt, logs: None) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    query = {
        "from": f"{now - timedelta(hours=3):%Y-%m-%dT%H:%MZ}",
        "to": f"{now - timedelta(hours=1):%Y-%m-%dT%H:%MZ}", "zone": "utc", "status": "4xx",
    }  # fmt: skip
    open_screen(page, suite, person, "access_logs", **query)
    expect(field(page, "from")).to_have_value(query["from"][:-1])
    expect(field(page, "to")).to_have_value(query["to"][:-1])
    expect(field(page, "zone")).to_have_value("utc")
    expect(field(page, "status")).to_have_value("4xx")
    rows = rows_of(person, "error_rates", **{name: query[name] for name in ("from", "to", "status")})
    assert rows
    assert all(row[1] == row[2] for row in rows)
    expect(shown(page, "error_rates").locator("tbody tr")).to_have_count(len(rows))


def test_hours_are_of_the_zone_that_is_named(
    browser: Browser, suite: Suite, person: PersonAt, logs: None
) -> None:
    context = browser.new_context(timezone_id="Asia/Kolkata")
    page = context.new_page()
    open_screen(
        page, suite, person, "access_logs", **{"from": "2026-11-22T08:00Z", "to": "2026-11-22T20:00Z"}
    )
    expect(field(page, "from")).to_have_value("2026-11-22T13:30")
    expect(field(page, "zone").locator("option:checked")).to_have_text(re.compile("Asia/(Kolkata|Calcutta)"))
    field(page, "from").fill("2026-11-22T14:00")
    page.get_by_role("button", name="Apply").click()
    assert asked(page).items() >= {"from": "2026-11-22T08:30Z", "to": "2026-11-22T20:00Z"}.items()
    field(page, "zone").select_option("UTC")
    expect(field(page, "from")).to_have_value("2026-11-22T08:30")
    assert asked(page)["zone"] == "utc"
    context.close()


def test_an_older_answer_never_stands_under_a_newer_range(
    page: Page, suite: Suite, person: PersonAt, logs: None
) -> None:
    open_screen(page, suite, person, "access_logs")
    ready(page)
    held: list[Route] = []
    page.route(re.compile(r"/v1/insights/\w+\?.*window=hour"), lambda route: held.append(route))
    page.get_by_role("button", name="the last hour").click()
    card = panel(page, "cache_hit_ratio")
    expect(card.locator(".skeleton")).to_be_visible()
    expect(card.locator("tbody tr")).to_have_count(0)
    page.evaluate(
        """() => {
          history.pushState(null, "", "?app=access_logs&from=2025-01-01&to=2025-01-02");
          dispatchEvent(new Event("popstate"));
        }"""
    )
    for name in ("cache_hit_ratio", "ai_crawler_share"):
        expect(panel(page, name)).to_contain_text("No requests in")
    assert held
    for route in held:
        with page.expect_response(route.request.url):
            route.continue_()
    for name in ("bots_by_edge", "cache_hit_ratio", "ai_crawler_share"):
        expect(panel(page, name).locator("tbody tr")).to_have_count(0)


# ---- charts that lead on


def test_bar_of_a_distribution_filters_every_panel(
    page: Page, suite: Suite, person: PersonAt, logs: None
) -> None:
    open_screen(page, suite, person, "access_logs")
    shown(page, "bytes_by_distribution").get_by_role("button", name=re.compile("^E3MEDIAASSETSQ: ")).click()
    assert asked(page)["distribution"] == "E3MEDIAASSETSQ"
    expect(field(page, "distribution")).to_have_value("E3MEDIAASSETSQ")
    rows = rows_of(person, "ai_crawler_share", **WEEK, distribution="E3MEDIAASSETSQ")
    first = shown(page, "ai_crawler_share").locator("tbody tr").first.locator("td").nth(1)
    expect(first).to_have_text(f"{rows[0][1]:,}")
    page.get_by_role("button", name="Remove the filter Distribution: E3MEDIAASSETSQ").click()
    assert "distribution" not in asked(page)


def test_bar_of_an_edge_location_leads_to_its_requests_by_keyboard(
    page: Page, suite: Suite, person: PersonAt, logs: None
) -> None:
    open_screen(page, suite, person, "access_logs")
    bar = shown(page, "bots_by_edge").get_by_role("button", name=re.compile("Show its requests")).first
    location = (bar.locator("title").text_content() or "").partition(":")[0]
    bar.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_contain_text(f"edge location {location}")
    rows = rows_of(person, "requests", **WEEK, location=location)
    expect(dialog.locator("tbody tr")).to_have_count(len(rows))
    expect(dialog.locator(".note")).to_contain_text(
        f"the first {len(rows)} of {rows[0][-1]:,} rows" if rows[0][-1] > 200 else "As of"
    )
    assert asked(page)["location"] == location
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.wait_for_url(lambda url: "location=" not in url)
    page.go_back()
    expect(dialog).to_be_visible()
    page.reload()
    expect(dialog.get_by_role("heading")).to_contain_text(f"edge location {location}")
    expect(dialog.locator("tbody tr")).to_have_count(len(rows))


def test_point_of_the_chart_can_be_read_and_zooms_by_keyboard(
    page: Page, suite: Suite, person: PersonAt, logs: None
) -> None:
    open_screen(page, suite, person, "access_logs", zone="utc", window="day")
    chart = shown(page, "requests_over_time").get_by_role(
        "slider", name=re.compile("^Requests over time in the last 24 hours")
    )
    newest = rows_of(person, "requests_over_time", window="day")[-1]
    chart.press("End")
    for _ in range(40):
        if re.search(r"Requests \d", chart.get_attribute("aria-valuetext") or ""):
            break
        chart.press("ArrowLeft")
    text = chart.get_attribute("aria-valuetext") or ""
    assert f"Requests {newest[1]:,}, From bots {newest[2]:,}, 4xx and 5xx {newest[3]:,}" in text
    chart.press("Enter")
    begin = datetime.fromisoformat(f"{newest[0]}0:00Z")
    assert asked(page).items() >= {
        "from": f"{begin:%Y-%m-%dT%H:%MZ}", "to": f"{begin + timedelta(minutes=10):%Y-%m-%dT%H:%MZ}",
    }.items()  # fmt: skip
    expect(shown(page, "requests_over_time").locator(".stat dd").first).to_have_text(f"{newest[1]:,}")


def test_selection_in_the_chart_sets_the_range(
    page: Page, suite: Suite, person: PersonAt, logs: None
) -> None:
    open_screen(page, suite, person, "access_logs", zone="utc", window="day")
    box = shown(page, "requests_over_time").locator(".u-over").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 50, steps=5)
    page.mouse.up()
    expect(page.get_by_role("button", name="the last 24 hours")).to_have_attribute("aria-pressed", "false")
    since, until = (datetime.fromisoformat(asked(page)[name]) for name in ("from", "to"))
    assert timedelta(hours=5.5) < until - since < timedelta(hours=6.7)


def test_chart_never_falls_to_zero_where_logs_may_be_on_their_way(
    page: Page, suite: Suite, person: PersonAt
) -> None:
    """The newest slot with requests is not complete; of later ones nothing is known."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [now - timedelta(hours=age) for age in (4, 3, 1)]
    answer = {
        "as_of": f"{now + timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}", "scanned": 1, "more": False,
        "columns": ["slot", "requests", "ofbots", "failed", "totalbytes"],
        "rows": [[f"{hour:%Y-%m-%dT%H}", 50, 5, 1, 1000] for hour in hours],
        "range": {
            "from": f"{hours[0]:%Y-%m-%dT%H:%M:%SZ}", "to": f"{now + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
            "slot_s": 3600,
        },
    }  # fmt: skip
    answer_as_api(page, re.compile("/v1/insights/requests_over_time"), answer)
    open_screen(page, suite, person, "access_logs", zone="utc")
    card = shown(page, "requests_over_time")
    chart = card.get_by_role("slider")
    readings = []
    chart.press("Home")
    for _ in range(5):
        readings.append(chart.get_attribute("aria-valuetext") or "")
        chart.press("ArrowRight")
    requests = [re.search(r"Requests (no data|\d+)", text)[1] for text in readings]  # type: ignore[index]
    assert requests == ["50", "50", "0", "50", "no data"], "no zero but where later logs have come"
    assert ["(not complete)" in text for text in readings[:4]] == [False, False, False, True]
    expect(card.locator(".note")).to_contain_text("dashed")
    expect(card.locator(".note")).to_contain_text("left out")


def test_nobody_asks_on_for_an_answer_that_is_not_awaited(page: Page, suite: Suite, person: PersonAt) -> None:
    running = {"query": "00000000-0000-0000-0000-000000000000", "message": "It runs."}
    questions: list[str] = []

    def answer(route: Route) -> None:
        if route.request.method != "GET" or re.search("/(panels|overview)", route.request.url):
            route.continue_()
            return
        questions.append(route.request.url)
        route.fulfill(status=202, json=running, headers={"Access-Control-Allow-Origin": "*"})

    page.route(re.compile("/v1/insights/"), answer)
    open_screen(page, suite, person, "access_logs")
    expect(page.locator("[data-panel=bots_by_edge]")).to_be_visible()
    for window in ("hour", "day", "half_day", "week"):
        page.locator(f"[data-window={window}]").click()
    page.wait_for_timeout(1500)
    questions.clear()
    page.wait_for_timeout(3000)
    assert len(questions) <= 9, "three questions are asked side by side, each again after a second"


# ---- numbers to take along


def test_csv_has_every_row_of_the_answer(page: Page, suite: Suite, person: PersonAt, logs: None) -> None:
    open_screen(page, suite, person, "access_logs")
    card = shown(page, "top_viewers")
    with page.expect_download() as download:
        card.get_by_role("button", name="Top 50 viewers: download as CSV").click()
    assert re.fullmatch(r"access_logs-top_viewers-.*Z\.csv", download.value.suggested_filename)
    text = Path(download.value.path()).read_bytes().decode()
    found = list(csv.reader(io.StringIO(text, newline="")))
    rows = rows_of(person, "top_viewers", **WEEK)
    assert found == [["requestip", "ct"], *([viewer, str(count)] for viewer, count in rows)]
    assert text.count("\r\n") == len(rows) + 1 == text.count("\n"), "RFC 4180: lines end with CRLF"


def test_csv_has_no_formulas(page: Page, suite: Suite, person: PersonAt) -> None:
    made = page.goto(address(suite, "access_logs"))
    assert made
    text = page.evaluate(
        """async () => (await import("/insights/csv.js")).csv(["a", "b"], [
          ['=HYPERLINK("x")', 1], ["+1", -2], ["-1", null], ["@x", 0.5], ["\\t=1", "a\\r\\nb"],
          ["\\n=1", "＝1"], ["ok, \\"so\\"", "E1"]])"""
    )
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["a", "b"], ["'=HYPERLINK(\"x\")", "1"], ["'+1", "-2"], ["'-1", ""], ["'@x", "0.5"],
        ["'\t=1", "a\r\nb"], ["'\n=1", "'＝1"], ['ok, "so"', "E1"],
    ]  # fmt: skip


def test_dialog_has_what_runs_the_query_in_athena(
    page: Page, suite: Suite, person: PersonAt, logs: None
) -> None:
    open_screen(page, suite, person, "access_logs", status="5xx")
    shown(page, "error_rates").get_by_role("button", name="Server errors (5xx): open in Athena").click()
    dialog = page.get_by_role("dialog")
    facts = dialog.locator(".facts code").all_inner_texts()
    assert facts[1:3] == [suite["AccessLogsWorkGroupName"], suite["AccessLogsDatabaseName"]]
    sql, parameters = dialog.locator("pre").inner_text(), dialog.locator("li code").all_inner_texts()
    athena = suite.client("athena")
    assert (
        athena.get_query_execution(QueryExecutionId=facts[0])["QueryExecution"]["Query"].strip()
        == sql.strip()
    )
    execution = athena.start_query_execution(
        QueryString=sql, ExecutionParameters=parameters, WorkGroup=facts[1],
        QueryExecutionContext={"Database": facts[2]},
    )["QueryExecutionId"]  # fmt: skip
    rows = rows_of(person, "error_rates", query=execution)
    assert rows == rows_of(person, "error_rates", **WEEK, status="5xx")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_dialog_leads_to_the_execution_in_the_console_of_aws(page: Page, suite: Suite) -> None:
    page.goto(address(suite, "access_logs"))
    found = page.evaluate(
        """async () => (await import("/insights/athena.js")).consoleAddress(
          { query: "11111111-2222-4333-8444-555555555555", athena: { region: "eu-west-1" } })"""
    )
    assert found == (
        "https://eu-west-1.console.aws.amazon.com/athena/home?region=eu-west-1"
        "#/query-editor/history/11111111-2222-4333-8444-555555555555"
    )


def test_renewed_session_leaves_the_screen_as_it_is(
    page: Page, suite: Suite, person: PersonAt, logs: None
) -> None:
    open_screen(page, suite, person, "access_logs")
    shown(page, "cache_hit_ratio")
    page.evaluate("dispatchEvent(new Event('session'))")
    expect(panel(page, "cache_hit_ratio").locator("details")).to_have_attribute("open", "")
    field(page, "zone").select_option("utc")
    expect(page.locator("#as-of")).to_contain_text("times in UTC")
    expect(panel(page, "cache_hit_ratio").locator("details")).to_have_attribute("open", "")


# ---- when something is wrong


def test_wrong_question_is_said_once(page: Page, suite: Suite, person: PersonAt) -> None:
    open_screen(page, suite, person, "access_logs", **{"from": "2020-01-01", "to": "2026-11-22"})
    expect(page.get_by_role("alert")).to_have_text(
        "The range must begin before it ends, and be at most 92 days long."
    )
    ready(page)
    expect(page.get_by_role("alert")).to_have_count(1)
    page.get_by_role("button", name="the last 24 hours").click()
    expect(page.locator("#trouble")).to_be_hidden()


def test_outage_is_said_once_and_goes_away(page: Page, suite: Suite, person: PersonAt, logs: None) -> None:
    answers(page, 503, "busy", "The data cannot be read now; try again in a moment.")
    open_screen(page, suite, person, "access_logs")
    expect(page.locator("#trouble")).to_have_text("The data cannot be read now; try again in a moment.")
    ready(page)
    expect(page.get_by_role("alert")).to_have_count(1)
    page.unroute_all()
    page.get_by_role("button", name="Refresh now").click()
    expect(page.locator("#trouble")).to_be_hidden(timeout=60_000)
    shown(page, "cache_hit_ratio")


def test_query_that_fails_is_said_in_its_panel_alone(
    page: Page, suite: Suite, person: PersonAt, logs: None
) -> None:
    answers(page, 502, "query_failed", "Athena could not answer the query.", r"/v1/insights/error_rates")
    open_screen(page, suite, person, "access_logs")
    expect(panel(page, "error_rates").get_by_role("alert")).to_have_text("Athena could not answer the query.")
    shown(page, "ai_crawler_share")
    expect(page.locator("#trouble")).to_be_hidden()


def test_range_without_requests_says_what_to_do_and_where_old_history_is(
    page: Page, suite: Suite, person: PersonAt
) -> None:
    open_screen(page, suite, person, "access_logs", **{"from": "2025-01-01", "to": "2025-01-02"})
    body = panel(page, "ai_crawler_share").locator(".body")
    expect(body).to_contain_text("No requests in", timeout=60_000)
    expect(body).to_contain_text("Run make ")
    expect(body).to_contain_text(
        "later than two days after their requests are in the view cf_logs_unique alone"
    )


# ---- panels that somebody saves

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
    page: Page, suite: Suite, person: PersonAt, logs: None
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
        open_screen(page, suite, person, "access_logs", status="404")
        card = panel(page, "refused_requests")
        # Each instance of the function has a list of its own, up to a minute old.
        for _ in range(8):
            expect(panel(page, "ai_crawler_share")).to_be_visible(timeout=30_000)
            if card.is_visible():
                break
            page.wait_for_timeout(8_000)
            page.reload()
        expect(card.get_by_role("heading")).to_have_text("Refused requests")
        rows = rows_of(person, "refused_requests", **WEEK)
        shown(page, "refused_requests")
        expect(card.locator("tbody tr")).to_have_count(len(rows), timeout=30_000)
        expect(card.locator("tbody tr").first.locator("td").last).to_have_text(f"{rows[0][1]:,}")
        expect(card.locator("svg .row")).to_have_count(min(10, len(rows)))
        expect(card.locator(".note")).to_contain_text("filters do not apply; whole days (UTC)")
    finally:
        athena.delete_named_query(NamedQueryId=query)


def log_of_many_groups(hour: datetime, distribution: str) -> tuple[bytes, Counter[str], Counter[str]]:
    """A log in which bots have 1,300 pairs of address and edge location, and what its bars must be.

    The location with the most requests has one from each of 800 addresses: each pair is among the rarest.
    """
    places = [f"AA{number:02}0-P1" for number in range(50)]
    pairs = [(f"10.1.{number >> 8}.{number & 255}", BUSIEST, 1) for number in range(800)]
    pairs += [(f"10.2.{number >> 8}.{number & 255}", places[number % 50], 2) for number in range(500)]
    lines = [f"#Version: 1.0\n#Fields: {' '.join(FIELDS)}\n"]
    requests, sizes = Counter[str](), Counter[str]()
    for viewer, place, times in pairs:
        row = dict.fromkeys(FIELDS, "-") | {
            "date": f"{hour:%Y-%m-%d}", "time": f"{hour:%H}:00:01", "x-edge-location": place, "sc-bytes": "7",
            "c-ip": viewer, "cs-method": "GET", "sc-status": "200", "x-edge-result-type": "Hit",
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
    open_screen(page, suite, person, "access_logs")
    bar: Locator = shown(page, "bots_by_edge").locator("svg title").filter(has_text=BUSIEST)
    expect(bar).to_have_text(f"{BUSIEST}: 800. Show its requests")
    row = shown(page, "bytes_by_distribution").locator("tbody tr").filter(has_text=distribution)
    expect(row).to_contain_text("12.6 kB")
    assert sizes[distribution] == 12_600
    answer: dict[str, Any] = person.get("bot_requests", **WEEK).json()
    while "rows" not in answer:
        answer = person.get("bot_requests", query=answer["query"]).json()
    assert answer["more"]
    assert len(answer["rows"]) == 999
    left_out = f"the first 999 of {answer['rows'][0][-1]:,} rows"
    expect(panel(page, "bot_requests").locator(".note")).to_contain_text(left_out)
