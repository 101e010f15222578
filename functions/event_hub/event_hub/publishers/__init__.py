"""One parser for each publisher; `facts_of` finds the one that claims a message.

A message is claimed by what its members mean, whatever their order, and a text remains text until a parser
claims it. What nobody claims is malformed: a message in the hub's topic that is not understood is a fault.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ..envelopes import Incoming, MalformedError
from ..facts import Fact, Ignored
from . import autoscaling, beanstalk, cloudwatch, databases, glue, marketplace, storage
from .reading import members_of_text

__all__ = ["SOURCES", "facts_of"]

SOURCES: Mapping[str, Callable[[Mapping[str, Any]], Fact]] = {
    "aws.autoscaling": autoscaling.from_event,
    "aws.elasticbeanstalk": beanstalk.from_event,
    "aws.cloudwatch": cloudwatch.from_event,
    "aws.s3": storage.from_event,
    "aws.rds": databases.from_event,
    "aws.dms": databases.from_event,
    "aws.glue": glue.from_event,
    "aws.agreement-marketplace": marketplace.from_event,
    "hub.encoder": databases.encoder,
}
"""Parsers of EventBridge's events by their source."""

_MESSAGES: tuple[Callable[[Mapping[str, Any]], Fact | None], ...] = (
    cloudwatch.from_message,
    autoscaling.from_message,
    storage.test_event,
    storage.from_vault,
    marketplace.from_message,
    databases.from_message,
)


def facts_of(incoming: Incoming) -> list[Fact]:
    """What a message reports; several facts if S3 tells of several objects.

    Raises:
        MalformedError: No publisher's message, or one that lacks what it needs.
    """
    try:
        if incoming.event is not None:
            return [_from_event(incoming.event)]
        if isinstance(incoming.body, dict):
            return _from_object(incoming.body, incoming)
        if isinstance(incoming.body, str):
            return [_from_text(incoming)]
    except UnicodeError:
        raise MalformedError("text that is no UTF-8") from None
    raise MalformedError("neither an object nor text")


def _from_event(event: dict[str, Any]) -> Fact:
    source, kind = event["source"], event["detail-type"]
    if not isinstance(source, str) or not isinstance(kind, str):
        raise MalformedError("an event without source and detail-type")
    parse = SOURCES.get(source)
    return Ignored("event of another source") if parse is None else parse(event)


def _from_object(body: dict[str, Any], incoming: Incoming) -> list[Fact]:
    if isinstance(body.get("Records"), list) and body["Records"]:
        return list(storage.from_records(body["Records"]))
    fact: Fact | None = None
    for claim in _MESSAGES:
        fact = fact or claim(body)
    fact = fact or databases.cache_from_message(body, incoming.message_id)
    if fact is None:
        raise MalformedError("no publisher's message")
    return [fact]


def _from_text(incoming: Incoming) -> Fact:
    text = incoming.body
    members = members_of_text(text)
    fact = (
        (autoscaling.from_message(members) if "LifecycleTransition" in members else None)
        or beanstalk.from_text(members)
        or databases.cache_from_text(text, incoming.message_id)
        or databases.from_text(text)
        or storage.from_text(incoming.subject, text)
    )
    if fact is None:
        raise MalformedError("a text of no publisher")
    return fact
