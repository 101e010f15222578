"""``make pictures``: the documentation's pictures, of the pages with the demo's data, in docs/pictures.

They are the same each time but for times of day and measured numbers: size, scheme, language, time zone and
motion are fixed. ``tour.webp`` is a short walk over the pages, for the README.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from local.browser import MISSING, SWITCHES, chromium, fill_sign_in, sign_in
from local.clients.person import PersonAt
from local.clients.visitor import Visitor
from local.engine_process import EngineError
from local.feeders.logs import feed
from local.suite import Suite, suite_after
from ops.paths import ROOT
from ops.stacks import CommandError, reported

__all__ = ["FOLDER", "PICTURES", "TOUR"]

FOLDER = ROOT / "docs/pictures"
TOUR = "tour"
# By name: the page below the start page's address.
PICTURES = {
    "image_resizer": "images/?key=blue_marble.jpg&width=500&height=500&fit=cover&format=avif",
    "access_logs": "insights/?app=access_logs",
    "log_streaming": "insights/?app=log_streaming",
    "auth": "auth/",
    "social_stream": "insights/?app=social_stream",
    "container_metrics": "insights/?app=container_metrics",
    "ec2_monitor": "insights/?app=ec2_monitor",
    "event_hub": "status/",
    "rides": "rides/",
    "api_portal": "portal/",
    "home": "",  # last, as it waits for calm
}
WIDTH, HEIGHT = 1280, 800
SCALE = 1.5  # of pixels, for dense screens
TOUR_WIDTH = 960
_QUALITY, _TOUR_QUALITY = 88, 72
_FEED_S = 20
_CALM_MS = 180_000  # until the alarms that the demo has fired are over, and the page has looked again
_SETTLED = """() => ![...document.querySelectorAll("[aria-busy=true], .skeleton")]
  .some((one) => one.checkVisibility())"""


def _open(page: Page, suite: Suite, path: str) -> None:
    page.goto(f"{suite['WebUrl']}/{path}")
    page.wait_for_load_state("networkidle")
    page.wait_for_function(_SETTLED)


def _context(browser: Browser, scale: float) -> BrowserContext:
    return browser.new_context(
        viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=scale, color_scheme="light",
        reduced_motion="reduce", locale="en-GB", timezone_id="UTC",
    )  # fmt: skip


def _shot(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot(animations="disabled", caret="hide"))).convert("RGB")


def _request_ride(page: Page, visitor: Visitor) -> None:
    """Have a visitor sign in and request a ride, until the unicorn is under way."""
    page.locator("#content").get_by_role("button", name="Sign in").or_(
        page.locator("#shell").get_by_role("button", name="Sign in")
    ).first.click()
    fill_sign_in(page, visitor.email, visitor.password)
    page.get_by_role("combobox", name="Place").select_option("Senate Square")
    page.get_by_role("button", name="Request a unicorn", exact=True).click()
    page.locator("#panel-title").get_by_text("Arriving").wait_for()


@dataclass
class _Tour:
    """Frames of a walk over the pages, each with the milliseconds for which it is shown."""

    page: Page
    frames: list[Image.Image] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)

    def frame(self, milliseconds: int) -> None:
        """Add what the page shows."""
        size = TOUR_WIDTH, TOUR_WIDTH * HEIGHT // WIDTH
        self.frames.append(_shot(self.page).resize(size, Image.Resampling.LANCZOS))
        self.durations.append(milliseconds)

    def walk(self, suite: Suite) -> None:
        """Home, a picture before and after, another picture in other sizes, the traffic, at rest and live."""
        page = self.page
        _open(page, suite, PICTURES["home"])
        self.frame(2000)
        _open(page, suite, PICTURES["image_resizer"])
        self.frame(1200)
        for place in (40, 30, 20, 30, 45, 60, 72, 80, 70, 60, 50):
            self._set("#split", place)
            self.frame(90)
        page.get_by_role("radio", name="astronaut").check(force=True)
        self._settle()
        self.frame(1100)
        for rung in (5, 4, 3):  # of the ladder: 300, 200, 100 pixels
            self._set("#width", rung)
            self._set("#height", rung)
            self._settle()
            self.frame(800)
        for name in ("access_logs", "log_streaming"):
            _open(page, suite, PICTURES[name])
            self.frame(2200)

    def _set(self, slider: str, value: int) -> None:
        """Move a slider as a pointer does: it shows no focus of the keyboard."""
        self.page.locator(slider).evaluate(
            """(slider, value) => {
              slider.value = value;
              slider.dispatchEvent(new Event("input", { bubbles: true }));
              slider.dispatchEvent(new Event("change", { bubbles: true }));
            }""",
            value,
        )

    def _settle(self) -> None:
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_function(_SETTLED)

    def save(self) -> None:
        """Write the walk as an animation that repeats."""
        first, *others = self.frames
        first.save(
            FOLDER / f"{TOUR}.webp", save_all=True, append_images=others, duration=self.durations, loop=0,
            quality=_TOUR_QUALITY, method=6,
        )  # fmt: skip


def _take(suite: Suite, executable: str, say: Callable[[str], None]) -> None:
    operator = PersonAt(suite, "operator@example.org")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*SWITCHES])
        context = _context(browser, SCALE)
        page = context.new_page()
        sign_in(page, suite, operator.email, operator.password)
        for name, path in PICTURES.items():
            _open(page, suite, path)
            if name == "rides":
                _request_ride(page, Visitor(suite))
            if name == "home":
                with suppress(PlaywrightTimeout):  # an alarm that is real has its picture, too
                    page.get_by_text("are healthy").wait_for(timeout=_CALM_MS)
            _shot(page).save(FOLDER / f"{name}.webp", quality=_QUALITY, method=6)
            say(name)
        context.close()
        context = _context(browser, 1)
        page = context.new_page()
        sign_in(page, suite, operator.email, operator.password)
        tour = _Tour(page)
        tour.walk(suite)
        tour.save()
        say(TOUR)
        browser.close()


@reported
def main() -> int:
    """Make every picture; 0 if that was possible."""
    parser = argparse.ArgumentParser(prog="local.pictures", description=__doc__)
    parser.add_argument("--port", type=int, help="port of an engine that is not up yet (4566)")
    port = parser.parse_args().port
    executable = chromium()
    if executable is None:
        raise CommandError(MISSING)
    try:
        suite = suite_after("local.demo", port=port)
    except EngineError as error:
        raise CommandError(str(error)) from error
    print("live traffic, for the page that shows it", flush=True)
    feed(suite.client("kinesis"), suite["LogStreamName"], rate=150, seconds=_FEED_S, seed=15)
    FOLDER.mkdir(parents=True, exist_ok=True)

    def say(name: str) -> None:
        path = FOLDER / f"{name}.webp"
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1000} kB", flush=True)

    _take(suite, executable, say)
    return 0


if __name__ == "__main__":
    sys.exit(main())
