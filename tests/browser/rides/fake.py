"""An API of rides that answers as a test says, for the page alone."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import Page, Route

from tests.browser.visitors import FakeVisitors

__all__ = ["SENATE_SQUARE", "FakeSuite", "a_ride"]

SENATE_SQUARE = {"latitude": 60.16951, "longitude": 24.95287}
STEPS = ("requested", "assigned", "arriving", "riding", "done")


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


class FakeSuite(FakeVisitors):
    """What stands behind the page.

    Attributes:
        rides: By id, as the API shows them; a request adds one.
        posted: Bodies of requests for rides, each time one is sent.
        status: With which requests for rides and questions about them are answered; 0 is no answer.
        too_late: Whether a ride can be cancelled no more.
    """

    path = "rides/"

    def __init__(self, page: Page, pages: str) -> None:
        super().__init__(page, pages)
        self.rides: dict[str, dict[str, Any]] = {}
        self.posted: list[dict[str, Any]] = []
        self.status = 200
        self.too_late = False
        self.config["RidesApiUrl"] = f"{self.api}/live"
        page.route("**/fake/live/**", self._api)

    def _api(self, route: Route) -> None:
        request = route.request
        path = request.url.partition("/live")[2].partition("?")[0]
        if request.method == "POST" and path == "/v1/rides":
            self.posted.append(dict(request.post_data_json or {}))
        if self.status == 0:
            route.abort()
        elif self.status != 200:
            self.answer(route, self.status, {"code": "x", "message": "Rides cannot be served now."})
        elif request.method == "POST":
            self.answer(route, *self._post(path, request.post_data_json))
        elif path == "/v1/rides":
            self.answer(route, 200, {"rides": list(reversed(self.rides.values()))[:5]})
        else:
            ride = self.rides.get(path.rpartition("/")[2])
            self.answer(route, 200 if ride else 404, ride or {"code": "unknown_ride", "message": "None."})

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
