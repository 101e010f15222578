"""The charts of a cluster's counters: what was set through ECS's API, gaps where nothing was published."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from local.clients.person import PersonAt
from local.suite import Suite
from tests.browser.conftest import SCREENSHOTS
from tests.browser.insights.test_insights_page import sign_in

TASKS = 7


@pytest.fixture(scope="module")
def person(suite: Suite) -> PersonAt:
    return PersonAt(suite, "watcher@example.org")


@pytest.fixture
def cluster(suite: Suite) -> Iterator[str]:
    """The stack's own cluster, with a number of tasks that no other test gives it."""
    ecs, name = suite.client("ecs"), suite["ContainerMetricsClusterNames"]
    ecs.register_task_definition(
        family="watched", containerDefinitions=[{"name": "app", "image": "app", "memory": 64}]
    )
    tasks = ecs.run_task(cluster=name, taskDefinition="watched", count=TASKS)["tasks"]
    yield name
    for task in tasks:
        ecs.stop_task(cluster=name, task=task["taskArn"])


def running(panel: Locator) -> list[str]:
    """Return what the table says of running tasks, the newest slot first."""
    panel.locator("summary").click()
    cells = panel.locator("tbody tr td:nth-child(2)").all_inner_texts()
    panel.locator("summary").click()
    return cells


@pytest.mark.timeout(300)
def test_charts_and_table_show_what_the_cluster_has_and_gaps_as_gaps(
    page: Page, suite: Suite, person: PersonAt, cluster: str
) -> None:
    sign_in(page, suite, person)
    panel = page.locator("#containers")
    expect(panel.locator(".badge")).to_contain_text("as of", timeout=150_000)
    expect(panel.get_by_label("Cluster")).to_have_value(cluster)
    expect(panel.locator("svg.chart")).to_have_count(4)
    chart = panel.get_by_role("img").first
    expect(chart).to_have_attribute("aria-label", re.compile(f"^Running tasks of {cluster}, "))
    newest = panel.locator("tbody tr td:nth-child(2)")
    expect(newest.filter(has_text=re.compile(rf"^{TASKS}$")).first).to_be_attached(timeout=150_000)
    cells = running(panel)
    assert str(TASKS) in cells
    assert len(cells) in (179, 180), "15 minutes of slots, those without numbers too"
    # The line has a piece for each run of slots with numbers: none goes through a gap.
    pieces = [piece for piece in "".join("x" if cell != "–" else " " for cell in cells).split(" ") if piece]
    path = panel.locator("path.line").first.get_attribute("d") or ""
    assert abs(path.count("M") - len(pieces)) <= 1, "a refresh in between may have added one"


@pytest.mark.timeout(300)
def test_panel_is_readable_on_a_phone_and_in_the_dark(
    browser: Browser, suite: Suite, person: PersonAt, cluster: str
) -> None:
    for width, scheme in ((320, "light"), (1200, "dark")):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        sign_in(page, suite, person)
        panel = page.locator("#containers")
        expect(panel.locator("svg.chart")).to_have_count(4, timeout=150_000)
        sideways = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert sideways <= 0, f"{width} pixels are enough"
        height = panel.locator("svg.chart text").first.evaluate("node => node.getBoundingClientRect().height")
        assert height >= 8, "text that can be read"
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        panel.screenshot(path=SCREENSHOTS / f"containers_{width}_{scheme}.png")
        context.close()


def test_without_a_cluster_the_panel_says_what_to_do(page: Page, suite: Suite, person: PersonAt) -> None:
    """As in a deployment that names none: the API does not know the panel."""
    unknown = {"code": "unknown_panel", "message": "There is no such panel in this deployment."}
    headers = {"Access-Control-Allow-Origin": "*"}
    page.route(
        "**/v1/insights/containers*",
        lambda route: (
            route.fulfill(status=404, json=unknown, headers=headers)
            if route.request.method == "GET"
            else route.continue_()
        ),
    )
    sign_in(page, suite, person)
    expect(page.locator("#containers .body")).to_contain_text("deploy with ContainerMetricsClusters=")
    expect(page.locator("#containers form")).to_be_hidden()


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [(0, "No samples of web in the last 15 minutes"), (24, "24 samples are missing")],
)
def test_a_cluster_without_numbers_says_where_to_look(
    page: Page, suite: Suite, person: PersonAt, missing: int, sentence: str
) -> None:
    answer = {
        "as_of": "2026-11-25T12:00:00Z", "cluster": "web", "clusters": ["web"], "since": 0,
        "missing": missing, "columns": [], "rows": [],
    }  # fmt: skip
    page.route(
        "**/v1/insights/containers*",
        lambda route: (
            route.fulfill(json=answer, headers={"Access-Control-Allow-Origin": "*"})
            if route.request.method == "GET"
            else route.continue_()
        ),
    )
    sign_in(page, suite, person)
    expect(page.locator("#containers .body")).to_contain_text(sentence)


def test_a_stranger_sees_no_counters(page: Page, suite: Suite) -> None:
    page.goto(f"{suite['WebUrl']}/insights/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.locator("#containers")).to_be_hidden()
