"""The page of the rides, with an API that answers as each test says."""

from __future__ import annotations

import json
import re
import time

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.rides.fake import SENATE_SQUARE, STEPS, FakeSuite, a_ride

EMAIL = {"Name": "email", "Value": "ada@example.org"}
NEAR = 1e-4  # degrees: some ten metres


@pytest.fixture
def api(page: Page, pages: str) -> FakeSuite:
    return FakeSuite(page, pages)


@pytest.fixture
def visitor(api: FakeSuite) -> FakeSuite:
    """The same for somebody who is signed in."""
    api.sign_in()
    return api


def places(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Place")


def request_button(page: Page) -> Locator:
    return page.get_by_role("button", name="Request a unicorn", exact=True)


def sentence(page: Page) -> Locator:
    return page.locator("#sentence")


def unicorn_at(page: Page) -> tuple[float, float]:
    """Where the unicorn is on the map, in metres from its north-western corner."""
    moved = page.locator(".unicorn").get_attribute("transform") or ""
    x, y = re.findall(r"-?[\d.]+", moved)[:2]
    return float(x), float(y)


# ------------------------------------------------------------------------------------------------ the request


def test_a_place_from_the_list_is_requested(page: Page, visitor: FakeSuite) -> None:
    visitor.open()
    expect(request_button(page)).to_be_disabled()
    places(page).select_option("Senate Square")
    request_button(page).click()
    expect(page.locator("#panel-title")).to_have_text("Requested")
    [sent] = visitor.posted
    assert sent["pickup"] == SENATE_SQUARE
    assert page.url.endswith(f"?ride={sent['id']}")


def test_a_point_of_the_map_is_chosen_by_pointer(page: Page, visitor: FakeSuite) -> None:
    visitor.open()
    box = page.locator(".map svg").bounding_box()
    assert box
    # The railway square, 60.1712 N 24.9441 E; the map is 24.9351762 to 24.9534145, 60.164155 to 60.179113.
    across, down = (24.9441 - 24.9351762) / 0.0182383, (60.179113 - 60.1712) / 0.014958
    page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])
    expect(page.locator("#chosen")).to_have_text("Railway Square")
    request_button(page).click()
    expect(page.locator("#panel-title")).to_have_text("Requested")
    assert visitor.posted[0]["pickup"]["latitude"] == pytest.approx(60.1712, abs=NEAR)
    assert visitor.posted[0]["pickup"]["longitude"] == pytest.approx(24.9441, abs=2 * NEAR)


def test_a_point_of_the_map_is_chosen_by_keys(page: Page, visitor: FakeSuite) -> None:
    visitor.open()
    page.get_by_role("application", name="Map of central Helsinki").focus()
    expect(page.locator(".cross")).to_be_visible()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowUp")
    expect(sentence(page)).to_contain_text("Under the crosshair:")
    page.keyboard.press("Enter")
    request_button(page).click()
    expect(page.locator("#panel-title")).to_have_text("Requested")
    pickup = visitor.posted[0]["pickup"]
    # From the map's middle 200 m to the east, where a degree is 55.3 km, and 20 m to the north: 111.2 km.
    assert pickup["longitude"] == pytest.approx(24.9442954 + 200 / 55_310, abs=NEAR)
    assert pickup["latitude"] == pytest.approx(60.171634 + 20 / 111_195, abs=NEAR / 2)


def test_a_point_is_chosen_where_the_map_cannot_be_loaded(page: Page, visitor: FakeSuite) -> None:
    page.route("**/map.json", lambda route: route.abort())
    visitor.open()
    page.get_by_role("application", name="Map of central Helsinki").press("Enter")
    expect(page.locator("#chosen")).to_have_text("60.1716, 24.9443")
    request_button(page).click()
    expect(page.locator("#panel-title")).to_have_text("Requested")
    expect(page.locator(".facts")).to_contain_text("60.1716, 24.9443")


def test_own_position_is_asked_for_on_request_alone(page: Page, visitor: FakeSuite) -> None:
    page.context.grant_permissions(["geolocation"])
    page.context.set_geolocation({"latitude": 60.17046, "longitude": 24.9522})
    visitor.open()
    expect(page.locator("#chosen")).to_have_text("No place yet")
    page.get_by_role("button", name="Use my position").click()
    expect(page.locator("#chosen")).to_have_text("Helsinki Cathedral")
    page.context.set_geolocation({"latitude": 48.2, "longitude": 16.37})
    page.get_by_role("button", name="Use my position").click()
    expect(sentence(page)).to_have_text("You are not on this map. Choose a place on it.")


