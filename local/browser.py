"""The pages, and a Chromium without background traffic to see them with: for tests, pictures and scores."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from playwright.sync_api import Page

from local.suite import Suite
from ops.publish import WEB

__all__ = ["MISSING", "SWITCHES", "chromium", "fill_sign_in", "pages", "sign_in"]

MISSING = "no Chromium: 'apt install chromium' or 'brew install --cask google-chrome' gets it"
SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-quic",
)  # fmt: skip
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ON_A_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")


def chromium() -> str | None:
    """Return the path of the browser, or None if there is none."""
    found = [shutil.which(name) for name in _NAMES]
    return next(filter(None, [*found, str(_ON_A_MAC) if _ON_A_MAC.exists() else None]), None)


def pages() -> list[str]:
    """Return every page's address below the start page's: each file, and what the navigation makes of it."""
    files = {path.relative_to(WEB).as_posix().removesuffix("index.html") for path in WEB.rglob("*.html")}
    listed = (WEB / "shared/applications.js").read_text()
    return sorted(files | set(re.findall(r'\bpage: "([^"]+)"', listed)))


def fill_sign_in(page: Page, email: str, password: str) -> None:
    """Sign somebody in at the hosted page, on which they are."""
    page.get_by_label("Username").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def sign_in(page: Page, suite: Suite, email: str, password: str) -> None:
    """Sign an operator in on the start page, as people do."""
    page.goto(f"{suite['WebUrl']}/")
    page.locator("#shell").get_by_role("button", name="Sign in").click()
    fill_sign_in(page, email, password)
    page.locator("#shell").get_by_text(email).wait_for(state="attached")  # small screens hide it
