"""The suite at a glance, and the operators' session that all pages and tabs share."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import APIResponse, BrowserContext, Page, Route, expect

from local.browser import fill_sign_in
from local.clients.person import PersonAt
from local.suite import Suite
from ops.applications import contents

TITLES = [each.title for each in contents() if each.title not in ("Shared", "Insights")]

_ALARM = re.compile(r"^(Alarm|\d+ alarms)$")  # other tests may have raised more


@pytest.fixture(scope="module")
def person(suite: Suite) -> PersonAt:
    return PersonAt(suite, "home@example.org")


def sign_in(page: Page, person: PersonAt) -> None:
    page.get_by_role("button", name="Sign in").click()
    fill_sign_in(page, person.email, person.password)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def cards(page: Page) -> list[str]:
    return [title.strip() for title in page.locator("#applications h2").all_inner_texts()]


# ------------------------------------------------------------------------------------------------ at a glance


def test_a_visitor_sees_what_there_is_and_asks_for_no_data(page: Page, suite: Suite) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(suite["WebUrl"] + "/")
    expect(page.locator("#applications h2").first).to_be_visible()
    assert [title for title in cards(page) if title != "Authentication"] == [t for t in TITLES if t != "Auth"]
    expect(page.locator("#summary")).to_contain_text("Sign in")
    assert not [url for url in asked if "/v1/insights/" in url]


def test_each_application_leads_to_its_page(page: Page, suite: Suite) -> None:
    page.goto(suite["WebUrl"] + "/")
    expect(page.locator("#applications h2 a").first).to_be_visible()
    links = page.locator("#applications h2 a").evaluate_all("all => all.map(one => one.href)")
    assert len(links) == len(TITLES)
    navigation = page.get_by_role("navigation", name="Applications").get_by_role("link")
    assert navigation.evaluate_all("all => all.map(one => one.href)")[1:] == links
    for link in links:
        assert suite.http.get(link).status_code == 200, link


def test_an_operator_sees_health_and_counts(page: Page, suite: Suite, person: PersonAt) -> None:
    page.goto(suite["WebUrl"] + "/")
    sign_in(page, person)
    expect(page.locator("#summary")).to_contain_text(re.compile("healthy|attention"))
    overview = person.get("overview").json()
    for each in overview["applications"]:
        card = page.locator(f"#{each['application']}")
        expect(card.locator(".badge")).to_have_text(re.compile("Healthy|Alarm|alarms"))
        for one in each["activity"][:2]:
            expect(card.locator(".lately")).to_contain_text(one["name"])


@pytest.fixture
def dead_letter(suite: Suite) -> Iterator[None]:
    queue, sqs = suite["AuthMailDeadLetterQueueUrl"], suite.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    yield
    sqs.purge_queue(QueueUrl=queue)


@pytest.mark.timeout(300)  # queues' metrics are by the minute
def test_a_dead_letter_is_told_with_what_to_do(
    page: Page, suite: Suite, person: PersonAt, dead_letter: None
) -> None:
    page.goto(suite["WebUrl"] + "/")
    sign_in(page, person)
    card = page.locator("#auth")
    for _ in range(30):  # the alarm takes its time, and the API keeps an answer for half a minute
        is_alarm = _ALARM.search(card.locator(".badge").inner_text())
        if is_alarm and "AuthMailDeadLetterQueue" in card.inner_text():
            break
        page.wait_for_timeout(3000)
        page.reload()
        expect(card.locator(".badge")).to_be_visible()
    expect(card.locator(".wrong")).to_contain_text(
        "1 message in the dead-letter queue AuthMailDeadLetterQueue"
    )
    expect(card.locator(".badge")).to_have_text(_ALARM)
    expect(page.locator("#summary")).to_contain_text("attention")


def test_what_is_not_deployed_says_how_to_deploy_it(page: Page, suite: Suite) -> None:
    config = suite.http.get(f"{suite['WebUrl']}/config.json").json()
    del config["LogStreamName"]
    page.route("**/config.json", lambda route: route.fulfill(json=config))
    page.goto(suite["WebUrl"] + "/")
    expect(page.locator("#missing #log_streaming")).to_contain_text("EnableLogStreaming=true")
    expect(page.locator("#applications #log_streaming")).to_have_count(0)
    off = page.get_by_role("navigation").get_by_role("link", name="Log streaming")
    expect(off).to_contain_text("off")
    assert str(off.get_attribute("href")).endswith("#log_streaming")


def test_an_outage_of_the_api_is_told_once(page: Page, suite: Suite, person: PersonAt) -> None:
    page.goto(suite["WebUrl"] + "/")
    sign_in(page, person)
    page.route("**/v1/insights/overview", lambda route: route.abort())
    page.reload()
    expect(page.get_by_role("alert")).to_have_text("The overview cannot be loaded: no connection to the API.")
    assert cards(page)


def test_the_menu_opens_and_closes_on_a_phone(page: Page, suite: Suite) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(suite["WebUrl"] + "/")
    navigation = page.get_by_role("navigation", name="Applications")
    expect(navigation).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    expect(navigation).to_be_visible()
    page.keyboard.press("Escape")
    expect(navigation).to_be_hidden()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 320


def test_the_chosen_colours_stay(page: Page, suite: Suite) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(suite["WebUrl"] + "/")
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Colours").click()
    page.get_by_role("button", name="Colours: Light").click()
    expect(page.get_by_role("button", name="Colours: Dark")).to_be_visible()
    assert page.evaluate(ground) != light
    page.reload()
    expect(page.get_by_role("button", name="Colours: Dark")).to_be_visible()
    assert page.evaluate(ground) != light


# ------------------------------------------------------------------------------------------------ the session


def test_signing_in_leads_back_to_where_it_began(page: Page, suite: Suite, person: PersonAt) -> None:
    address = f"{suite['WebUrl']}/insights/?app=social_stream"
    page.goto(address)
    page.locator("#shell").get_by_role("button", name="Sign in").click()
    fill_sign_in(page, person.email, person.password)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    assert page.url.startswith(address)
    assert "code=" not in page.url
    assert page.evaluate("() => Object.keys(localStorage).length + document.cookie.length") == 0


def test_a_code_that_this_tab_did_not_ask_for_is_refused(page: Page, suite: Suite) -> None:
    page.goto(f"{suite['WebUrl']}/?code=stolen&state=guessed")
    expect(page.get_by_role("alert")).to_contain_text("not begun in this tab")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert "stolen" not in page.url


def another_tab(context: BrowserContext, address: str) -> Page:
    tab = context.new_page()
    tab.goto(address)
    return tab


def test_new_tabs_have_the_session_and_lose_it_together(page: Page, suite: Suite, person: PersonAt) -> None:
    page.goto(suite["WebUrl"] + "/")
    sign_in(page, person)
    other = another_tab(page.context, f"{suite['WebUrl']}/status/")
    expect(other.locator(".who")).to_have_text(person.email)
    other.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.locator("#summary")).to_contain_text("Sign in")


def test_a_signed_out_session_cannot_be_renewed(page: Page, suite: Suite, person: PersonAt) -> None:
    page.goto(suite["WebUrl"] + "/")
    sign_in(page, person)
    refresh = page.evaluate("() => JSON.parse(sessionStorage.getItem('sign-in.session')).refresh")
    form = {
        "grant_type": "refresh_token",
        "client_id": suite["UserPoolClientId"],
        "refresh_token": refresh,
    }
    assert suite.http.post(f"{suite['SignInUrl']}/oauth2/token", data=form).status_code == 200
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert suite.http.post(f"{suite['SignInUrl']}/oauth2/token", data=form).status_code == 400


def age(page: Page, seconds: int) -> str:
    """Let the token of a tab end sooner; the token."""
    token: str = page.evaluate(
        """seconds => {
          const session = JSON.parse(sessionStorage.getItem("sign-in.session"));
          session.expires = Date.now() + 1000 * seconds;
          sessionStorage.setItem("sign-in.session", JSON.stringify(session));
          return session.token;
        }""",
        seconds,
    )
    return token


def test_a_session_is_renewed_once_for_all_tabs(page: Page, suite: Suite, person: PersonAt) -> None:
    page.goto(suite["WebUrl"] + "/")
    sign_in(page, person)
    expect(page.locator("#summary")).to_contain_text(re.compile("healthy|attention"))
    other = another_tab(page.context, f"{suite['WebUrl']}/status/")
    expect(other.locator(".who")).to_have_text(person.email)
    renewals: list[str] = []
    page.context.on(
        "request", lambda request: renewals.append(request.url) if "/oauth2/token" in request.url else None
    )
    before = age(page, 60)
    age(other, 60)
    page.reload()
    stored = "() => JSON.parse(sessionStorage.getItem('sign-in.session')).token"
    expect(page.locator("#summary")).to_contain_text(re.compile("healthy|attention"))
    page.wait_for_function(f"before => ({stored})() !== before", arg=before)
    other.wait_for_function(f"before => ({stored})() !== before", arg=before)
    assert page.evaluate(stored) == other.evaluate(stored)
    assert len(renewals) == 1


def test_a_renewal_under_way_does_not_undo_the_sign_out(page: Page, suite: Suite, person: PersonAt) -> None:
    page.goto(suite["WebUrl"] + "/")
    sign_in(page, person)
    other = another_tab(page.context, f"{suite['WebUrl']}/status/")
    expect(other.locator(".who")).to_have_text(person.email)
    held: list[tuple[Route, APIResponse]] = []
    page.context.route("**/oauth2/token", lambda route: held.append((route, route.fetch())))
    age(page, 60)
    page.reload()
    while not held:
        page.wait_for_timeout(100)
    other.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    route, answer = held[0]
    assert answer.ok
    route.fulfill(response=answer)
    page.wait_for_timeout(1000)
    for tab in (page, other):
        assert tab.evaluate("() => sessionStorage.getItem('sign-in.session')") is None
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_who_went_back_from_the_sign_in_has_the_session_of_another_tab(
    page: Page, suite: Suite, person: PersonAt
) -> None:
    page.goto(suite["WebUrl"] + "/")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Username")).to_be_visible()
    other = another_tab(page.context, suite["WebUrl"] + "/")
    sign_in(other, person)
    page.goto(suite["WebUrl"] + "/")
    expect(page.locator(".who")).to_have_text(person.email)


@pytest.mark.parametrize("body", ["<h1>proxy</h1>", "null"])
def test_an_answer_that_is_none_is_told(page: Page, suite: Suite, person: PersonAt, body: str) -> None:
    page.goto(suite["WebUrl"] + "/")
    sign_in(page, person)
    page.route(
        "**/v1/insights/overview",
        lambda route: route.fulfill(body=body, headers={"Access-Control-Allow-Origin": "*"}),
    )
    page.reload()
    expect(page.get_by_role("alert")).to_have_text("The answer cannot be read")


def test_of_two_alarms_on_one_metric_the_one_that_fires_is_shown(page: Page, suite: Suite) -> None:
    page.goto(suite["WebUrl"] + "/")
    shown = page.evaluate(
        """async () => {
          const { healthStrip } = await import("/shared/health.js");
          const [description, since, metric] = ["Fires", "2026-11-28T00:00:00Z", "Errors"];
          const alarms = [["ALARM", 3], ["OK", 0]]
            .map(([state, value]) => ({ state, value, metric, description, since }));
          return [alarms, alarms.toReversed()]
            .map((each) => healthStrip({ state: "alarm", alarms: each, queues: [] }))
            .map((strip) => strip.querySelector(".watched .bad")?.textContent);
        }"""
    )
    assert shown == ["Failed invocations3"] * 2


def test_an_account_that_was_closed_is_signed_out(page: Page, suite: Suite) -> None:
    leaver = PersonAt(suite, "leaver@example.org")
    page.goto(suite["WebUrl"] + "/")
    sign_in(page, leaver)
    suite.client("cognito-idp").admin_delete_user(UserPoolId=suite["UserPoolId"], Username=leaver.email)
    age(page, 60)
    page.reload()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