def test_a_double_click_is_one_ride(page: Page, visitor: FakeSuite) -> None:
    visitor.open()
    places(page).select_option("Kiasma Museum")
    request_button(page).evaluate("button => { button.click(); button.click(); }")  # faster than anybody
    expect(page.locator("#panel-title")).to_have_text("Requested")
    assert len({sent["id"] for sent in visitor.posted}) == len(visitor.rides) == 1


def test_a_request_without_an_answer_is_sent_again_after_a_reload(page: Page, visitor: FakeSuite) -> None:
    visitor.status = 0
    visitor.open()
    places(page).select_option("Senate Square")
    request_button(page).click()
    expect(page.locator("#connection")).to_contain_text("goes on trying")
    visitor.status = 200
    page.reload()
    expect(page.locator("#panel-title")).to_have_text("Requested")
    assert len(visitor.posted) > 1
    assert len({sent["id"] for sent in visitor.posted}) == len(visitor.rides) == 1
    assert page.evaluate("() => sessionStorage.getItem('rides.pending')") is None


def test_a_refused_request_is_not_sent_again(page: Page, visitor: FakeSuite) -> None:
    visitor.status = 409
    visitor.open()
    places(page).select_option("Senate Square")
    request_button(page).click()
    expect(sentence(page)).to_have_text("Rides cannot be served now.")
    expect(request_button(page)).to_be_enabled()
    assert len(visitor.posted) == 1


def test_a_request_that_was_discarded_on_its_way_is_not_sent_again(page: Page, visitor: FakeSuite) -> None:
    held: list[Route] = []
    page.route("**/fake/live/v1/rides", lambda route: held.append(route))
    visitor.open()
    places(page).select_option("Senate Square")
    request_button(page).click()
    page.get_by_role("button", name="Discard the request").click()
    expect(request_button(page)).to_be_disabled()
    [sent] = held
    sent.abort()
    expect(request_button(page)).to_be_enabled()
    page.wait_for_timeout(2500)  # longer than between two attempts
    assert len(held) == 1
    page.unroute("**/fake/live/v1/rides")
    request_button(page).click()
    expect(page.locator("#panel-title")).to_have_text("Requested")


def test_a_request_of_somebody_else_is_not_sent(page: Page, visitor: FakeSuite) -> None:
    """Of whoever was signed in before, in the same tab."""
    visitor.status = 0
    visitor.open()
    places(page).select_option("Senate Square")
    request_button(page).click()
    expect(page.locator("#connection")).to_contain_text("goes on trying")
    page.evaluate(
        """() => {
          const session = JSON.parse(sessionStorage.getItem("visit.session"));
          sessionStorage.setItem("visit.session", JSON.stringify({ ...session, email: "bob@example.org" }));
        }"""
    )
    visitor.status = 200
    visitor.posted.clear()
    page.reload()
    expect(page.locator("#panel-title")).to_have_text("Where do you wait?")
    expect(page.locator("#history")).to_be_visible()
    assert visitor.posted == []


def test_a_stranger_chooses_before_signing_in(page: Page, api: FakeSuite) -> None:
    api.open()
    places(page).select_option("Senate Square")
    page.get_by_role("button", name="Sign in to request a unicorn").click()
    expect(page).to_have_title("The hosted sign-in")
    assert "client_id=visitors" in page.url
    assert re.search(r"redirect_uri=http%3A%2F%2F127\.0\.0\.1%3A\d+%2Frides%2F&", page.url)
    page.go_back()
    expect(page.locator("#chosen")).to_have_text("Senate Square")
    assert api.posted == []


# ------------------------------------------------------------------------------------------------ a ride


