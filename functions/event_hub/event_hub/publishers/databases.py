"""RDS, DMS, Redshift and ElastiCache.

The first three write alike: a JSON object for people, whose event is named in a link to the documentation.
Shapes: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.html,
https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Events.html,
https://docs.aws.amazon.com/redshift/latest/mgmt/working-with-event-notifications.html,
https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ECEvents.SNS.html.
"""

import re
from collections.abc import Mapping
from typing import Any

from ..envelopes import MalformedError
from ..facts import CacheEvent, DatabaseEvent, EncodingFinished, Fact, Ignored, TaskEvent, WarehouseEvent
from .reading import folded, identifier, matching, moment, optional, required

__all__ = ["cache_from_message", "cache_from_text", "encoder", "from_event", "from_message", "from_text"]

EVENT = re.compile(r"\b(?:RDS|DMS|REDSHIFT)-EVENT-\d{4,5}\b")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,254}")
TASK_ARN = re.compile(r"arn:[a-z0-9-]+:dms:[a-z0-9-]+:\d{12}:task:[A-Za-z0-9-]{1,255}")
TOKEN = re.compile(r"[0-9a-f]{32,64}")
_SUBSCRIBED = re.compile(r"\bevent subscription\b.{0,300}\bcreated\b", re.I | re.S)
# The user guide has `ElastiCache:<event> : <cluster>`, and events without prefix, colon or cluster.
_CACHE_TEXT = re.compile(r"\s*(ElastiCache:)?([A-Z][A-Za-z]{3,79})(?:[\s:]+([A-Za-z0-9-]{1,255}))?\s*")
_CACHE_END = ("Complete", "Failed", "Finished", "Started", "Canceled", "Scheduled", "Warning")
_CACHE_EVENT = re.compile(r"[A-Za-z]{1,80}")


def from_message(body: Mapping[str, Any]) -> Fact | None:
    """A message of SNS, if it is one of RDS, DMS or Redshift.

    Raises:
        MalformedError: It is, but lacks what it needs.
    """
    members = folded(body)
    event = _event_of(members)
    return _fact(event, members) if event else None


def from_event(event: Mapping[str, Any]) -> Fact:
    """An event of EventBridge whose source is `aws.rds`, `aws.dms` or `aws.redshift`.

    Raises:
        MalformedError: It lacks what it needs.
    """
    members = folded(event["detail"])
    name = _event_of(members)
    if not name:
        return Ignored(f"{event['source']}: {event['detail-type']}"[:80])
    members.setdefault("eventtime", members.get("date", event.get("time")))
    members.setdefault("eventmessage", members.get("detailmessage", members.get("message")))
    members.setdefault("sourcearn", next(iter(_texts(event.get("resources"))), ""))
    return _fact(name, members)


def from_text(text: str) -> Fact | None:
    """A text by SNS, if it is what a new subscription to events begins with."""
    return Ignored("event subscription created") if _SUBSCRIBED.search(text[:1024]) else None


def _event_of(members: Mapping[str, Any]) -> str:
    """Which event it is: in a member of its own, or in a link; not in what people are told."""
    for member in ("eventid", "aboutthisevent", "id"):
        found = matching(optional(members, member), EVENT)
        if found:
            return found
    return ""


def _fact(event: str, members: Mapping[str, Any]) -> Fact:
    service, _, number = event.partition("-EVENT-")
    if service == "DMS":
        return _task(event, members)
    happened = moment(members.get("eventtime"), "Event Time")
    if service == "REDSHIFT":
        return WarehouseEvent(_named(members, "resource", "sourceid", "sourceidentifier"), number, happened)
    source = (optional(members, "eventsource") or optional(members, "sourcetype")).lower().replace("_", "-")
    if source not in ("", "db-instance", "db-cluster"):
        return Ignored(
            f"rds: {source}"[:80]
        )  # snapshots, parameter groups and others have names of their own
    return DatabaseEvent(
        source,
        _named(members, "sourceid", "sourceidentifier"),
        event,
        happened,
    )


def _named(members: Mapping[str, Any], *names: str) -> str:
    for name in names:
        if optional(members, name):
            return identifier(required(members, name), NAME, name)
    raise MalformedError("the event names no resource")


def _task(event: str, members: Mapping[str, Any]) -> Fact:
    source = (optional(members, "eventsource") or optional(members, "type")).lower().replace("_", "-")
    if source and source != "replication-task":
        return Ignored(f"dms: {source}"[:80])
    arn = optional(members, "sourcearn")
    name = arn if TASK_ARN.fullmatch(arn) else ""
    task = name or _named(members, "sourceid", "sourceidentifier")
    happened = moment(members.get("eventtime"), "Event Time")
    return TaskEvent(task, event, optional(members, "eventmessage")[:4096], happened)


def _texts(values: Any) -> list[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def cache_from_message(body: Mapping[str, Any], message_id: str) -> Fact | None:
    """A message of SNS, if it is one of ElastiCache: `{"ElastiCache:<event>": "<cluster>"}`."""
    for name, value in body.items():
        if name.startswith("ElastiCache:"):
            event = identifier(name.removeprefix("ElastiCache:").strip(), _CACHE_EVENT, "the event")
            if not isinstance(value, str):
                raise MalformedError("an event of ElastiCache without a cluster")
            return CacheEvent(event, identifier(value.strip(), NAME, "the cluster"), message_id)
    return None


def cache_from_text(text: str, message_id: str) -> Fact | None:
    """A text by SNS, if it is one of ElastiCache."""
    found = _CACHE_TEXT.fullmatch(text)
    if not found or not (found[1] or found[2].endswith(_CACHE_END)):
        return None
    return CacheEvent(found[2], found[3], message_id) if found[3] else Ignored(f"elasticache: {found[2]}")


def encoder(event: Mapping[str, Any]) -> Fact:
    """The event by which an encoder says that it is done, `hub.encoder`: see docs/event_hub.md.

    Raises:
        MalformedError: It lacks what it needs.
    """
    detail = event["detail"]
    return EncodingFinished(
        identifier(required(detail, "task_arn"), TASK_ARN, "task_arn"),
        identifier(required(detail, "token"), TOKEN, "token"),
    )
