"""What the portal's page looks like, and that everybody can use it, in each of its views and states."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.portal.fake import CREATED, FakePortal, a_key, a_subscription
from tests.browser.quality.views import assert_good_views

type Prepare = Callable[[Page], None]

USAGE = {
    "quota": {"limit": 1000, "period": "MONTH"}, "used": 1962, "remaining": 150,
    "days": [{"day": f"2026-11-{day:02}", "used": used} for day, used in enumerate((112, 490, 0, 1360), 1)],
    "keys": [{"id": a_key()["id"], "name": "Shop", "used": 1000},
             {"id": "3", "name": "Shop", "used": 850}, {"id": "5", "name": "Old one", "used": 112}],
}  # fmt: skip


@pytest.fixture
def portal(page: Page, pages: str) -> FakePortal:
    fake = FakePortal(page, pages)
    fake.keys = [
        a_key("Shop"),
        a_key("Nightly export", id="2", plan="images", subscription="l-0f3k2mexample"),
        a_key("Shop", id="3", ends=4_099_622_400),
        a_key("Unfinished", id="4", state="creating"),
        a_key("Old one", id="5", state="revoked"),
    ]
    fake.subscriptions = [
        a_subscription(state, id=f"l-{state}", until=CREATED + 86_400)
        for state in ("pending", "active", "ending", "ended", "failed")
    ]
    fake.usage = USAGE
    return fake


def unfold(page: Page) -> None:
    page.evaluate("() => document.querySelectorAll('details').forEach((one) => { one.open = true; })")


def open_value(page: Page) -> None:
    page.get_by_label("Name").fill("Shop, production")
    page.get_by_role("button", name="Create the key").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def open_rotation(page: Page) -> None:
    page.get_by_role("button", name="Change plan: Nightly export").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def refuse_name(page: Page) -> None:
    page.get_by_role("button", name="Create the key").click()
    expect(page.locator("#sentence")).to_contain_text("Name the key")


def send(page: Page) -> None:
    page.get_by_label("API key", exact=True).fill("x" * 40)
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#status")).to_have_text("200")
    unfold(page)


# Name, whether somebody is signed in, the address, what shows that it is there, what is done then.
VIEWS: list[tuple[str, bool, str, str, Prepare | None]] = [
    ("plans", False, "", "article.plan", None),
    ("apis", False, "?view=apis", "article.api", None),
    ("api", False, "?view=apis&api=rides", ".operation", unfold),
    ("api_images", False, "?view=apis&api=images", ".operation", None),
    ("stranger", False, "?view=keys", "text=Sign in to make keys", None),
    ("keys", True, "?view=keys", ".key-card", unfold),
    ("keys_refused", True, "?view=keys", ".key-card", refuse_name),
    ("value", True, "?view=keys", ".key-card", open_value),
    ("change_plan", True, "?view=keys", ".key-card", open_rotation),
    ("usage", True, "?view=usage", "meter", unfold),
    ("console", False, "?view=try", "#curl", send),
    ("subscriptions", True, "?view=subscriptions", ".subscription", unfold),
    ("registration", False, "#registration=token", "#registration", None),
    ("register", False, "?account=register", "form.account", None),
]  # fmt: skip


@pytest.mark.timeout(300)  # the first run installs axe
@pytest.mark.parametrize(
    ("name", "is_in", "search", "sign", "prepare"), VIEWS, ids=[name for name, *_ in VIEWS]
)
def test_each_view_can_be_used_by_everybody(
    page: Page, portal: FakePortal, name: str, is_in: bool, search: str, sign: str, prepare: Prepare | None
) -> None:
    if is_in:
        portal.sign_in()
    page.emulate_media(reduced_motion="reduce")
    portal.open(search)
    expect(page.locator(sign).first).to_be_visible()
    if prepare:
        prepare(page)
    assert_good_views(page, f"portal_{name}")