def test_a_ride_is_followed_to_its_receipt(page: Page, visitor: FakeSuite) -> None:
    ride = a_ride()
    visitor.rides = {ride["id"]: ride}
    visitor.open(f"?ride={ride['id']}")
    said = ["Looking for a free unicorn", "is yours", "is on its way", "over the roofs", "You are back"]
    for state, words in zip(STEPS, said, strict=True):
        visitor.rides[ride["id"]] = a_ride(state)
        expect(sentence(page)).to_contain_text(words)
        expect(page.locator("[aria-current=step]")).to_contain_text(state.capitalize())
    expect(page.locator(".receipt .total")).to_contain_text("$4.30")
    expect(page.locator("#history tbody")).to_contain_text("$4.30")
    expect(sentence(page)).to_have_attribute("role", "status")


def test_the_unicorn_flies_from_its_start_to_the_visitor(page: Page, visitor: FakeSuite) -> None:
    now = time.time()
    ride = a_ride("arriving", arrives=now + 6)
    ride["moments"]["arriving"] = now
    visitor.rides = {ride["id"]: ride}
    visitor.open(f"?ride={ride['id']}")
    # The start is 177 m from the map's west, the pick-up place 978 m; the unicorn stays clear of the edge.
    expect(page.locator(".unicorn")).to_be_visible()
    seen = [unicorn_at(page)[0]]
    while seen[-1] < 950 and len(seen) < 100:
        page.wait_for_timeout(100)
        seen.append(unicorn_at(page)[0])
    assert 170 < seen[0] < 700
    assert seen == sorted(seen)
    assert len(set(seen)) > 10
    assert seen[-1] == pytest.approx(953.7, abs=5)
    page.wait_for_timeout(1500)
    assert unicorn_at(page)[1] == pytest.approx(1068, abs=3)


def test_reduced_motion_makes_the_unicorn_jump(page: Page, visitor: FakeSuite) -> None:
    page.emulate_media(reduced_motion="reduce")
    ride = a_ride("arriving")
    visitor.rides = {ride["id"]: ride}
    visitor.open(f"?ride={ride['id']}")
    expect(page.locator(".unicorn")).to_be_visible()
    seen = set()
    for _ in range(15):
        seen.add(unicorn_at(page))
        page.wait_for_timeout(100)
    visitor.rides[ride["id"]] = a_ride("riding")
    expect(sentence(page)).to_contain_text("over the roofs")
    for _ in range(15):
        seen.add(unicorn_at(page))
        page.wait_for_timeout(100)
    assert len(seen) == 2  # where it started, and where it picked up


def test_a_name_with_markup_stays_text(page: Page, visitor: FakeSuite) -> None:
    name = "<img src=x onerror=window.hit=1><script>window.hit=1</script>"
    ride = a_ride("done")
    ride["unicorn"] |= {"name": name, "colour": '"><b>'}
    visitor.rides = {ride["id"]: ride}
    visitor.open(f"?ride={ride['id']}")
    expect(page.locator(".receipt")).to_contain_text(name)
    expect(page.locator("#history tbody")).to_contain_text(name)
    assert page.locator("main img, main script:not([src]), main b").count() == 0
    assert page.evaluate("() => window.hit") is None


def test_a_ride_is_cancelled_while_it_may_be(page: Page, visitor: FakeSuite) -> None:
    ride = a_ride("arriving")
    visitor.rides = {ride["id"]: ride}
    visitor.open(f"?ride={ride['id']}")
    visitor.too_late = True
    page.get_by_role("button", name="Cancel the ride").click()
    expect(sentence(page)).to_have_text("Too late to cancel: the ride has begun.")
    visitor.too_late = False
    page.get_by_role("button", name="Cancel the ride").click()
    expect(page.locator("#panel-title")).to_have_text("Cancelled")
    expect(page.locator("#history tbody")).to_contain_text("Cancelled")
    expect(page.get_by_role("button", name="Cancel the ride")).to_have_count(0)


def test_the_focus_stays_in_the_panel_when_a_ride_goes_on(page: Page, visitor: FakeSuite) -> None:
    ride = a_ride("arriving")
    visitor.rides = {ride["id"]: ride}
    visitor.open(f"?ride={ride['id']}")
    page.get_by_role("button", name="Cancel the ride").focus()
    visitor.rides[ride["id"]] = a_ride("riding")
    expect(page.locator("#panel-title")).to_have_text("Riding")
    expect(page.locator("#panel-title")).to_be_focused()


