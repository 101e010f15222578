"""One application's screen of the insights page, as a person opens it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from playwright.sync_api import Locator, Page, Route, expect

from local.browser import fill_sign_in
from local.clients.person import PersonAt
from local.suite import Suite

__all__ = ["address", "answer_as_api", "asked", "field", "number", "open_screen", "panel", "rows_of", "shown"]


def address(suite: Suite, app: str, **query: str) -> str:
    return f"{suite['WebUrl']}/insights/?{urlencode({'app': app, **query})}"


def open_screen(page: Page, suite: Suite, person: PersonAt, app: str, **query: str) -> None:
    """Open an application's screen and sign in; who comes back is on the same address."""
    page.goto(address(suite, app, **query))
    page.locator("#sign-in").get_by_role("button", name="Sign in").click()
    fill_sign_in(page, person.email, person.password)
    expect(page.locator("#shell")).to_contain_text(person.email)


def answer_as_api(page: Page, matching: str | re.Pattern[str], body: Any, status: int = 200) -> None:
    """Answer GETs whose address matches; preflights go on to the API."""

    def answer(route: Route) -> None:
        if route.request.method == "GET":
            route.fulfill(status=status, json=body, headers={"Access-Control-Allow-Origin": "*"})
        else:
            route.continue_()

    page.route(matching, answer)


def field(page: Page, name: str) -> Locator:
    """Return a control of the form above the panels."""
    return page.locator(f"#controls [name={name}]")


def panel(page: Page, name: str) -> Locator:
    return page.locator(f"[data-panel={name}]")


def shown(page: Page, name: str) -> Locator:
    """Return a panel that has its answer, its table open."""
    card = panel(page, name)
    expect(card.locator(".note")).to_contain_text(re.compile("As of .* scanned"), timeout=60_000)
    summary = card.locator("summary")
    if summary.count() and not card.locator("details").get_attribute("open"):
        summary.click()
    return card


def asked(page: Page) -> dict[str, str]:
    """Return the question in the page's address."""
    query = parse_qs(urlsplit(page.url).query, keep_blank_values=True)
    return {name: values[0] for name, values in query.items()}


def rows_of(person: PersonAt, name: str, **query: str) -> list[list[Any]]:
    """Return what the API says."""
    answer = person.get(name, **query)
    while answer.status_code == 202:
        answer = person.get(name, query=answer.json()["query"])
    answer.raise_for_status()
    rows: list[list[Any]] = answer.json()["rows"]
    return rows


def number(text: str) -> int:
    return int(re.sub(r"\D", "", text))
