"""Reads targets of a source."""

from collections.abc import Sequence
from datetime import datetime
from itertools import batched
from typing import Any

import jmespath
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as UnreachableError

from .errors import UnavailableError
from .places import Home, Place, label
from .readings import Reading
from .sources import SOURCES, Describe

__all__ = ["MISSING", "by_place", "read", "unavailable"]

MISSING = "MISSING"  # as ECS calls it
_THROTTLES = frozenset({
    "LimitExceededException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException",
    "ThrottledException", "Throttling", "ThrottlingException", "TooManyRequestsException",
})  # fmt: skip


def unavailable(error: ClientError) -> bool:
    """Whether an error may pass: a throttle, or the service's own fault."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or status == 429 or error.response["Error"]["Code"] in _THROTTLES


def read(name: str, targets: Sequence[str], slot: datetime, place: Place) -> Reading:
    """Read targets of a source in one place, in as few calls as it allows.

    Args:
        name: Key of `SOURCES`.
        targets: Names or ARNs; one that comes twice is read once.
        slot: The time to which the numbers belong.
        place: Where they are.

    Returns:
        Numbers of what was found and is alive; for every other target why there are none.

    Raises:
        UnavailableError: The service cannot be used right now.
    """
    source, reading = SOURCES[name], Reading(slot, name, place=place)
    for some in batched(dict.fromkeys(map(label, targets)), source.at_most, strict=False):
        _read(source, list(some), reading)
    return reading


def by_place(targets: Sequence[str], home: Home) -> dict[Place, list[str]]:
    """Targets by the place in which they are."""
    found: dict[Place, list[str]] = {}
    for target in targets:
        found.setdefault(home.place_of(target), []).append(target)
    return found


def _read(source: Describe, targets: list[str], reading: Reading) -> None:
    """Read the targets of one call into a reading."""
    try:
        client = reading.place.client(source.service)
        answer = getattr(client, source.operation)(**source.arguments(reading.place, targets))
    except (HTTPClientError, UnreachableError) as error:  # time-outs, no connections, broken ones
        raise UnavailableError(f"{reading.source}: {type(error).__name__}") from error
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if unavailable(error):
            raise UnavailableError(f"{reading.source}: {code}") from error
        reason = f"AssumeRole: {code}" if error.operation_name == "AssumeRole" else code
        reading.missing.update(dict.fromkeys(targets, MISSING if code in source.gone else reason))
        return
    except BotoCoreError as error:  # a region that is none, say: the same at every attempt
        reading.missing.update(dict.fromkeys(targets, type(error).__name__))
        return
    reasons: dict[str, str] = {}
    if source.failures:
        reasons = {label(str(who)): str(why) for who, why in jmespath.search(source.failures, answer) or []}
    found: dict[str, Any] = {}
    for document in jmespath.search(source.documents, answer) or []:
        found[jmespath.search(source.name, document) if source.name else targets[0]] = document
    for target in targets:
        if target in found:
            _take(source, target, found[target], reading)
        else:
            reading.missing[target] = reasons.get(target, MISSING)


def _take(source: Describe, target: str, document: Any, reading: Reading) -> None:
    """Take the numbers of a document; never a zero for one that is not there."""
    state = jmespath.search(source.state, document) if source.state else source.alive
    if state != source.alive:
        reading.missing[target] = str(state)
        return
    values: list[float] = []
    for name, path in source.metrics.items():
        try:
            values.append(float(jmespath.search(path, document)))
        except (TypeError, ValueError):
            reading.missing[target] = f"no number for {name}"
            return
    reading.values[target] = values
