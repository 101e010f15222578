"""An API of rides and a user API that answer as a test says, for the page alone."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from playwright.sync_api import Page, Route

__all__ = ["SENATE_SQUARE", "FakeSuite", "a_ride", "token_of"]

SENATE_SQUARE = {"latitude": 60.16951, "longitude": 24.95287}
_HEADERS = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"}
STEPS = ("requested", "assigned", "arriving", "riding", "done")


def token_of(email: str, *, seconds: float = 3600) -> str:
    """An ID token as pages read it; nobody checks its signature here."""
    claims = json.dumps({"email": email, "exp": int(time.time() + seconds)}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.x"


def a_ride(state: str = "requested", **more: Any) -> dict[str, Any]:
    """A ride as the API shows it, in a state; it has had each state before that for two seconds."""
    now = time.time()
    past = STEPS[: STEPS.index(state) + 1] if state in STEPS else ("requested", state)
    moments = {step: now - 2 * (len(past) - 1 - place) for place, step in enumerate(past)}
    ride: dict[str, Any] = {"id": "0" * 8 + "-0000-4000-8000-" + "0" * 12, "state": state,
                            "pickup": SENATE_SQUARE, "moments": moments}  # fmt: skip
    if len(past) > 1 and state in STEPS:
        unicorn = {"name": "Aurora", "colour": "rose", "start": {"latitude": 60.1699, "longitude": 24.9384}}
        ride |= {"unicorn": unicorn, "arrives": now + 20, "ends": now + 60}
    if state == "unserved":
        ride["retry_after"] = 3
    if state == "done":
        ride["receipt"] = {"cents": 430, "currency": "USD"}
    return ride | more


class FakeSuite:
    """What stands behind the page.

    Attributes:
        rides: By id, as the API shows them; a request adds one.
        posted: Bodies of requests for rides, each time one is sent.
        status: With which requests for rides and questions about them are answered; 0 is no answer.
        refused: By operation of the user API, with which code and message it refuses.
        called: Operations of the user API, with what they were sent.
        renewals: How often a refresh token was redeemed.
        renews: Whether it can be.
    """

    def __init__(self, page: Page, pages: str) -> None:
        self.page, self.pages = page, pages
        self.rides: dict[str, dict[str, Any]] = {}
        self.posted: list[dict[str, Any]] = []
        self.status = 200
        self.refused: dict[str, tuple[str, str]] = {}
        self.called: list[tuple[str, dict[str, Any]]] = []
        self.renewals = 0
        self.renews = True
        self.too_late = False
        api = f"{pages}/fake"
        config = {"RidesApiUrl": f"{api}/live", "VisitorsIdentityUrl": f"{api}/identity",
                  "VisitorsSignInUrl": f"{api}/sign-in", "VisitorsUserPoolClientId": "visitors",
                  "SignInUrl": f"{api}/operators", "UserPoolClientId": "operators"}  # fmt: skip
        page.route("**/config.json", lambda route: self._answer(route, 200, config))
        page.route("**/fake/live/**", self._api)
        page.route("**/fake/identity", self._identity)
        page.route("**/fake/*/oauth2/token", self._token)
        page.route("**/fake/*/oauth2/authorize*", lambda route: self._page(route, "The hosted sign-in"))

    def sign_in(self, *, name: str = "visit", seconds: float = 3600, refresh: str = "refresh-token") -> None:
        """Have a session in the tab, as after the hosted sign-in, from the next page on."""
        session = {"token": token_of("ada@example.org", seconds=seconds), "refresh": refresh,
                   "email": "ada@example.org", "expires": (time.time() + seconds) * 1000}  # fmt: skip
        kept = f"sessionStorage.setItem('{name}.session', '{json.dumps(session)}')"
        self.page.add_init_script(f"if (!sessionStorage.tested) {kept}; sessionStorage.tested = 1;")

    def open(self, search: str = "") -> None:
        """Go to the page."""
        self.page.goto(f"{self.pages}/rides/{search}")

    def _answer(self, route: Route, status: int, body: Any) -> None:
        route.fulfill(status=status, body=json.dumps(body), content_type="application/json", headers=_HEADERS)

    def _page(self, route: Route, text: str) -> None:
        route.fulfill(status=200, body=f"<title>{text}</title><h1>{text}</h1>", content_type="text/html")

    def _api(self, route: Route) -> None:
        request = route.request
        path = request.url.partition("/live")[2].partition("?")[0]
        if request.method == "POST" and path == "/v1/rides":
            self.posted.append(dict(request.post_data_json or {}))
        if self.status == 0:
            route.abort()
        elif self.status != 200:
            self._answer(route, self.status, {"code": "x", "message": "Rides cannot be served now."})
        elif request.method == "POST":
            self._answer(route, *self._post(path, request.post_data_json))
        elif path == "/v1/rides":
            self._answer(route, 200, {"rides": list(reversed(self.rides.values()))[:5]})
        else:
            ride = self.rides.get(path.rpartition("/")[2])
            self._answer(route, 200 if ride else 404, ride or {"code": "unknown_ride", "message": "None."})

    def _post(self, path: str, body: Any) -> tuple[int, Any]:
        if path.endswith("/cancel"):
            ride_id = path.split("/")[-2]
            if self.too_late:
                return 409, {"code": "too_late", "message": "x"}
            self.rides[ride_id] = a_ride("cancelled", id=ride_id)
            return 200, self.rides[ride_id]
        is_new = body["id"] not in self.rides
        self.rides.setdefault(body["id"], a_ride(id=body["id"], pickup=body["pickup"]))
        return 202 if is_new else 200, self.rides[body["id"]]

    def _identity(self, route: Route) -> None:
        operation = route.request.headers["x-amz-target"].partition(".")[2]
        self.called.append((operation, dict(route.request.post_data_json or {})))
        if operation in self.refused:
            code, message = self.refused[operation]
            self._answer(route, 400, {"__type": code, "message": message})
        else:
            self._answer(route, 200, {})

    def _token(self, route: Route) -> None:
        self.renewals += 1
        body = {"id_token": token_of("ada@example.org")} if self.renews else {"error": "invalid_grant"}
        self._answer(route, 200 if self.renews else 400, body)