def test_a_ride_that_has_begun_cannot_be_cancelled(page: Page, visitor: FakeSuite) -> None:
    ride = a_ride("riding")
    visitor.rides = {ride["id"]: ride}
    visitor.open(f"?ride={ride['id']}")
    expect(page.locator("#panel-title")).to_have_text("Riding")
    expect(page.get_by_role("button", name="Cancel the ride")).to_have_count(0)


def test_an_unserved_visitor_is_told_when_to_ask_again(page: Page, visitor: FakeSuite) -> None:
    ride = a_ride("unserved")
    visitor.rides = {ride["id"]: ride}
    visitor.open(f"?ride={ride['id']}")
    again = page.get_by_role("button", name="Try again")
    expect(page.locator("#eta")).to_have_text(re.compile(r"[1-3] s"))
    expect(again).to_be_disabled()
    expect(again).to_be_enabled()
    expect(sentence(page)).to_have_text("A unicorn may be free now.")
    again.click()
    expect(page.locator("#panel-title")).to_have_text("Requested")
    [sent] = visitor.posted
    assert sent["pickup"] == ride["pickup"]
    assert sent["id"] != ride["id"]


def test_a_browser_whose_clock_is_wrong_counts_down_rightly(page: Page, visitor: FakeSuite) -> None:
    """The API is an hour ahead."""
    ride = a_ride("unserved", now=time.time() + 3600)
    ride["moments"] = {state: moment + 3600 for state, moment in ride["moments"].items()}
    visitor.rides = {ride["id"]: ride}
    visitor.open(f"?ride={ride['id']}")
    expect(page.locator("#eta")).to_have_text(re.compile(r"^[0-3] s"))
    expect(page.get_by_role("button", name="Try again")).to_be_enabled()


def test_another_try_without_an_answer_is_sent_again_after_a_reload(page: Page, visitor: FakeSuite) -> None:
    ride = a_ride("unserved", retry_after=0)
    visitor.rides = {ride["id"]: ride}
    visitor.open(f"?ride={ride['id']}")
    expect(page.get_by_role("button", name="Try again")).to_be_enabled()
    visitor.status = 0
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#connection")).to_contain_text("goes on trying")
    visitor.status = 200
    page.reload()
    expect(page.locator("#panel-title")).to_have_text("Requested")
    assert len({sent["id"] for sent in visitor.posted}) == 1


def test_an_offline_page_says_so_and_catches_up(page: Page, visitor: FakeSuite) -> None:
    ride = a_ride("arriving")
    visitor.rides = {ride["id"]: ride}
    visitor.open(f"?ride={ride['id']}")
    expect(page.locator("#panel-title")).to_have_text("Arriving")
    visitor.status = 0
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_contain_text("You are offline.")
    expect(page.locator("#panel-title")).to_have_text("Arriving")
    visitor.status = 200
    visitor.rides[ride["id"]] = a_ride("done")
    page.context.set_offline(False)
    expect(page.locator("#panel-title")).to_have_text("Welcome back")
    expect(page.locator("#connection")).to_be_hidden()


def test_an_unreachable_api_is_asked_again(page: Page, visitor: FakeSuite) -> None:
    ride = a_ride("arriving")
    visitor.rides = {ride["id"]: ride}
    visitor.open(f"?ride={ride['id']}")
    expect(page.locator("#panel-title")).to_have_text("Arriving")
    visitor.status = 503
    expect(page.locator("#connection")).to_contain_text("cannot be reached just now")
    visitor.status = 200
    expect(page.locator("#connection")).to_be_hidden()


def test_the_back_button_leads_from_the_ride_to_the_request(page: Page, visitor: FakeSuite) -> None:
    visitor.open()
    places(page).select_option("Senate Square")
    request_button(page).click()
    expect(page.locator("#panel-title")).to_have_text("Requested")
    page.go_back()
    expect(page.locator("#panel-title")).to_have_text("Where do you wait?")
    page.go_forward()
    expect(page.locator("#panel-title")).to_have_text("Requested")
    assert len(visitor.rides) == len(visitor.posted) == 1


def test_somebody_elses_ride_is_none(page: Page, visitor: FakeSuite) -> None:
    visitor.open(f"?ride={a_ride()['id']}")
    expect(page.locator("#panel-title")).to_have_text("No such ride")


