"""The page `web/status/` as merchants see it: its states in both schemes, and on the deployed suite."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from local.suite import Suite
from tests.browser.conftest import SCREENSHOTS

type Check = dict[str, str]


class Api:
    """What the API answers, as the test sets it; `asked` counts."""

    def __init__(self, page: Page, pages: str) -> None:
        self.checks: list[Check] = []
        self.status = 200
        self.asked = 0
        config = json.dumps({"HubApiUrl": f"{pages}/api"})
        page.route(
            "**/config.json", lambda route: route.fulfill(body=config, content_type="application/json")
        )
        page.route("**/api/hub/status", self._answer)

    def _answer(self, route: Route) -> None:
        self.asked += 1
        body: dict[str, Any] = (
            {"checks": self.checks} if self.status == 200 else {"code": "busy", "message": "x"}
        )
        route.fulfill(status=self.status, body=json.dumps(body), content_type="application/json")


@pytest.fixture
def api(page: Page, pages: str) -> Api:
    page.clock.install()
    return Api(page, pages)


def ago(**units: int) -> str:
    return (datetime.now(UTC) - timedelta(**units)).strftime("%Y-%m-%dT%H:%M:%SZ")


UP = {"name": "Checkout", "state": "up", "since": ago(days=12)}
DOWN = {"name": "Search <b>of</b> the shop", "state": "down", "since": ago(hours=3, minutes=5)}
UNKNOWN = {"name": "Mail", "state": "unknown", "since": ago(minutes=1, seconds=5)}

# Of each element with text of its own: the contrast of its colour to what is behind it.
CONTRASTS = """() => {
  const parsed = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parsed(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const opacity = (element) => {
    let all = 1;
    for (let at = element; at; at = at.parentElement) all *= Number(getComputedStyle(at).opacity);
    return all;
  };
  const hasText = (one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  return [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility() && hasText(one))
    .map((one) => {
      const back = behind(one), share = opacity(one);
      const front = parsed(getComputedStyle(one).color).map((c, at) => c * share + back[at] * (1 - share));
      const [low, high] = [light(front), light(back)].sort((a, b) => a - b);
      return [one.textContent.trim().slice(0, 40), (high + 0.05) / (low + 0.05)];
    });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("name", "checks", "status", "sentence"),
    [
        ("up", [UP, UP | {"name": "Payments"}], 200, "All services are up"),
        ("down", [DOWN, UNKNOWN, UP], 200, f"{DOWN['name']} is down"),
        ("several", [DOWN, DOWN, UP], 200, "2 of 3 services are down"),
        ("unknown", [UNKNOWN, UP], 200, "The state of Mail is not known"),
        ("empty", [], 200, "No service is watched yet"),
        ("error", [], 503, "The state of the services cannot be loaded"),
    ],
)
def test_each_state_is_a_sentence_that_can_be_read(
    page: Page, api: Api, pages: str, scheme: Any, name: str, checks: list[Check], status: int, sentence: str
) -> None:
    page.emulate_media(color_scheme=scheme)
    api.checks, api.status = checks, status
    page.goto(f"{pages}/status/")
    expect(page.get_by_role("status")).to_have_text(sentence)
    expect(page.locator("main").get_by_role("listitem")).to_have_count(len(checks))
    low = {text: ratio for text, ratio in page.evaluate(CONTRASTS) if ratio < 4.5}
    assert not low
    for width in (320, 1200):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"status_{name}_{scheme}_{width}.png")


def test_line_says_state_and_since_when(page: Page, api: Api, pages: str) -> None:
    since = ago(days=12, minutes=5)
    api.checks = [
        DOWN | {"since": ago(hours=3, minutes=5)},
        UNKNOWN | {"since": ago(hours=1, minutes=5)},
        UP | {"since": since},
    ]
    page.goto(f"{pages}/status/")
    lines = page.locator("main").get_by_role("listitem")
    expect(lines.nth(0)).to_contain_text("Search <b>of</b> the shop")  # text, never markup
    expect(lines.nth(0)).to_contain_text("Down")
    expect(lines.nth(0)).to_contain_text("(3 hours)")
    expect(lines.nth(1)).to_contain_text("Not known")
    expect(lines.nth(1)).to_contain_text("(1 hour)")
    expect(lines.nth(2)).to_contain_text("(12 days)")
    expect(lines.nth(2).locator("time")).to_have_attribute("datetime", since)
    expect(page).to_have_title(f"{DOWN['name']} is down – Status")


def test_page_asks_again_every_15_seconds(page: Page, api: Api, pages: str) -> None:
    api.checks = [UP]
    page.goto(f"{pages}/status/")
    expect(page.get_by_role("status")).to_have_text("All services are up")
    assert api.asked == 1
    api.checks = [UP | {"state": "down"}]
    page.clock.run_for(14_000)
    assert api.asked == 1
    page.clock.run_for(1_500)
    expect(page.get_by_role("status")).to_have_text("Checkout is down")
    assert api.asked == 2


HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_hidden_page_does_not_ask_and_a_shown_one_does_at_once(page: Page, api: Api, pages: str) -> None:
    api.checks = [UP]
    page.goto(f"{pages}/status/")
    expect(page.get_by_role("status")).to_have_text("All services are up")
    page.evaluate(HIDE, True)
    page.clock.run_for(120_000)
    assert api.asked == 1
    api.checks = [DOWN]
    page.evaluate(HIDE, False)
    expect(page.get_by_role("status")).to_have_text(f"{DOWN['name']} is down")
    assert api.asked == 2


def test_last_answer_stays_while_none_comes(page: Page, api: Api, pages: str) -> None:
    api.checks = [DOWN, UP]
    page.goto(f"{pages}/status/")
    expect(page.locator("main").get_by_role("listitem")).to_have_count(2)
    api.status = 503
    page.clock.run_for(15_500)
    expect(page.get_by_role("status")).to_have_text("The state of the services cannot be loaded")
    expect(page.locator("#detail")).to_contain_text("Below is what was known at")
    expect(page.locator("main").get_by_role("listitem")).to_have_count(2)
    assert not [text for text, ratio in page.evaluate(CONTRASTS) if ratio < 4.5]
    page.screenshot(path=SCREENSHOTS / "status_stale.png")
    api.status, api.checks = 200, [UP]
    page.clock.run_for(15_500)
    expect(page.get_by_role("status")).to_have_text("All services are up")
    expect(page.locator("#detail")).to_be_hidden()


# ---- on the deployed suite


@pytest.fixture
def ledger(suite: Suite) -> Iterator[Any]:
    """The ledger's item of the status page; gone after the test."""
    table = suite["HubLedgerTableName"]
    dynamodb = suite.client("dynamodb")
    yield lambda records: dynamodb.put_item(
        TableName=table,
        Item={
            "pk": {"S": "status"},
            **{
                f"id-{place}": {"M": {name: {"S": text} for name, text in record.items()}}
                for place, record in enumerate(records)
            },
        },
    )
    dynamodb.delete_item(TableName=table, Key={"pk": {"S": "status"}})


def test_home_page_leads_to_the_ledgers_state(page: Page, suite: Suite, ledger: Any) -> None:
    ledger([DOWN, UP])
    page.goto(suite["WebUrl"] + "/")
    page.locator("#applications").get_by_role("link", name="Event hub").click()
    expect(page.get_by_role("status")).to_have_text(f"{DOWN['name']} is down")
    expect(page.locator("main").get_by_role("listitem").first).to_contain_text(DOWN["name"])
    assert "id-0" not in page.content()
