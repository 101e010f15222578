"""A real headless Chromium; without one the browser tests are skipped."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ops.paths import ROOT

SCREENSHOTS = ROOT / ".local/screenshots"

# A function's first call beside another lane of tests takes longer than Playwright's 5 s.
expect.set_options(timeout=30_000)

type Launch = Callable[..., Browser]
"""Starts Chromium with further switches."""


@pytest.fixture(scope="session")
def launch() -> Iterator[Launch]:
    """Chromium of this machine, without its background traffic."""
    found = [
        shutil.which(name)
        for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    ]
    mac = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
    executable = next(filter(None, [*found, str(mac) if mac.exists() else None]), None)
    if executable is None:
        pytest.skip("no Chromium: 'apt install chromium' or 'brew install --cask google-chrome' gets it")
    with sync_playwright() as playwright:

        def start(*switches: str) -> Browser:
            return playwright.chromium.launch(
                executable_path=executable,
                args=[
                    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                    "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-quic",
                    *switches,
                ],
            )  # fmt: skip

        yield start


@pytest.fixture(scope="session")
def browser(launch: Launch) -> Iterator[Browser]:
    """A browser that all tests share; each has a page of its own."""
    chromium = launch()
    yield chromium
    chromium.close()


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
