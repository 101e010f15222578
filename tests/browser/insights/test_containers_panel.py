"""The charts of a cluster's counters: what was set through ECS's API, gaps where nothing was published."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from local.clients.person import PersonAt
from local.suite import Suite
from tests.browser.conftest import SCREENSHOTS
from tests.browser.insights.screen import answer_as_api, asked, field, open_screen, panel

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


@pytest.mark.timeout(300)
def test_charts_and_table_show_what_the_cluster_has_and_gaps_as_gaps(
    page: Page, suite: Suite, person: PersonAt, cluster: str
) -> None:
    open_screen(page, suite, person, "container_metrics")
    card = panel(page, "RunningTask")
    expect(card.locator(".plot canvas")).to_be_visible(timeout=150_000)
    expect(field(page, "cluster")).to_have_value(cluster)
    expect(page.locator(".plot canvas")).to_have_count(4)
    chart = card.get_by_role("slider")
    expect(chart).to_have_attribute("aria-label", re.compile(f"^Running tasks of {cluster}, "))
    newest = card.locator("tbody tr td:nth-child(2)")
    expect(newest.filter(has_text=re.compile(rf"^{TASKS}$")).first).to_be_attached(timeout=150_000)
    card.locator("summary").click()
    cells = newest.all_inner_texts()
    assert str(TASKS) in cells
    assert len(cells) in (179, 180), "15 minutes of slots, those without numbers too"
    field(page, "refresh").select_option("off")
    assert asked(page)["refresh"] == "off"
    page.wait_for_timeout(1_000)
    cells = newest.all_inner_texts()[::-1]
    chart.press("Home")
    for cell in cells[:3]:  # before the engine began: a gap, and no zero
        said = "no data" if cell == "–" else cell
        assert (chart.get_attribute("aria-valuetext") or "").endswith(f"Running tasks {said}")
        chart.press("ArrowRight")


@pytest.mark.timeout(300)
def test_panel_is_readable_on_a_phone_and_in_the_dark(
    browser: Browser, suite: Suite, person: PersonAt, cluster: str
) -> None:
    for width, scheme in ((320, "light"), (1200, "dark")):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        open_screen(page, suite, person, "container_metrics")
        expect(page.locator(".plot canvas")).to_have_count(4, timeout=150_000)
        right = page.locator("#signed-in").evaluate(
            "one => one.scrollWidth + one.getBoundingClientRect().left"
        )
        assert right <= width, f"{width} pixels are enough"
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"containers_{width}_{scheme}.png", full_page=True)
        context.close()


def test_without_a_cluster_the_panel_says_what_to_do(page: Page, suite: Suite, person: PersonAt) -> None:
    """As in a deployment that names none: the API does not know the panel."""
    unknown = {"code": "unknown_panel", "message": "There is no such panel in this deployment."}
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url) if "/containers" in request.url else None)
    answer_as_api(page, "**/v1/insights/containers*", unknown, 404)
    open_screen(page, suite, person, "container_metrics")
    expect(page.locator("#panels")).to_contain_text("deploy with ContainerMetricsClusters=")
    asked_before = len(requests)
    page.wait_for_timeout(12_000)
    assert len(requests) == asked_before, "nothing is asked for again"


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
    answer_as_api(page, "**/v1/insights/containers*", answer)
    open_screen(page, suite, person, "container_metrics")
    expect(panel(page, "RunningTask")).to_contain_text(sentence)
