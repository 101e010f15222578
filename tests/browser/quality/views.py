"""That a page as it is now can be used by everybody, at each width and in either scheme."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.browser.conftest import SCREENSHOTS
from tests.browser.quality.checks import SCHEMES, WIDTHS, view_problems

__all__ = ["assert_good_views"]


def assert_good_views(page: Page, name: str) -> None:
    """Fail with the problems of each view, and take its picture."""
    problems: dict[str, str] = {}
    for width in WIDTHS:
        for scheme in SCHEMES:
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(50)
            problems |= dict.fromkeys(view_problems(page), f"{width} px {scheme}")
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=SCREENSHOTS / f"{name}_{scheme}_{width}.png", full_page=True)
    assert problems == {}
