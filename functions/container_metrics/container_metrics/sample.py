"""Samples counters of ECS clusters, and of other sources, at one slot, and publishes them.

Trigger: the state machine `container_metrics`, which invokes it every five seconds, and once more if a whole
    minute is published at once.
Input: `{"slot", "sources": [{"source", "targets"}], "put", "last"}` (see `requests`), or
    `{"readings": [...]}`.
Output: data in CloudWatch at the time of the slot, with a resolution of a second: of each target, and the
    highest of all under `StackName`. The answer says how many, what is missing and why, and has the readings
    that are still to be published. A target that is not there has no numbers, never zeros; its
    `MissingSamples` is 1.
On failure: `UnavailableError` is tried again by the state machine while that is in time. At the last attempt
    targets of a source that cannot be used are missing, and the others are published. A slot that is past by
    more than an interval is not sampled: the numbers would be those of another.
Idempotent: a slot that is sampled twice gets a second sample of the same moment; Average and Maximum stay
    what they are.
Recorded event: events/container_metrics/sample_now.json
"""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import NoRegionError

from shared.clients import client
from shared.events import ForeignEventError

from . import publish
from .describe import by_place, read
from .errors import UnavailableError
from .places import HERE, Home, label
from .readings import Reading, written
from .requests import SlotRequest
from .settings import Settings

__all__ = ["handler"]

LATE = "LATE"
logger = Logger()

# boto3 and its descriptions of services take a fifth of a second of a processor, and a function with 128 MB
# has a fourteenth of one while it works: made in the handler, they let a new environment's first sample come
# seconds late. Initialisation is not held to that share. (Only tests have no region.)
with suppress(NoRegionError):
    HERE.client("ecs")
    client("cloudwatch")


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Sample a slot, or publish the readings of a minute."""
    settings = Settings.from_env()
    if "readings" in event:
        if not isinstance(event["readings"], list):
            raise ForeignEventError("readings must be a list")
        readings = [Reading.from_json(document) for document in event["readings"]]
        return {"put": publish.put(readings, settings.stack_name)}
    now = datetime.now(UTC)
    request = SlotRequest.of(event, now)
    home = Home.of(context.invoked_function_arn, settings.reader_roles)
    readings = _read(request, home, now)
    missing = [row for each in readings for row in each.missing_by_reason()]
    if missing:
        logger.warning("samples missing", slot=written(request.slot), missing=missing)
    put = 0 if request.by_minute else publish.put(readings, settings.stack_name)
    left = [each.to_json() for each in readings] if request.by_minute else []
    return {"slot": written(request.slot), "put": put, "missing": missing, "readings": left}


def _read(request: SlotRequest, home: Home, now: datetime) -> list[Reading]:
    """Read every source in every place; what cannot be used costs the others nothing."""
    late = request.is_late(now)
    readings = []
    for source, targets in request.targets.items():
        for place, some in by_place(targets, home).items():
            reason = LATE if late else home.unreadable(place)
            if not reason:
                try:
                    readings.append(read(source, some, request.slot, place))
                    continue
                except UnavailableError as error:
                    if request.may_wait(datetime.now(UTC)):
                        raise
                    reason = str(error)
            missing = dict.fromkeys(map(label, some), reason)
            readings.append(Reading(request.slot, source, missing=missing, place=place))
    return readings
