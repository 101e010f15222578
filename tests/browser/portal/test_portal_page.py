"""The portal's page, with APIs that answer as each test says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.portal.fake import CREATED, VALUE, FakePortal, a_key, a_subscription, documents

KEY_ID = a_key()["id"]
METHODS = {"get", "put", "post", "delete", "patch"}
MARKUP = "<img src=x onerror=window.hit=1><script>window.hit=1</script>"


@pytest.fixture
def api(page: Page, pages: str) -> FakePortal:
    return FakePortal(page, pages)


@pytest.fixture
def visitor(api: FakePortal) -> FakePortal:
    """The same for somebody who is signed in."""
    api.sign_in()
    return api


@pytest.fixture(autouse=True)
def no_markup_runs(page: Page) -> Iterator[None]:
    yield
    assert page.evaluate("() => window.hit") is None
    assert page.locator("main img, main script:not([src])").count() == 0


def title(page: Page) -> Locator:
    return page.locator("#view-title")


def sentence(page: Page) -> Locator:
    return page.locator("#sentence")


def cards(page: Page) -> Locator:
    return page.locator(".key-card")


def kept(page: Page) -> str:
    """Everything that a reload would leave."""
    return str(
        page.evaluate(
            "() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie, location])"
        )
    )


def make_key(page: Page, name: str = "Shop", plan: str = "") -> None:
    page.get_by_label("Name").fill(name)
    if plan:
        page.get_by_label("Plan").select_option(plan)
    page.get_by_role("button", name="Create the key").click()


def confirm(page: Page, button: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=button, exact=True).click()


# ------------------------------------------------------------------------------------------------ plans


def test_plans_show_what_api_gateway_says_now(page: Page, api: FakePortal) -> None:
    api.open()
    free = page.locator("#plan-free")
    expect(free.locator(".quota")).to_have_text("1,000 calls a month per key")
    expect(free).to_contain_text("1 call a second, bursts of 5")
    api.plans[0] |= {"quota": {"limit": 20, "period": "DAY"}, "throttle": {"rate": 2.5, "burst": 3}}
    page.reload()
    expect(free.locator(".quota")).to_have_text("20 calls a day per key")
    api.plans[0] |= {"quota": None, "throttle": {"rate": None, "burst": None}}
    page.reload()
    expect(free.locator(".quota")).to_have_text("Any number of calls")
    expect(free).to_contain_text("Not limited")


def test_plans_say_which_are_free_sold_and_not_sold(page: Page, api: FakePortal) -> None:
    api.open()
    expect(page.locator("#plan-free .badge")).to_have_text("Free")
    images = page.locator("#plan-images")
    expect(images.get_by_role("link", name="Subscribe")).to_have_attribute("href", api.plans[1]["listing"])
    expect(images).to_contain_text("Metered hour by hour")
    fleet = page.locator("#plan-fleet")
    expect(fleet).to_contain_text("Not sold here")
    expect(fleet.get_by_role("link", name="Get a key")).to_have_count(0)
    page.locator("#plan-free").get_by_role("link", name="Get a key").click()
    expect(title(page)).to_have_text("Your keys")
    assert page.url.endswith("?view=keys&plan=free")


def test_a_failure_is_a_sentence_with_another_try(page: Page, api: FakePortal) -> None:
    api.answers["GET /v1/plans"] = (503, {"code": "unavailable", "message": "x"})
    api.open()
    expect(page.locator(".trouble")).to_contain_text("cannot answer just now")
    api.answers.clear()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("article.plan")).to_have_count(3)
    expect(page.locator(".trouble")).to_have_count(0)


# ------------------------------------------------------------------------------------------------ catalogue


@pytest.mark.parametrize("name", documents("http://127.0.0.1"))
def test_catalogue_has_every_operation_of_an_api(page: Page, api: FakePortal, name: str) -> None:
    document = api.documents[name]
    wanted = {
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method in item.keys() & METHODS
    }
    keyed = sum(
        operation.get("security") == [{"api_key": []}]
        for item in document["paths"].values()
        for operation in item.values()
        if isinstance(operation, dict)
    )
    api.open(f"?view=apis&api={name}")
    operations = page.locator(".operation")
    expect(operations).to_have_count(len(wanted))
    shown = {
        f"{each.locator('.method').inner_text()} {each.locator('summary code').inner_text()}"
        for each in operations.all()
    }
    assert shown == wanted
    expect(page.get_by_text("Needs a key")).to_have_count(keyed)


def test_an_operation_shows_parameters_and_answers(page: Page, api: FakePortal) -> None:
    api.open("?view=apis")
    page.get_by_role("link", name="Images", exact=True).click()
    page.get_by_text("/v1/variants").click()
    operation = page.locator(".operation").first
    expect(operation.get_by_role("region", name="Parameters of GET /v1/variants")).to_contain_text(
        "query, required"
    )
    expect(operation.get_by_role("region", name="Answers of GET /v1/variants")).to_contain_text(
        "The key is not accepted"
    )
    expect(operation.get_by_role("region", name="Answer of GET /v1/variants")).to_have_text(
        re.compile(r'"url": uri,\s+"key"\?: string')
    )
    operation.get_by_role("link", name="Try it").click()
    expect(page.locator("#operation")).to_have_value("images GET /v1/variants")


def test_a_document_is_downloaded(page: Page, api: FakePortal) -> None:
    api.open("?view=apis")
    link = page.get_by_role("link", name="Download OpenAPI: Rides")
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "rides.json"


def test_an_sdk_is_downloaded_where_api_gateway_makes_them(page: Page, visitor: FakePortal) -> None:
    visitor.answers["GET /v1/sdks/images/swift"] = (200, b"PK\x05\x06" + bytes(18))
    visitor.open("?view=apis&api=images")
    languages = page.get_by_label("Language of the SDK")
    assert languages.locator("option").all_inner_texts() == [
        "Java", "JavaScript", "Android", "Objective-C", "Swift", "Ruby",
    ]  # fmt: skip
    languages.select_option("Swift")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download SDK").click()
    assert download.value.path().read_bytes() == b"PK\x05\x06" + bytes(18)
    [asked] = visitor.calls("GET /v1/sdks/images/swift")
    assert asked.headers["authorization"].startswith("e30.")
    assert asked.headers["accept"] == "application/zip"


def test_an_sdk_that_cannot_be_made_is_a_sentence(page: Page, visitor: FakePortal) -> None:
    visitor.answers["GET /v1/sdks/images/java"] = (501, {"code": "only_on_aws", "message": "x"})
    visitor.open("?view=apis&api=images")
    page.get_by_role("button", name="Download SDK").click()
    expect(sentence(page)).to_have_text("API Gateway makes SDKs on AWS alone.")


def test_the_local_engine_offers_no_sdks(page: Page, pages: str) -> None:
    fake = FakePortal(page, pages.replace("127.0.0.1", "pages.localhost"))
    fake.open("?view=apis&api=images")
    expect(page.locator(".operation").first).to_be_visible()
    expect(page.get_by_role("button", name="Download SDK")).to_have_count(0)


# ------------------------------------------------------------------------------------------------ keys


def test_a_key_is_shown_once_and_kept_nowhere(page: Page, visitor: FakePortal) -> None:
    visitor.open("?view=keys")
    expect(page.locator(".empty")).to_contain_text("No key yet")
    make_key(page, " Shop, production ")
    expect(page.locator("#secret")).to_have_text(VALUE)
    expect(page.get_by_role("dialog")).to_contain_text("It is not shown again.")
    [sent] = visitor.calls("POST /v1/keys")
    assert sent.body == {"id": sent.body["id"], "name": "Shop, production", "plan": "free"}
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", sent.body["id"])
    confirm(page, "I have stored it")
    expect(cards(page)).to_have_count(1)
    expect(cards(page)).to_contain_text(f"…{VALUE[-4:]}")
    assert VALUE not in page.content()
    assert VALUE not in kept(page)


def test_escape_closes_the_value_too(page: Page, visitor: FakePortal) -> None:
    visitor.open("?view=keys")
    make_key(page)
    expect(page.get_by_role("dialog").get_by_role("button", name="Copy")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#secret")).to_have_count(0)  # not only hidden
    assert VALUE not in page.content()


def test_a_request_without_an_answer_is_the_same_key_again(page: Page, visitor: FakePortal) -> None:
    visitor.open("?view=keys")
    visitor.answers["POST /v1/keys"] = (0, None)
    make_key(page)
    expect(sentence(page)).to_have_text("No answer came. Try again.")
    key = a_key(id=visitor.calls("POST /v1/keys")[0].body["id"])
    visitor.keys = [key]
    visitor.answers["POST /v1/keys"] = (200, key)
    page.get_by_role("button", name="Create the key").click()
    expect(sentence(page)).to_contain_text("its value was lost")
    expect(cards(page)).to_have_count(1)
    assert len({sent.body["id"] for sent in visitor.calls("POST /v1/keys")}) == 1
    visitor.answers.clear()
    make_key(page)
    expect(page.get_by_role("dialog")).to_be_visible()
    assert len({sent.body["id"] for sent in visitor.calls("POST /v1/keys")}) == 2


def test_a_double_click_is_one_key(page: Page, visitor: FakePortal) -> None:
    visitor.open("?view=keys")
    page.get_by_label("Name").fill("Shop")
    page.get_by_role("button", name="Create the key").evaluate(
        "button => { button.click(); button.click(); }"
    )
    expect(cards(page)).to_have_count(1)
    assert len(visitor.calls("POST /v1/keys")) == 1


def test_a_key_without_a_name_is_not_requested(page: Page, visitor: FakePortal) -> None:
    visitor.open("?view=keys")
    make_key(page, "   ")
    expect(sentence(page)).to_contain_text("Name the key first")
    expect(page.get_by_label("Name")).to_be_focused()
    assert visitor.calls("POST /v1/keys") == []


# Codes as the API names them, with the status of each.
@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (409, "other_request", "with this id already"),
        (403, "not_subscribed", "Subscribe on AWS Marketplace first"),
        (403, "not_sold", "not sold here"),
        (409, "too_many_keys", "Revoke one first"),
        (409, "wrong_meter", "An operator has to see to it"),
        (404, "unknown_plan", "Reload the page"),
        (503, "busy", "Try again in a moment"),
        (429, "throttled", "too many requests"),
        (400, "bad_request", "A sentence of the API"),
        (500, "internal", "cannot answer just now"),
    ],
)
def test_each_refusal_is_a_sentence(
    page: Page, visitor: FakePortal, status: int, code: str, words: str
) -> None:
    visitor.answers["POST /v1/keys"] = (status, {"code": code, "message": "A sentence of the API."})
    visitor.open("?view=keys")
    make_key(page)
    expect(sentence(page)).to_contain_text(words)
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_label("Name")).to_have_value("Shop")


def test_keys_can_be_made_while_subscriptions_cannot_be_read(page: Page, visitor: FakePortal) -> None:
    visitor.answers["GET /v1/subscriptions"] = (503, {"code": "unavailable", "message": "x"})
    visitor.open("?view=keys")
    expect(sentence(page)).to_contain_text("only the free plan")
    make_key(page)
    expect(page.locator("#secret")).to_have_text(VALUE)


def test_a_key_is_rotated_with_an_overlap(page: Page, visitor: FakePortal) -> None:
    visitor.keys = [a_key()]
    visitor.open("?view=keys")
    page.get_by_role("button", name="Rotate: Shop").click()
    page.get_by_label("Revoke the old key").select_option("In three days")
    confirm(page, "Rotate")
    expect(page.locator("#secret")).to_have_text(VALUE)
    expect(page.get_by_role("dialog")).to_contain_text("it is revoked in three days")
    [sent] = visitor.calls(f"POST /v1/keys/{KEY_ID}/rotate")
    assert sent.body == {"id": sent.body["id"], "hours": 72}
    assert sent.body["id"] != KEY_ID
    confirm(page, "I have stored it")
    expect(cards(page)).to_have_count(2)
    old, new = cards(page).all()
    expect(old).to_contain_text("Replaced")
    expect(old).to_contain_text("It works until")
    expect(old.get_by_role("button")).to_have_text(["Revoke"])  # it is rotated once
    expect(new).to_contain_text("Active")


def test_a_key_moves_to_a_plan_with_a_subscription(page: Page, visitor: FakePortal) -> None:
    visitor.keys = [a_key()]
    visitor.subscriptions = [a_subscription()]
    visitor.open("?view=keys")
    page.get_by_role("button", name="Change plan: Shop").click()
    confirm(page, "Change the plan")
    expect(page.locator("#secret")).to_be_visible()
    [sent] = visitor.calls(f"POST /v1/keys/{KEY_ID}/rotate")
    assert sent.body == {
        "id": sent.body["id"],
        "hours": 24,
        "plan": "images",
        "subscription": "l-0f3k2mexample",
    }
    confirm(page, "I have stored it")
    expect(cards(page).nth(1)).to_contain_text("PlanImages")


@pytest.mark.parametrize("state", ["pending", "ending", "ended", "failed", ""])
def test_a_sold_plan_without_an_active_subscription_gives_no_key(
    page: Page, visitor: FakePortal, state: str
) -> None:
    visitor.keys = [a_key()]
    visitor.subscriptions = [a_subscription(state)] if state else []
    visitor.open("?view=keys&plan=images")
    plans = page.get_by_label("Plan")
    expect(sentence(page)).to_contain_text("need a subscription")
    expect(plans).to_have_value("free")
    expect(plans.locator("option")).to_have_text(["Free", "Images (subscribe first)"])
    expect(plans.locator("option").nth(1)).to_be_disabled()
    expect(page.get_by_role("button", name="Change plan: Shop")).to_have_count(0)


def test_two_subscriptions_to_a_plan_are_told_apart(page: Page, visitor: FakePortal) -> None:
    visitor.subscriptions = [a_subscription(id="l-one"), a_subscription(id="l-two")]
    visitor.open("?view=keys&plan=images")
    expect(page.get_by_label("Plan")).to_have_value("images l-one")
    make_key(page, plan="Images, subscription l-two")
    confirm(page, "I have stored it")
    [sent] = visitor.calls("POST /v1/keys")
    assert (sent.body["plan"], sent.body["subscription"]) == ("images", "l-two")


def test_a_key_is_revoked_after_a_question(page: Page, visitor: FakePortal) -> None:
    visitor.keys = [a_key()]
    visitor.open("?view=keys")
    button = page.get_by_role("button", name="Revoke: Shop")
    button.click()
    expect(page.get_by_role("dialog")).to_contain_text("cannot be undone")
    confirm(page, "Cancel")
    expect(button).to_be_focused()
    assert visitor.calls(f"POST /v1/keys/{KEY_ID}/revoke") == []
    button.click()
    confirm(page, "Revoke")
    expect(sentence(page)).to_have_text("“Shop” is revoked.")
    expect(cards(page).filter(visible=True)).to_have_count(0)
    page.get_by_text("Revoked keys (1)").click()
    expect(cards(page)).to_contain_text("It is refused.")
    expect(cards(page).get_by_role("button")).to_have_count(0)


def test_a_dialog_says_what_was_refused_and_stays(page: Page, visitor: FakePortal) -> None:
    visitor.keys = [a_key()]
    visitor.answers[f"POST /v1/keys/{KEY_ID}/rotate"] = (409, {"code": "not_active", "message": "x"})
    visitor.open("?view=keys")
    page.get_by_role("button", name="Rotate: Shop").click()
    confirm(page, "Rotate")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("not active")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_lost_rotation_is_the_same_one_again(page: Page, visitor: FakePortal) -> None:
    visitor.keys = [a_key()]
    path = f"POST /v1/keys/{KEY_ID}/rotate"
    visitor.answers[path] = (0, None)
    visitor.open("?view=keys")
    page.get_by_role("button", name="Rotate: Shop").click()
    confirm(page, "Rotate")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text("No answer came. Try again.")
    visitor.answers.clear()
    confirm(page, "Rotate")
    expect(page.locator("#secret")).to_have_text(VALUE)
    assert len({sent.body["id"] for sent in visitor.calls(path)}) == 1


def test_markup_in_a_name_stays_text(page: Page, visitor: FakePortal) -> None:
    visitor.keys = [a_key(MARKUP)]
    visitor.open("?view=keys")
    expect(cards(page).locator("h3")).to_have_text(MARKUP)
    page.get_by_role("button", name="Revoke: ").click()
    expect(page.get_by_role("dialog")).to_contain_text(MARKUP)


@pytest.mark.parametrize("view", ["keys", "usage", "subscriptions"])
def test_strangers_are_asked_to_sign_in(page: Page, api: FakePortal, view: str) -> None:
    api.open(f"?view={view}")
    expect(page.locator("#content")).to_contain_text("Sign in to")
    assert [sent.path for sent in api.sent] == []


# ------------------------------------------------------------------------------------------------ usage

USAGE: dict[str, Any] = {
    "quota": {"limit": 1000, "period": "MONTH"}, "used": 1012, "remaining": 988,
    "days": [{"day": "2026-11-02", "used": 312}, {"day": "2026-11-20", "used": 700}],
    "keys": [{"id": KEY_ID, "name": "Shop", "used": 12}, {"id": "2", "name": "Export", "used": 1000}],
}  # fmt: skip


@pytest.fixture
def used(page: Page, visitor: FakePortal) -> FakePortal:
    """Somebody whose keys were used; it is 28 November."""
    page.clock.set_fixed_time("2026-11-28T12:00:00Z")
    visitor.keys = [a_key(), a_key("Export", id="2", last4="wxyz")]
    visitor.usage = USAGE
    return visitor


def test_usage_is_shown_against_each_keys_quota(page: Page, used: FakePortal) -> None:
    used.open("?view=usage")
    expect(page.locator(".used")).to_have_text("1,012 calls this month")
    rows = page.locator(".meters li")
    expect(rows).to_contain_text(["Export …wxyz1,000 of 1,000 calls", "Shop …0xWk12 of 1,000 calls988 left"])
    expect(rows.first).to_contain_text("its calls are refused")
    assert [each.evaluate("one => [one.value, one.max]") for each in page.locator("meter").all()] == [
        [1000, 1000],
        [12, 1000],
    ]


def test_usage_has_a_column_for_each_day(page: Page, used: FakePortal) -> None:
    used.open("?view=usage")
    columns = page.locator(".chart .column")
    expect(columns).to_have_count(28)  # so far
    said = columns.locator("title").all_text_contents()
    assert said[1] == "2 Nov: Calls 312"
    assert said[19] == "20 Nov: Calls 700"
    assert said[2] == "3 Nov: none"
    assert said[27] == "28 Nov, so far: none"
    heights = [float(each.get_attribute("height") or 0) for each in page.locator(".chart .part").all()]
    assert heights[1] / heights[0] == pytest.approx(700 / 312, abs=0.02)
    page.get_by_text("Table").click()
    expect(page.get_by_role("region", name="Calls by day").locator("tbody tr")).to_have_count(28)


def test_usage_of_another_month_and_plan(page: Page, used: FakePortal) -> None:
    used.keys.append(a_key("Picture shop", id="3", plan="images"))
    asked: list[str] = []
    page.on(
        "request", lambda sent: asked.append(sent.url.partition("?")[2]) if "/v1/usage" in sent.url else None
    )
    used.open("?view=usage")
    expect(page.locator(".used")).to_be_visible()
    page.get_by_label("Month").select_option("October 2026")
    expect(page.locator(".used")).to_have_text("1,012 calls in October 2026")
    expect(page.locator("meter")).to_have_count(0)  # the quota is this month's
    page.get_by_label("Plan").select_option("Images")
    expect(page.get_by_label("Plan")).to_have_value("images")
    expect(page.locator(".used")).to_be_visible()
    assert asked == [
        "plan=free&from=2026-11-01&to=2026-11-28",
        "plan=free&from=2026-10-01&to=2026-10-31",
        "plan=images&from=2026-10-01&to=2026-10-31",
    ]


def test_usage_without_keys_leads_to_the_first(page: Page, visitor: FakePortal) -> None:
    visitor.open("?view=usage")
    page.get_by_role("link", name="Create a key").click()
    expect(title(page)).to_have_text("Your keys")


# ------------------------------------------------------------------------------------------------ the console


def test_a_new_key_is_tried_without_pasting_it(page: Page, visitor: FakePortal) -> None:
    visitor.open("?view=keys")
    make_key(page)
    confirm(page, "Try it now")
    expect(page.locator("#key")).to_have_value(VALUE)
    expect(page.locator("#key")).to_have_attribute("type", "password")
    expect(page.locator("#key-hint")).to_contain_text("“Shop”")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#status")).to_have_text("200")
    assert json.loads(page.locator("#answer").inner_text())["key"] == "300x/globe.png"
    [sent] = visitor.calls("GET /v1/variants")
    assert sent.headers["x-api-key"] == VALUE
    assert "authorization" not in sent.headers
    assert VALUE not in kept(page)
    page.reload()
    expect(page.locator("#key")).to_have_value("")


def test_the_command_has_a_variable_for_the_key(page: Page, api: FakePortal) -> None:
    api.open("?view=try")
    page.get_by_label("API key", exact=True).fill(VALUE)
    page.get_by_label("key", exact=True).first.fill("300x200/it's here.png")
    command = page.locator("#curl").inner_text()
    assert VALUE not in command
    assert VALUE not in kept(page)
    assert '-H "x-api-key: $API_KEY"' in command
    assert command.endswith(
        f"'{api.api}/images/v1/variants?key=300x200%2Fit''s%20here.png'".replace("''", "'\\''")
    )


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "invalid_key", "missing, wrong or revoked"),
        (429, "throttled", "faster than the plan allows"),
        (429, "quota_exceeded", "quota is exceeded"),
        (404, "unknown_original", "its message says why"),
        (503, "unavailable", "Try again in a moment"),
    ],
)
def test_the_console_explains_refusals(
    page: Page, api: FakePortal, status: int, code: str, words: str
) -> None:
    api.answers["GET /v1/variants"] = (status, {"code": code, "message": MARKUP})
    api.open("?view=try")
    page.get_by_label("API key", exact=True).fill("x" * 40)
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#status")).to_have_text(str(status))
    expect(page.locator("#result")).to_contain_text(words)
    expect(page.locator("#answer")).to_contain_text("<img src=x")


def test_an_api_that_cannot_be_reached_is_a_sentence(page: Page, api: FakePortal) -> None:
    api.answers["GET /v1/variants"] = (0, None)
    api.open("?view=try")
    page.get_by_label("API key", exact=True).fill("x" * 40)
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#result")).to_contain_text("no answer that it may show")


def test_nothing_is_sent_without_a_key(page: Page, api: FakePortal) -> None:
    api.open("?view=try")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_label("API key", exact=True)).to_be_focused()
    expect(sentence(page)).to_have_text("Fill in what is missing first.")
    assert api.calls("GET /v1/variants") == []


def test_an_operation_of_visitors_is_sent_with_their_token(page: Page, visitor: FakePortal) -> None:
    visitor.answers["POST /v1/rides"] = (202, {"id": "x"})
    visitor.open("?view=try&api=rides&op=POST%20%2Fv1%2Frides")
    expect(page.get_by_label("API key", exact=True)).to_have_count(0)
    page.get_by_label("Body, application/json").fill('{"id": "x"}')
    expect(page.locator("#curl")).to_contain_text('-H "Authorization: $ID_TOKEN"')
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#status")).to_have_text("202")
    [sent] = visitor.calls("POST /v1/rides")
    assert sent.headers["authorization"].startswith("e30.")
    assert sent.body == {"id": "x"}


def test_operations_that_pages_cannot_call_are_not_offered(page: Page, api: FakePortal) -> None:
    api.open("?view=try")
    expect(page.locator("#curl")).to_be_visible()
    offered = page.locator("#operation option").evaluate_all("all => all.map(({ value }) => value)")
    assert "images GET /v1/variants" in offered
    assert "event_hub GET /hub/status" in offered
    assert "auth POST /v1/login" not in offered  # a company's server calls it
    assert "event_hub POST /hub/sns" not in offered


# -------------------------------------------------------------------------------------------- registrations

TOKEN = "of+AWS/Marketplace=="
FRAGMENT = "#registration=of%2BAWS%2FMarketplace%3D%3D"


def register(page: Page) -> None:
    page.locator("#registration").get_by_role("button", name="Register the subscription").click()


def test_a_registration_that_is_somebody_elses_can_be_left(page: Page, visitor: FakePortal) -> None:
    visitor.open(FRAGMENT)
    page.locator("#registration").get_by_role("button", name="Close").click()
    assert "Marketplace" not in kept(page)
    page.reload()
    expect(title(page)).to_be_visible()
    expect(page.locator("#registration")).to_be_hidden()
    assert visitor.calls("POST /v1/registrations") == []


def test_a_registration_is_finished_by_who_is_signed_in(page: Page, visitor: FakePortal) -> None:
    visitor.open(FRAGMENT)
    expect(page.locator("#registration")).to_contain_text(
        "will belong to ada@example.org, and to nobody else"
    )
    assert visitor.calls("POST /v1/registrations") == []  # a link may be somebody else's
    register(page)
    expect(page.locator("#registration")).to_contain_text("You are subscribed")
    expect(title(page)).to_have_text("Subscriptions")
    expect(page.locator(".subscription")).to_contain_text("Metered: 1,234 calls in 2 hours")
    [sent] = visitor.calls("POST /v1/registrations")
    assert sent.body == {"token": TOKEN}
    assert "Marketplace" not in kept(page)
    page.locator("#registration").get_by_role("link", name="Get a key").click()
    expect(page.get_by_label("Plan")).to_have_value("images l-0f3k2mexample")


def test_a_strangers_registration_waits_for_the_sign_in(page: Page, api: FakePortal) -> None:
    api.open(FRAGMENT)
    card = page.locator("#registration")
    expect(card).to_contain_text("Finish your subscription")
    assert "registration" not in page.url
    assert api.calls("POST /v1/registrations") == []
    card.get_by_role("button", name="Create an account").click()
    expect(card).to_contain_text("Finish your subscription")
    page.go_back()
    card.get_by_role("button", name="Sign in").click()
    expect(page).to_have_title("The hosted sign-in")
    assert "Marketplace" not in page.url
    state = re.findall("state=([^&]+)", page.url)[0]
    api.open(f"?code=once&state={state}")
    register(page)
    expect(card).to_contain_text("You are subscribed")
    assert [sent.body for sent in api.calls("POST /v1/registrations")] == [{"token": TOKEN}]
    assert "Marketplace" not in kept(page)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (400, "invalid_token", "or it was used before"),
        (410, "expired_token", "has expired"),
        (409, "other_visitor", "Another account has registered"),
        (422, "unknown_product", "not sold here"),
    ],
)
def test_a_refused_registration_is_a_sentence_and_forgotten(
    page: Page, visitor: FakePortal, status: int, code: str, words: str
) -> None:
    visitor.answers["POST /v1/registrations"] = (status, {"code": code, "message": "x"})
    visitor.open(FRAGMENT)
    register(page)
    card = page.locator("#registration")
    expect(card).to_contain_text(words)
    assert "Marketplace" not in kept(page)
    expect(card.get_by_role("button")).to_have_text(["Close"])
    card.get_by_role("button", name="Close").click()
    expect(card).to_be_hidden()


@pytest.mark.parametrize("status", [0, 503])
def test_a_registration_without_an_answer_is_tried_again(
    page: Page, visitor: FakePortal, status: int
) -> None:
    visitor.answers["POST /v1/registrations"] = (status, {"code": "busy", "message": "x"})
    visitor.open(FRAGMENT)
    register(page)
    card = page.locator("#registration")
    expect(card).to_contain_text("ry again")
    assert TOKEN in kept(page)
    visitor.answers["POST /v1/registrations"] = (200, {"subscription": a_subscription("pending")})
    card.get_by_role("button", name="Try again").click()
    expect(card).to_contain_text("has not confirmed it yet")
    assert "Marketplace" not in kept(page)


@pytest.mark.parametrize(
    ("state", "word", "words"),
    [
        ("pending", "Pending", "has not confirmed it yet"),
        ("active", "Active", "Get a key"),
        ("ending", "Ending", "what was called until then is billed"),
        ("ended", "Ended", "Its keys are revoked"),
        ("failed", "Failed", "Nothing is charged"),
    ],
)
def test_each_state_of_a_subscription_is_explained(
    page: Page, visitor: FakePortal, state: str, word: str, words: str
) -> None:
    usage = [
        {"hour": "2026-11-28T01", "quantity": 1200, "state": each} for each in ("sent", "pending", "failed")
    ]
    visitor.subscriptions = [a_subscription(state, until=CREATED + 86_400, usage=usage)]
    visitor.open("?view=subscriptions")
    card = page.locator(".subscription")
    expect(card.locator(".badge")).to_have_text(word)
    expect(card).to_contain_text(words)
    card.get_by_text("Metered:").click()
    expect(card.locator("tbody tr")).to_contain_text(["1,200Sent", "1,200To be sent", "1,200Failed"])
    expect(card.locator("tbody tr").first).to_contain_text("28 Nov 2026, 01:00")


def test_no_subscription_leads_to_the_plans(page: Page, visitor: FakePortal) -> None:
    visitor.open("?view=subscriptions")
    expect(page.locator(".empty")).to_contain_text("Subscribe to a plan on AWS Marketplace")
    for plan in visitor.plans:
        plan["sold"] = False
    page.reload()
    expect(page.locator(".empty")).to_contain_text("no plan is sold here")
    page.get_by_role("link", name="See the plans").click()
    expect(page.locator("article.plan")).to_have_count(3)


# ------------------------------------------------------------------------------------------------ the session


def test_a_sign_in_comes_back_to_the_view(page: Page, api: FakePortal) -> None:
    api.open("?view=usage&plan=free")
    page.locator("#content").get_by_role("button", name="Sign in").click()
    expect(page).to_have_title("The hosted sign-in")
    assert "redirect_uri=" in page.url
    assert re.search(r"redirect_uri=http%3A%2F%2F127.0.0.1%3A\d+%2Fportal%2F&", page.url)
    state = re.findall("state=([^&]+)", page.url)[0]
    api.open(f"?code=once&state={state}")
    expect(title(page)).to_have_text("Usage")
    expect(page.locator(".who")).to_have_text("ada@example.org")
    assert page.url.endswith("/portal/?view=usage&plan=free")


def test_an_account_is_registered_on_the_page(page: Page, api: FakePortal) -> None:
    api.open("?view=keys")
    page.get_by_role("button", name="Create an account").click()
    page.get_by_label("Email address").fill("ada@example.org")
    page.get_by_label("Password", exact=True).fill("a long enough one")
    page.get_by_role("button", name="Create the account").click()
    page.get_by_label("Code from the mail").fill("123456")
    page.get_by_role("button", name="Confirm", exact=True).click()
    expect(title(page)).to_have_text("Your account is ready")
    assert [operation for operation, _ in api.called] == ["SignUp", "ConfirmSignUp"]
    page.locator("#content").get_by_role("button", name="Sign in").click()
    expect(page).to_have_title("The hosted sign-in")
    page.go_back()
    expect(title(page)).to_have_text("Your keys")


def test_an_ended_session_asks_for_another_sign_in(page: Page, api: FakePortal) -> None:
    api.renews = False
    api.sign_in(seconds=1)
    api.open("?view=keys")
    expect(page.locator("#content")).to_contain_text("Sign in to make keys")
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)


def test_another_session_does_not_see_the_last_key(page: Page, visitor: FakePortal) -> None:
    visitor.open("?view=keys")
    make_key(page)
    confirm(page, "Try it now")
    expect(page.locator("#key")).to_have_value(VALUE)
    page.evaluate("() => new BroadcastChannel('visit').postMessage({ ended: true })")
    expect(page.locator("#key")).to_have_value("")


def test_an_operators_session_opens_nothing(page: Page, api: FakePortal) -> None:
    api.sign_in(name="sign-in")
    api.open("?view=keys")
    expect(page.locator("#content")).to_contain_text("Sign in to make keys")
    assert api.sent == []


def test_an_offline_page_says_so_and_catches_up(page: Page, visitor: FakePortal) -> None:
    visitor.keys = [a_key()]
    visitor.open("?view=keys")
    expect(cards(page)).to_have_count(1)
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_contain_text("You are offline.")
    visitor.keys.append(a_key("Export", id="2", created=CREATED + 60))
    page.context.set_offline(False)
    expect(cards(page)).to_have_count(2)
    expect(page.locator("#connection")).to_be_hidden()


def test_what_is_filled_in_survives_a_lost_connection(page: Page, visitor: FakePortal) -> None:
    visitor.open("?view=keys")
    page.get_by_label("Name").fill("Shop")
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("#connection")).to_be_hidden()
    expect(page.get_by_label("Name")).to_have_value("Shop")


def test_views_have_addresses_and_the_back_button(page: Page, visitor: FakePortal) -> None:
    visitor.open()
    views = page.get_by_role("navigation", name="Parts of the portal")
    for name, shown in [("APIs", "APIs"), ("Keys", "Your keys"), ("Try it", "Try it")]:
        views.get_by_role("link", name=name).click()
        expect(title(page)).to_have_text(shown)
        expect(title(page)).to_be_focused()
        expect(views.locator("[aria-current=page]")).to_have_text(name)
    page.go_back()
    expect(title(page)).to_have_text("Your keys")
    expect(page).to_have_title("Your keys – API portal")
    page.go_back()
    page.go_back()
    expect(page.locator("article.plan")).to_have_count(3)


def test_a_slow_view_does_not_cover_the_next(page: Page, visitor: FakePortal) -> None:
    visitor.open()
    expect(page.locator("article.plan")).to_have_count(3)
    page.evaluate(
        "() => { history.pushState(null, '', '?view=apis'); dispatchEvent(new Event('popstate')); }"
    )
    page.evaluate(
        "() => { history.pushState(null, '', '?view=keys'); dispatchEvent(new Event('popstate')); }"
    )
    expect(page.locator("form.make")).to_be_visible()
    page.wait_for_timeout(300)
    expect(page.locator("article.api")).to_have_count(0)
    expect(page.locator("form.make")).to_be_visible()


def test_a_deployment_without_a_portal_says_so(page: Page, pages: str) -> None:
    page.route("**/config.json", lambda route: route.fulfill(body="{}", content_type="application/json"))
    page.goto(f"{pages}/portal/")
    expect(page.locator("#content")).to_contain_text("The API portal is not deployed.")
