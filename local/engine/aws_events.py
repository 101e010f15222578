"""Events of AWS services: ``POST /_engine/events`` puts them on the default bus, as the services do.

PutEvents refuses sources that begin with ``aws.``, here as on AWS, so without it nobody could let CloudTrail
speak. The body is a JSON list of whole events, with the id, time, account and region that they arrive with.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from ministack.core.responses import get_account_id, get_region

from local.engine.asgi import App, with_door
from local.engine.delivery import iso_time
from local.engine.services.eventbridge import put

__all__ = ["emit", "wrap"]

_PATH = "/_engine/events"
_NEEDED = {"source": str, "detail-type": str, "detail": dict}


def _dispatch(event: Mapping[str, Any]) -> None:
    """Put a whole event on the default bus."""
    record: dict[str, Any] = {
        "EventId": event.get("id", ""),
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
        "EventBusName": "default",
        "Time": event.get("time", ""),
        "Resources": event.get("resources", []),
    }
    record |= {name.title(): event[name] for name in ("account", "region") if name in event}
    put(record)


def emit(source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()) -> None:
    """Put one event of a service of the engine on the default bus of the present account and region."""
    _dispatch(
        {
            "id": str(uuid.uuid4()),
            "source": source,
            "detail-type": detail_type,
            "account": get_account_id(),
            "time": iso_time(milliseconds=False),
            "region": get_region(),
            "resources": list(resources),
            "detail": dict(detail),
        }
    )


def _put(events: object) -> str:
    """Dispatch events to the rules of the default bus; what is wrong with them, if anything is."""
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        return "the body must be a JSON list of events"
    for event in events:
        for name, kind in _NEEDED.items():
            if not isinstance(event.get(name), kind):
                return f"an event's {name} is missing or wrong"
    for event in events:
        _dispatch(event)
    return ""


def wrap(app: App) -> App:
    """Answer ``/_engine/events`` before the emulator."""
    return with_door(app, _PATH, _put)
