"""What every page has to be: accessible, within the window, easy to touch, under a strict policy, quiet."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import requests
from playwright.sync_api import ConsoleMessage, Page

from tests.support.node import INSTALLED, install

__all__ = [
    "SCHEMES",
    "TARGET_PX",
    "WIDTHS",
    "Console",
    "head_problems",
    "policy_of",
    "policy_problems",
    "settled",
    "view_problems",
]

WIDTHS = (320, 390, 1280)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# "The size of the target for pointer inputs is at least 44 by 44 CSS pixels": WCAG 2.2, 2.5.5.
# https://www.w3.org/TR/WCAG22/#target-size-enhanced
TARGET_PX = 44

_TRIES = 5
_SETTLED = """() => ![...document.querySelectorAll("[aria-busy=true], .skeleton")]
  .some((one) => one.checkVisibility())"""

_UNSAFE = {"*", "'unsafe-inline'", "'unsafe-eval'", "'unsafe-hashes'", "http:", "https:", "ws:", "wss:"}

# Main controls that are smaller. What is out of sight has no size; links in sentences are no main controls.
_SMALL_TARGETS = """(least) => [...document.querySelectorAll(
    `button, select, textarea, summary, nav a, .button,
     input:not([type=hidden], [type=checkbox], [type=radio])`)]
  .filter((one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
  .map((one) => [one, one.getBoundingClientRect()])
  .filter(([, box]) => box.right > 0 && (box.height < least - 0.5 || box.width < least - 0.5))
  .map(([one, { width, height }]) =>
    `${one.outerHTML.slice(0, 80)}: ${Math.round(width)} x ${Math.round(height)}`)"""

# The first of what makes a page wider than its window, which nothing does that scrolls in a box of its own.
_OUTSIDE = """(width) => {
  if (document.documentElement.scrollWidth <= width) return [];
  const inABox = (one) => {
    for (let box = one.parentElement; box && box !== document.body; box = box.parentElement) {
      if (getComputedStyle(box).overflowX !== "visible") return true;
    }
    return false;
  };
  return [...document.querySelectorAll("body *")]
    .filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > width + 1)
    .filter((one) => !inABox(one)).slice(0, 5)
    .map((one) => `${one.outerHTML.slice(0, 80)} ends at ${Math.round(one.getBoundingClientRect().right)}`);
}"""

_AXE = """async () => (await axe.run()).violations.map(
  (each) => `${each.id}: ${each.help}: ${each.nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`)"""

_HEAD = """() => ({
  lang: document.documentElement.lang, title: document.title,
  description: document.querySelector("meta[name=description]")?.content ?? "",
  viewport: document.querySelector("meta[name=viewport]")?.content ?? "",
  icon: document.querySelector("link[rel=icon]")?.href ?? "",
  policy: document.querySelector("meta[http-equiv=Content-Security-Policy]")?.content ?? "",
  headings: document.querySelectorAll("h1").length,
  unsized: [...document.images].filter((one) => one.checkVisibility())
    .filter((one) => !one.hasAttribute("width") || !one.hasAttribute("height")).map((one) => one.outerHTML),
})"""


@dataclass
class Console:
    """What a page's console says of errors and warnings, violations of its policy among them.

    Args:
        page: Listened to from now on.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")


@cache
def _axe() -> str:
    install()
    return (INSTALLED / "node_modules/axe-core/axe.min.js").read_text()


def settled(page: Page) -> None:
    """Wait until nothing of a page is loading: nobody knows how that will look."""
    page.wait_for_function(_SETTLED, timeout=30_000)


def view_problems(page: Page) -> list[str]:
    """Return what is wrong with how a page is shown at the present size and scheme."""
    for _ in range(_TRIES):
        settled(page)
        problems = _view_problems(page)
        if page.evaluate(_SETTLED):
            break  # else a panel was loaded anew meanwhile, and was pale
    return problems


def _view_problems(page: Page) -> list[str]:
    width = page.evaluate("() => innerWidth")
    page.evaluate(_axe())  # by the debugger: no policy of a page lets it in
    return [
        *page.evaluate(_AXE),
        *(f"outside: {each}" for each in page.evaluate(_OUTSIDE, width)),
        *(f"smaller than {TARGET_PX} px: {each}" for each in page.evaluate(_SMALL_TARGETS, TARGET_PX)),
    ]


def head_problems(page: Page, http: requests.Session) -> list[str]:
    """Return what a page lacks beside what it shows: title, description, icon, dimensions of its pictures."""
    head: dict[str, Any] = page.evaluate(_HEAD)
    lacks = {
        "a language": not head["lang"],
        "a title": not head["title"].strip(),
        "a description of a sentence": len(head["description"]) < 20,
        "a viewport": "width=device-width" not in head["viewport"],
        "exactly one h1": head["headings"] != 1,
        "sizes of pictures": bool(head["unsized"]),
    }
    icon = http.get(head["icon"]) if head["icon"].startswith("http") else None
    lacks["an icon that is there"] = icon is None or not (
        icon.ok and icon.headers.get("Content-Type", "").startswith("image/")
    )
    return [f"lacks {what}" for what, is_lacking in lacks.items() if is_lacking]


def policy_problems(policy: str) -> list[str]:
    """Return what a content security policy leaves open.

    `base-uri` and `form-action` do not fall back to `default-src`:
    https://www.w3.org/TR/CSP3/#directive-fallback-list
    """
    parts = [part.split() for part in policy.split(";") if part.strip()]
    directives = {words[0]: words[1:] for words in parts}
    problems = [
        f"{name}: {word}"
        for name, words in directives.items()
        for word in words
        if word in _UNSAFE or "*" in word or "%" in word or (word == "data:" and name != "img-src")
    ]
    if directives.get("default-src") not in (["'none'"], ["'self'"]):
        problems.append("default-src is neither 'none' nor 'self'")
    problems += [f"no {name}" for name in ("base-uri", "form-action") if name not in directives]
    return problems


def policy_of(page: Page) -> str:
    """Return the policy that a page itself declares."""
    return str(page.evaluate(_HEAD)["policy"])
