"""A real headless Chromium; without one the browser tests are skipped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from local.browser import MISSING, SWITCHES, chromium
from ops.paths import ROOT

SCREENSHOTS = ROOT / ".local/screenshots"

# A function's first call beside another lane of tests takes longer than Playwright's 5 s.
expect.set_options(timeout=30_000)

type Launch = Callable[..., Browser]
"""Starts Chromium with further switches."""


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """The one that a thread may have."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def launch(playwright: Playwright) -> Launch:
    """Chromium of this machine, without its background traffic."""
    executable = chromium()
    if executable is None:
        pytest.skip(MISSING)

    def start(*switches: str) -> Browser:
        return playwright.chromium.launch(executable_path=executable, args=[*SWITCHES, *switches])

    return start


@pytest.fixture(scope="session")
def browser(launch: Launch) -> Iterator[Browser]:
    """A browser that all tests share; each has a page of its own."""
    chromium = launch()
    yield chromium
    chromium.close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def pages() -> Iterator[str]:
    """The pages, without a suite behind them."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(ROOT / "web"))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page in a fresh profile; a script error fails the test, and a screenshot of its end is kept."""
    context = browser.new_context(viewport={"width": 1200, "height": 1000})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{request.node.name}.png", full_page=True)
    context.close()
    assert errors == []
