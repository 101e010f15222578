"""Takes requests for rides, and tells visitors of theirs, and programs of the fleet.

Trigger: API Gateway REST, proxy integration, behind the Cognito authorizer of the visitors' pool (ID tokens);
    the fleet with an API key of the API portal.
Input: `POST /v1/rides` with `{"id": "<UUID of the client's>", "pickup": {"latitude", "longitude"}}`,
    `GET /v1/rides` (`limit`, `after`), `GET /v1/rides/{id}`, `POST /v1/rides/{id}/cancel`; with a key
    `GET /v1/fleet`.
Output: 202 with the ride that was requested, 200 with rides. A visitor sees their own rides alone: others are
    404. The unicorns are told without rides and visitors; the call is counted (`shared.usage`).
On failure: JSON with a stable code (see `shared.http`); 503 is worth another try, with the same id.
Idempotent: a request is known by the client's id: sent again it is the same ride, with another pick-up place
    409. A ride whose state machine did not start is started by the next request with its id. A cancelled ride
    is cancelled again. A ride that nobody takes further is marked as failed when its visitor looks.
Recorded event: events/rides/api_request.json, api_fleet.json
"""

import base64
import hashlib
import json
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.clients import client
from shared.http import (
    CROSS_ORIGIN_HEADERS,
    Answer,
    BadRequestError,
    BusyError,
    ConflictError,
    Facts,
    NotFoundError,
    Request,
    aws_errors_as_busy,
    json_answer,
    respond,
)
from shared.metrics import count, publishes_metrics
from shared.transactions import ConflictingWriteError
from shared.usage import count_call
from shared.visitors import id_of, is_id, visitor_of

from .geography import Place, distance_m, place_of
from .model import AREA_M, CANCELLABLE, CENTRE, FLEET, OPEN, Ride, cents_of
from .settings import ApiSettings
from .storage import Storage

__all__ = ["handler"]

MAX_BODY_BYTES = 10_240
PAGE = 20
LOST_S = 900
"""Seconds after which a ride that should be over, or assigned, is one that nobody takes further."""


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Answer:  # noqa: ARG001
    """Answer a request about rides."""

    def serve(facts: Facts) -> Answer:
        with aws_errors_as_busy("Rides cannot be served now; try again in a moment."):
            return _serve(event, facts)

    return respond("rides", event, serve, headers=CROSS_ORIGIN_HEADERS)


def _serve(event: dict[str, Any], facts: Facts) -> Answer:
    request = Request.of(event, max_bytes=MAX_BODY_BYTES)
    settings = ApiSettings.from_env()
    storage = Storage(settings.rides_table, settings.fleet_table, settings.ride_days)
    if (request.method, request.resource) == ("GET", "/v1/fleet"):
        answer = _fleet(storage, facts)
        count_call(settings.portal_usage_table, event)
        return answer
    visitor = visitor_of(event)
    routes: dict[tuple[str, str], Callable[[Storage, str, Request, Facts], Answer]] = {
        ("POST", "/v1/rides"): partial(_request, settings.state_machine),
        ("GET", "/v1/rides"): _history,
        ("GET", "/v1/rides/{id}"): _one,
        ("POST", "/v1/rides/{id}/cancel"): _cancel,
    }
    route = routes.get((request.method, request.resource))
    if route is None:
        raise NotFoundError("not_found", "There is nothing here.")
    return route(storage, visitor, request, facts)


def _fleet(storage: Storage, facts: Facts) -> Answer:
    now = time.time()
    unicorns = sorted(storage.fleet() or FLEET, key=lambda unicorn: unicorn.name)
    facts["unicorns"] = len(unicorns)
    shown = [
        {
            "name": unicorn.name,
            "colour": unicorn.colour,
            "place": unicorn.place.shown(),
            "is_free": unicorn.is_free(now),
        }
        for unicorn in unicorns
    ]
    return json_answer(200, {"unicorns": shown})


def _request(machine: str, storage: Storage, visitor: str, request: Request, facts: Facts) -> Answer:
    body = request.json()
    if body.keys() != {"id", "pickup"}:
        raise BadRequestError("bad_request", "A request has an id and a pickup, and nothing else.")
    ride_id = id_of(body["id"])
    pickup = _pickup_of(body["pickup"])
    ride = Ride(visitor, ride_id, "requested", pickup, {"requested": round(time.time(), 3)})
    is_new = storage.request(ride)
    if is_new:
        count("RidesRequested")
    else:
        known = storage.ride(visitor, ride_id)
        if known is None or known.pickup != pickup:
            raise ConflictError("other_request", "There is a ride with this id, from another place.")
        ride = known
    if ride.state == "requested":
        _start(machine, ride)
    facts["is_new"] = is_new
    return json_answer(202 if is_new else 200, _told(ride))