@pytest.mark.parametrize("ride", ["1", "..", ".", "%3Flimit=1", "../../other", "x/cancel"])
def test_what_is_no_ride_is_not_asked_for(page: Page, visitor: FakeSuite, ride: str) -> None:
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url) if "/fake/live" in sent.url else None)
    visitor.open(f"?ride={ride}")
    expect(page.locator("#panel-title")).to_have_text("No such ride")
    expect(page.locator("#history")).to_be_visible()
    assert {url.partition("/fake/live")[2] for url in asked} == {"/v1/rides?limit=5"}


def test_who_signs_in_next_sees_nothing_of_the_ride(page: Page, visitor: FakeSuite) -> None:
    ride = a_ride("arriving")
    visitor.rides = {ride["id"]: ride}
    visitor.open(f"?ride={ride['id']}")
    expect(page.locator(".unicorn")).to_be_visible()
    visitor.rides = {}
    page.evaluate("() => new BroadcastChannel('visit').postMessage({ ended: true })")  # in another tab
    expect(page.locator("#panel-title")).to_have_text("Sign in to follow your ride")
    for mark in (".unicorn", ".pin"):
        expect(page.locator(mark)).to_be_hidden()
    page.evaluate(
        """() => new BroadcastChannel('visit').postMessage({ session: {
          token: 'e30.e30.x', refresh: 'x', email: 'bob@example.org', expires: Date.now() + 3600000 } })"""
    )
    expect(page.locator("#panel-title")).to_have_text("No such ride")
    expect(page.locator(".unicorn")).to_be_hidden()


def test_a_cancellation_is_not_shown_elsewhere(page: Page, visitor: FakeSuite) -> None:
    ride = a_ride("arriving")
    visitor.rides = {ride["id"]: ride}
    held: list[Route] = []
    page.route("**/cancel", lambda route: held.append(route))
    visitor.open(f"?ride={ride['id']}")
    page.get_by_role("button", name="Cancel the ride").click()
    page.evaluate("() => history.pushState(null, '', location.pathname)")
    page.evaluate("() => window.dispatchEvent(new PopStateEvent('popstate'))")
    expect(page.locator("#panel-title")).to_have_text("Where do you wait?")
    [sent] = held
    sent.fallback()
    expect(page.locator("#history tbody")).to_contain_text("Cancelled")
    expect(page.locator("#panel-title")).to_have_text("Where do you wait?")


# ------------------------------------------------------------------------------------------------ the session


def test_an_old_token_is_renewed_in_mid_ride(page: Page, api: FakeSuite) -> None:
    ride = a_ride("arriving")
    api.rides = {ride["id"]: ride}
    api.sign_in(seconds=1)
    api.open(f"?ride={ride['id']}")
    expect(page.locator("#panel-title")).to_have_text("Arriving")
    assert api.renewals == 1


def test_an_ended_session_leads_to_the_sign_in_and_back_to_the_ride(page: Page, api: FakeSuite) -> None:
    ride = a_ride("arriving")
    api.rides = {ride["id"]: ride}
    api.renews = False
    api.sign_in(seconds=1)
    api.open(f"?ride={ride['id']}")
    expect(page.locator("#panel-title")).to_have_text("Sign in to follow your ride")
    page.locator("#content").get_by_role("button", name="Sign in").click()
    expect(page).to_have_title("The hosted sign-in")
    state = re.findall("state=([^&]+)", page.url)[0]
    api.renews = True
    api.open(f"?code=once&state={state}")
    expect(page.locator("#panel-title")).to_have_text("Arriving")
    assert page.url.endswith(f"/rides/?ride={ride['id']}")


def test_a_request_is_kept_over_the_sign_in(page: Page, visitor: FakeSuite) -> None:
    visitor.open()
    places(page).select_option("Senate Square")
    page.evaluate(
        """() => {
          const { refresh, ...session } = JSON.parse(sessionStorage.getItem("visit.session"));
          sessionStorage.setItem("visit.session", JSON.stringify({ ...session, expires: Date.now() - 1 }));
        }"""
    )
    request_button(page).click()
    expect(page.locator("#panel-title")).to_have_text("Sign in to request your unicorn")
    assert visitor.posted == []
    page.locator("#content").get_by_role("button", name="Sign in").click()
    expect(page).to_have_title("The hosted sign-in")
    state = re.findall("state=([^&]+)", page.url)[0]
    visitor.open(f"?code=once&state={state}")
    expect(page.locator("#panel-title")).to_have_text("Requested")
    assert [sent["pickup"] for sent in visitor.posted] == [SENATE_SQUARE]


