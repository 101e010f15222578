"""Drive of the rides: a visitor rides a unicorn, and many ask at once for the few that there are."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

from local.clients.visitor import Visitor
from local.demo.checks import Checks
from local.suite import Suite
from local.waiting import wait

__all__ = ["BESIDE", "FLOW", "PAGE", "STEPS", "drive"]

FLOW = "browser → API → state machine → unicorn → receipt"
PAGE = "rides/"
STEPS = 10
BESIDE = True  # a ride takes its time
_PATIENCE_S = 60.0
_CROWD = 20
_ELSEWHERE = {"latitude": 60.1719, "longitude": 24.9414}


def drive(suite: Suite, checks: Checks) -> None:
    """Ride, request twice, cancel, and have a crowd request."""
    visitor = Visitor(suite)
    requested = visitor.request()
    checks.equal("a request is accepted", requested.status_code, 202)
    ride = requested.json()["id"]
    again = visitor.request(ride=ride)
    checks.equal(
        "the same request again is the same ride", (again.status_code, again.json()["id"]), (200, ride)
    )
    checks.equal("its id with another place is refused", visitor.request(_ELSEWHERE, ride).status_code, 409)
    assigned = visitor.until(ride, "assigned", _PATIENCE_S)
    checks.true("a unicorn is assigned", assigned.get("unicorn"), str(assigned))
    stranger = Visitor(suite)
    checks.equal("another visitor does not see it", stranger.ask("GET", f"/v1/rides/{ride}").status_code, 404)
    done = visitor.until(ride, "done", _PATIENCE_S)
    checks.equal("the ride ends with a receipt", done.get("receipt"), {"cents": 430, "currency": "USD"})
    cancelled = stranger.request().json()["id"]
    answer = stranger.ask("POST", f"/v1/rides/{cancelled}/cancel")
    checks.equal("a ride is cancelled", (answer.status_code, answer.json().get("state")), (200, "cancelled"))

    rides = [str(uuid.uuid4()) for _ in range(_CROWD)]
    with ThreadPoolExecutor(_CROWD) as pool:
        statuses = list(pool.map(lambda each: _requested(stranger, each), rides))
        crowd = list(pool.map(lambda each: stranger.until(each, "assigned", _PATIENCE_S), rides))
    checks.true(f"{_CROWD} requests at once are accepted", {*statuses} <= {200, 202}, str(statuses))
    told = [each for each in crowd if each["state"] == "unserved" and each["retry_after"] >= 5]
    served = [each for each in crowd if "unicorn" in each]
    checks.equal("each has a unicorn, or is told when to try again", len(told) + len(served), _CROWD)
    history = wait(lambda: visitor.ask("GET", "/v1/rides").json()["rides"], 5)
    checks.equal("the history has the visitor's rides alone", [each["id"] for each in history], [ride])


def _requested(visitor: Visitor, ride: str) -> int | None:
    """The answer to a request, which is sent again where there is none, as the page does: 202, or 200 where
    the first was accepted after all."""

    def status() -> int | None:
        found = visitor.request(ride=ride).status_code
        return found if found < 500 else None

    return wait(status, _PATIENCE_S)
