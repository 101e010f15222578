"""Takes a ride from one state to the next, for the state machine.

Trigger: Step Functions, statemachines/rides.asl.json, a task for each step.
Input: `{"step", "visitor", "ride"}`; a step is `assign`, `depart`, `pick_up`, `finish` or `fail`.
Output: `{"visitor", "ride", "state", "arrives_at", "ends_at"}`: the ride as it is after the step.
On failure: raises, and the state machine tries again; after its last try it takes the step `fail`, which
    frees the unicorn.
Idempotent: a step is a write on the condition that the ride is in the state before it; done again it changes
    nothing and answers what there is, so a machine that is started twice, or beside a cancellation, ends
    well.
Recorded event: events/rides/progress_assign.json
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.events import ForeignEventError
from shared.metrics import count, publishes_metrics
from shared.transactions import ConflictingWriteError

from .dispatch import assign
from .model import OPEN, Ride, State
from .settings import RideSettings
from .storage import Storage

__all__ = ["handler"]

logger = Logger()


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Take a step of a ride.

    Raises:
        ForeignEventError: It names no step, or no ride that there is: trying again changes nothing.
    """
    settings = RideSettings.from_env()
    storage = Storage(settings.rides_table, settings.fleet_table, settings.ride_days)
    step = event.get("step")
    ride = storage.ride(str(event.get("visitor")), str(event.get("ride")))
    if ride is None or step not in _STEPS:
        raise ForeignEventError("no such ride" if ride is None else "no such step")
    now = time.time()
    try:
        after = _STEPS[step](storage, ride, settings, now)
    except ConflictingWriteError:  # cancelled meanwhile, or another start of the machine was faster
        after = storage.ride(ride.visitor, ride.id) or ride
    if after.state in _METRICS and after.moments.get(after.state, 0) >= now:  # this step's own doing
        count(_METRICS[after.state])
    logger.info("step", step=step, before=ride.state, after=after.state)
    return {
        "visitor": after.visitor,
        "ride": after.id,
        "state": after.state,
        "arrives_at": _iso(after.arrives),
        "ends_at": _iso(after.ends),
    }


def _assign(storage: Storage, ride: Ride, settings: RideSettings, now: float) -> Ride:  # noqa: ARG001
    return assign(storage, ride, settings.metres_per_second)


def _move(before: State, after: State) -> Callable[[Storage, Ride, RideSettings, float], Ride]:
    def step(storage: Storage, ride: Ride, settings: RideSettings, now: float) -> Ride:  # noqa: ARG001
        return storage.move(ride, after, now) if ride.state == before else ride

    return step


def _finish(storage: Storage, ride: Ride, settings: RideSettings, now: float) -> Ride:  # noqa: ARG001
    return storage.end(ride, "done", now, ride.pickup) if ride.state == "riding" else ride


def _fail(storage: Storage, ride: Ride, settings: RideSettings, now: float) -> Ride:  # noqa: ARG001
    return storage.end(ride, "failed", now) if ride.state in OPEN else ride


_STEPS: dict[Any, Callable[[Storage, Ride, RideSettings, float], Ride]] = {
    "assign": _assign,
    "depart": _move("assigned", "arriving"),
    "pick_up": _move("arriving", "riding"),
    "finish": _finish,
    "fail": _fail,
}


_METRICS: dict[State, str] = {
    "assigned": "RidesAssigned",
    "arriving": "RidesArriving",
    "riding": "RidesBegun",
    "done": "RidesDone",
    "unserved": "RidesUnserved",
    "failed": "RidesFailed",
}


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