def test_the_bar_shows_the_visitors_session_alone(page: Page, api: FakeSuite) -> None:
    api.sign_in(name="sign-in")  # an operator
    api.open()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    expect(page.locator(".who")).to_have_count(0)
    page.goto(f"{api.pages}/auth/")
    expect(page.locator(".who")).to_have_text("ada@example.org")


# ------------------------------------------------------------------------------------------------ accounts


def test_an_account_is_registered_and_confirmed(page: Page, api: FakeSuite) -> None:
    api.open()
    page.get_by_role("button", name="Create an account").click()
    page.get_by_label("Email address").fill(" ada@example.org ")
    page.get_by_label("Password", exact=True).fill("a long enough one")
    page.get_by_label("Password", exact=True).press("Enter")
    expect(page.locator("#panel-title")).to_have_text("Confirm your address")
    expect(page.get_by_label("Email address")).to_have_value("ada@example.org")
    page.get_by_role("button", name="Send a new code").click()
    expect(page.get_by_role("alert")).to_have_text("A new code is on its way.")
    page.get_by_label("Code from the mail").fill("123456")
    page.get_by_role("button", name="Confirm", exact=True).click()
    expect(page.locator("#panel-title")).to_have_text("Your account is ready")
    who = {"ClientId": "visitors", "Username": "ada@example.org"}
    assert api.called == [
        ("SignUp", who | {"Password": "a long enough one", "UserAttributes": [EMAIL]}),
        ("ResendConfirmationCode", who),
        ("ConfirmSignUp", who | {"ConfirmationCode": "123456"}),
    ]
    page.locator("#content").get_by_role("button", name="Sign in").click()
    expect(page).to_have_title("The hosted sign-in")
    page.go_back()
    expect(page.locator("#panel-title")).to_have_text("Where do you wait?")


def test_a_forgotten_password_is_set_anew(page: Page, api: FakeSuite) -> None:
    api.open("?account=forgot")
    page.get_by_label("Email address").fill("ada@example.org")
    page.get_by_role("button", name="Send a code").click()
    page.get_by_label("Code from the mail").fill("654321")
    page.get_by_label("Password", exact=True).fill("another long one")
    page.get_by_role("button", name="Set the password").click()
    expect(page.locator("#panel-title")).to_have_text("Your account is ready")
    who = {"ClientId": "visitors", "Username": "ada@example.org"}
    assert api.called == [
        ("ForgotPassword", who),
        ("ConfirmForgotPassword", who | {"ConfirmationCode": "654321", "Password": "another long one"}),
    ]


def test_no_password_is_kept_in_the_browser(page: Page, api: FakeSuite) -> None:
    api.refused = {"SignUp": ("LimitExceededException", "Attempt limit exceeded")}
    api.open("?account=register")
    page.get_by_label("Email address").fill("ada@example.org")
    page.get_by_label("Password", exact=True).fill("a long enough one")
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_role("alert")).to_contain_text("tried too often")
    kept = page.evaluate("() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, location.href])")
    assert "long enough" not in kept
    assert json.loads(kept)[0]["visit.email"] == "ada@example.org"


def test_what_was_entered_offline_is_still_there_when_the_connection_is_back(
    page: Page, api: FakeSuite
) -> None:
    api.open("?account=register")
    page.context.set_offline(True)
    page.route("**/fake/identity", lambda route: route.abort(), times=1)
    page.get_by_label("Email address").fill("ada@example.org")
    page.get_by_label("Password", exact=True).fill("a long enough one")
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_role("alert")).to_contain_text("What you entered is still here")
    page.context.set_offline(False)
    expect(page.locator("#connection")).to_be_hidden()
    expect(page.get_by_label("Password", exact=True)).to_have_value("a long enough one")
    page.get_by_role("button", name="Create the account").click()
    expect(page.locator("#panel-title")).to_have_text("Confirm your address")


