"""Every page of `web/`, found by listing, as strangers and as operators see it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from local.browser import pages, sign_in
from local.clients.person import PersonAt
from local.feeders.logs import feed
from local.suite import Suite
from tests.browser.conftest import SCREENSHOTS
from tests.browser.quality.checks import (
    SCHEMES,
    WIDTHS,
    Console,
    head_problems,
    policy_of,
    policy_problems,
    settled,
    view_problems,
)

VISITORS = ("stranger", "operator")
GOOD_SHIFT = 0.1  # "CLS should be 0.1 or less": https://web.dev/articles/cls
UNFOLD = "(open) => document.querySelectorAll('details').forEach((one) => { one.open = open; })"


@pytest.fixture(scope="module")
def operator(suite: Suite) -> PersonAt:
    """Somebody who may see everything, and something to see."""
    feed(suite.client("kinesis"), suite["LogStreamName"], rate=100, seconds=3)
    return PersonAt(suite, "quality@example.org")


@pytest.fixture(scope="module")
def contexts(browser: Browser, suite: Suite, operator: PersonAt) -> Iterator[dict[str, BrowserContext]]:
    """A browser profile by visitor. The operator's has a tab open, from which new ones have their session."""
    # Touched: what is small for a mouse has its size by `pointer: coarse`.
    made = {visitor: browser.new_context(reduced_motion="reduce", has_touch=True) for visitor in VISITORS}
    sign_in(made["operator"].new_page(), suite, operator.email, operator.password)
    yield made
    for context in made.values():
        context.close()


@pytest.fixture
def page(contexts: dict[str, BrowserContext], visitor: str) -> Iterator[Page]:
    tab = contexts[visitor].new_page()
    yield tab
    tab.close()


def open_page(page: Page, suite: Suite, path: str) -> None:
    page.goto(f"{suite['WebUrl']}/{path}")
    page.wait_for_load_state("networkidle")
    settled(page)


@pytest.mark.timeout(300)  # the first run installs axe
@pytest.mark.parametrize("visitor", VISITORS)
@pytest.mark.parametrize("path", pages())
def test_page_is_accessible_fits_and_can_be_touched(
    page: Page, suite: Suite, path: str, visitor: str
) -> None:
    console = Console(page)
    problems: dict[str, list[str]] = {}  # where each is seen
    open_page(page, suite, path)
    views = list(product((False,), WIDTHS, SCHEMES)) + list(product((True,), WIDTHS[:1], SCHEMES))
    for unfolded, width, scheme in views:
        page.evaluate(UNFOLD, unfolded)
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(50)  # charts are drawn anew
        where = f"{width} px {scheme}{' unfolded' * unfolded}"
        for problem in view_problems(page):
            problems.setdefault(problem, []).append(where)
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"\W+", "_", f"quality {path} {visitor} {where}")
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
    assert not problems, "\n".join(f"{each} ({', '.join(places)})" for each, places in problems.items())
    assert console.complaints == []


@pytest.mark.parametrize("visitor", VISITORS[:1])
@pytest.mark.parametrize("path", pages())
def test_page_names_itself_and_lets_nothing_else_in(
    page: Page, suite: Suite, path: str, visitor: str
) -> None:
    open_page(page, suite, path)
    assert head_problems(page, suite.http) == []
    assert policy_problems(policy_of(page)) == []


@pytest.mark.parametrize("visitor", VISITORS)
@pytest.mark.parametrize("path", pages())
def test_nothing_moves_while_a_page_loads(page: Page, suite: Suite, path: str, visitor: str) -> None:
    page.add_init_script(
        """globalThis.shifts = [];
        new PerformanceObserver((list) => {
          shifts.push(...list.getEntries().map(({ value, sources }) =>
            [value, sources.map(({ node }) => node?.outerHTML?.slice(0, 80) ?? "")]));
        }).observe({ type: "layout-shift", buffered: true });"""
    )
    for width in WIDTHS[1:]:
        page.set_viewport_size({"width": width, "height": 800})
        open_page(page, suite, path)
        shifts = page.evaluate("() => shifts")
        assert sum(value for value, _ in shifts) < GOOD_SHIFT, (width, shifts)


@pytest.mark.parametrize("visitor", VISITORS[:1])
def test_navigation_on_a_small_screen_is_accessible(page: Page, suite: Suite, visitor: str) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    open_page(page, suite, "images/")
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("navigation").get_by_role("link", name="Home").wait_for()
    assert view_problems(page) == []


@pytest.mark.parametrize("visitor", VISITORS[:1])
def test_titles_and_descriptions_differ(page: Page, suite: Suite, visitor: str) -> None:
    seen: dict[tuple[str, str], str] = {}
    for path in pages():
        open_page(page, suite, path)
        described = page.locator("meta[name=description]").get_attribute("content") or ""
        name = (page.title(), described)
        assert name not in seen or path.partition("?")[0] == seen[name].partition("?")[0], (path, seen)
        seen[name] = path


@pytest.mark.parametrize(
    "policy",
    [
        "default-src 'self'; connect-src *; base-uri 'none'; form-action 'none'",
        "default-src 'none'; script-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'",
        "default-src 'none'; img-src https:; base-uri 'none'; form-action 'none'",
        "default-src 'none'; connect-src https://*.example.org; base-uri 'none'; form-action 'none'",
        "default-src 'none'; connect-src 'self' %APIS%; base-uri 'none'; form-action 'none'",
        "script-src 'self'; base-uri 'none'; form-action 'none'",
        "default-src 'none'; form-action 'none'",
        "",
    ],
)
def test_open_policies_are_found(policy: str) -> None:
    assert policy_problems(policy)
