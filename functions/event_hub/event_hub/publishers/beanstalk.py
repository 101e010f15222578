"""Elastic Beanstalk: text by SNS, `Elastic Beanstalk resource status change` by EventBridge.

Shapes: https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/using-features.managing.sns.html and
https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/AWSHowTo.eventbridge.html. Several spellings of
`Status` are in use, so the message counts first.
"""

import re
from collections.abc import Mapping
from typing import Any

from ..facts import EnvironmentChange, Fact, Ignored
from .reading import identifier, moment, optional, required

__all__ = ["from_event", "from_text"]

NAME = re.compile(r"[^\x00-\x1f/]{1,100}")
_CREATED = re.compile(r"successfully (?:launched|created) environment\b", re.I)
_NOT_LETTERS = re.compile(r"[^a-z]")
_STATUSES = {
    "environmentcreationsuccessful",
    "environmentcreationsucceeded",
    "environmentcreated",
    "environmentlaunched",
    "environmentlaunchsuccessful",
    "createenvironmentsuccessful",
    "createenvironmentsucceeded",
}


def from_text(members: Mapping[str, str]) -> Fact | None:
    """A text by SNS, if it is one of Elastic Beanstalk's: its lines say so."""
    if not {"Environment", "Application", "Message"} <= members.keys():
        return None
    return EnvironmentChange(
        bool(_CREATED.match(members["Message"])),
        identifier(members["Application"], NAME, "Application"),
        identifier(members["Environment"], NAME, "Environment"),
        moment(members.get("Timestamp", ""), "Timestamp"),
        members.get("RequestId", "")[:64],
    )


def from_event(event: Mapping[str, Any]) -> Fact:
    """An event of EventBridge whose source is `aws.elasticbeanstalk`."""
    detail = event["detail"]
    if "resource status change" not in event["detail-type"].lower():
        return Ignored(f"aws.elasticbeanstalk: {event['detail-type']}")
    status = _NOT_LETTERS.sub("", optional(detail, "Status").lower())
    created = bool(_CREATED.match(optional(detail, "Message"))) or status in _STATUSES
    when = detail.get("EventDate", event.get("time"))
    return EnvironmentChange(
        created,
        identifier(required(detail, "ApplicationName"), NAME, "ApplicationName"),
        identifier(required(detail, "EnvironmentName"), NAME, "EnvironmentName"),
        moment(when, "EventDate").replace(microsecond=0),
        "",
    )