POLICY = "Password did not conform with policy: Password not long enough"
CONFIRMED = "User cannot be confirmed. Current status is CONFIRMED"
CODE = "Code from the mail"
# Codes as the API reference of each operation names them; the messages matter in two of them.
REFUSALS = [
    ("register", "UsernameExistsException", "x", "an account with this address already", "Email address"),
    ("register", "InvalidPasswordException", POLICY, "stronger password: password not long", "Password"),
    ("register", "CodeDeliveryFailureException", "x", "could not be sent", "Email address"),
    ("register", "InvalidParameterException", "x", "Check what you entered", None),
    ("register", "TooManyRequestsException", "x", "Try again in a moment", None),
    ("register", "UserLambdaValidationException", "x", "That did not work", None),
    ("confirm", "CodeMismatchException", "x", "This is not the code", CODE),
    ("confirm", "ExpiredCodeException", "x", "has expired", CODE),
    ("confirm", "NotAuthorizedException", CONFIRMED, "confirmed already", None),
    ("confirm", "TooManyFailedAttemptsException", "x", "too many wrong codes", CODE),
    ("confirm", "UserNotFoundException", "x", "There is no account", "Email address"),
    ("forgot", "LimitExceededException", "x", "quarter of an hour", None),
    ("reset", "PasswordHistoryPolicyViolationException", "x", "used this password before", "Password"),
]
OPERATIONS = {
    "register": "SignUp",
    "confirm": "ConfirmSignUp",
    "forgot": "ForgotPassword",
    "reset": "ConfirmForgotPassword",
}


@pytest.mark.parametrize(("form", "code", "message", "words", "field"), REFUSALS)
def test_each_refusal_is_a_sentence(
    page: Page, api: FakeSuite, form: str, code: str, message: str, words: str, field: str | None
) -> None:
    api.refused = {OPERATIONS[form]: (code, message)}
    api.open(f"?account={form}")
    page.get_by_label("Email address").fill("ada@example.org")
    for label, value in (("Code from the mail", "000000"), ("Password", "a long enough one")):
        if page.get_by_label(label, exact=True).count():
            page.get_by_label(label, exact=True).fill(value)
    page.locator("form button:not([type])").click()
    expect(page.get_by_role("alert")).to_contain_text(words)
    invalid = page.locator("[aria-invalid=true]")
    if field is None:
        expect(invalid).to_have_count(0)
    else:
        expect(page.get_by_label(field, exact=True)).to_be_focused()
        expect(invalid).to_have_count(1)


@pytest.mark.parametrize("name", ["constructor", "toString", "", "unknown"])
def test_a_form_that_is_none_is_the_request(page: Page, api: FakeSuite, name: str) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    api.open(f"?account={name}")
    expect(page.locator("#panel-title")).to_have_text("Where do you wait?")
    expect(page.locator("#map")).to_be_visible()


def test_who_comes_back_from_the_sign_in_to_a_form_has_the_map(page: Page, visitor: FakeSuite) -> None:
    """The sign-in of the bar leads back to the address on which it began."""
    page.set_viewport_size({"width": 390, "height": 800})
    visitor.open("?account=register")
    expect(request_button(page)).to_be_visible()
    expect(page.locator("#map")).to_be_visible()


def test_an_unconfirmed_account_is_confirmed_first(page: Page, api: FakeSuite) -> None:
    api.refused = {"ForgotPassword": ("UserNotConfirmedException", "User is not confirmed.")}
    api.open("?account=forgot")
    page.get_by_label("Email address").fill("ada@example.org")
    page.get_by_role("button", name="Send a code").click()
    expect(page.locator("#panel-title")).to_have_text("Confirm your address")


def test_a_password_can_be_shown(page: Page, api: FakeSuite) -> None:
    api.open("?account=register")
    password = page.get_by_label("Password", exact=True)
    expect(password).to_have_attribute("type", "password")
    page.get_by_label("Show the password").check()
    expect(password).to_have_attribute("type", "text")
    assert password.get_attribute("autocomplete") == "new-password"


def test_a_deployment_without_rides_says_so(page: Page, pages: str) -> None:
    page.route("**/config.json", lambda route: route.fulfill(body="{}", content_type="application/json"))
    page.goto(f"{pages}/rides/")
    expect(page.locator("#panel-title")).to_have_text("No rides here")