def _start(machine: str, ride: Ride) -> None:
    """Start the state machine of a ride; it is no error that it runs already."""
    states = client("stepfunctions")
    # Names are the machine's own: two visitors may have the same id.
    name = hashlib.sha256(ride.key.encode()).hexdigest()
    given = json.dumps({"visitor": ride.visitor, "ride": ride.id})
    try:
        states.start_execution(stateMachineArn=machine, name=name, input=given)
    except states.exceptions.ExecutionAlreadyExists:
        return


def _history(storage: Storage, visitor: str, request: Request, facts: Facts) -> Answer:
    limit = request.query.get("limit", str(PAGE))
    if not re.fullmatch(r"[1-9][0-9]?", limit) or int(limit) > PAGE:
        raise BadRequestError("bad_request", f"limit must be 1 to {PAGE}.")
    after = request.query.get("after")
    rides, more = storage.history(visitor, int(limit), _position_of(after) if after is not None else None)
    facts["rides"] = len(rides)
    body: dict[str, Any] = {"rides": [_shown(ride) for ride in rides]}
    if more:
        body["after"] = base64.urlsafe_b64encode(json.dumps(more).encode()).decode()
    return json_answer(200, body)


def _position_of(text: str) -> tuple[str, float]:
    """Where a page begins, as an earlier one told it."""
    try:
        position = json.loads(base64.urlsafe_b64decode(text))
    except (ValueError, RecursionError):
        position = None
    match position:
        case [str(ride), int() | float() as moment] if is_id(ride) and 0 <= moment < 1e11:
            return ride, float(moment)
    raise BadRequestError("bad_request", "after must be what an earlier page told.")


def _one(storage: Storage, visitor: str, request: Request, facts: Facts) -> Answer:
    ride = _own(storage, visitor, request)
    if _is_lost(ride, now := time.time()):
        try:
            ride = storage.end(ride, "failed", now)
            count("RidesFailed")
        except ConflictingWriteError:  # it went on after all
            ride = _own(storage, visitor, request)
    facts["state"] = ride.state
    return json_answer(200, _told(ride))


def _is_lost(ride: Ride, now: float) -> bool:
    """Whether the execution of an open ride must be gone: stopped by hand, or failed to the last."""
    return ride.state in OPEN and (ride.ends or ride.moments["requested"]) + LOST_S < now


def _cancel(storage: Storage, visitor: str, request: Request, facts: Facts) -> Answer:
    for _ in range(4):  # it may be assigned, or go on, at the same moment
        ride = _own(storage, visitor, request)
        facts["state"] = ride.state
        if ride.state == "cancelled":
            return json_answer(200, _told(ride))
        if ride.state not in CANCELLABLE:
            raise ConflictError("too_late", "The ride has begun or is over; it cannot be cancelled.")
        try:
            cancelled = storage.end(ride, "cancelled", time.time())
        except ConflictingWriteError:
            continue
        count("RidesCancelled")
        return json_answer(200, _told(cancelled))
    raise BusyError("busy", "The ride is changing; try again in a moment.")


def _own(storage: Storage, visitor: str, request: Request) -> Ride:
    ride_id = request.parameters.get("id", "")
    ride = storage.ride(visitor, ride_id) if is_id(ride_id) else None
    if ride is None:
        raise NotFoundError("unknown_ride", "You have no such ride.")
    return ride


def _pickup_of(value: Any) -> Place:
    """A place where unicorns fly: one far away would have a unicorn for days."""
    pickup = place_of(value)
    if distance_m(pickup, CENTRE) > AREA_M:
        raise BadRequestError("bad_place", "Unicorns fly in the middle of Helsinki alone.")
    return pickup


def _told(ride: Ride) -> dict[str, Any]:
    """A ride, and the moment: a browser's clock may be another one."""
    return _shown(ride) | {"now": round(time.time(), 3)}


def _shown(ride: Ride) -> dict[str, Any]:
    """A ride as its visitor sees it; moments are seconds since the epoch."""
    shown: dict[str, Any] = {
        "id": ride.id,
        "state": ride.state,
        "pickup": ride.pickup.shown(),
        "moments": ride.moments,
    }
    if ride.start:
        shown["unicorn"] = {"name": ride.unicorn, "colour": ride.colour, "start": ride.start.shown()}
        shown |= {"arrives": ride.arrives, "ends": ride.ends}
    if ride.state == "unserved":
        shown["retry_after"] = ride.retry_after
    if ride.state == "done":
        shown["receipt"] = {"cents": cents_of(ride), "currency": "USD"}
    return shown
