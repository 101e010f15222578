"""Event subscriptions, as RDS, DMS and Redshift have them: topics that hear of a source's events."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, get_account_id
from ministack.services import sns

from local.engine.delivery import iso_time
from local.engine.new_services import Refusal
from local.engine.publishing import Publisher, publish

__all__ = ["Event", "Subscriptions", "event_time"]


@dataclass(frozen=True)
class Event:
    """What happened to a source.

    Attributes:
        source_type: Such as ``cluster``.
        source: Identifier.
        arn: Of the source.
        category: In the words of subscriptions, such as ``low storage``.
        subject: Of the SNS message.
        message: Its members.
    """

    source_type: str
    source: str
    arn: str
    category: str
    subject: str
    message: Mapping[str, Any]


class Subscriptions:
    """The subscriptions of one service.

    Args:
        publisher: The service.
        exists: Code of the refusal of a name that is in use.
        no_topic: Code and status of the refusal of a topic that is not there.
    """

    def __init__(self, publisher: Publisher, exists: str, no_topic: tuple[str, int]) -> None:
        self._publisher, self._exists, self._no_topic = publisher, exists, no_topic
        self._found: Any = AccountRegionScopedDict()

    def create(
        self, name: str, topic: str, source_type: str, sources: Sequence[str], categories: Sequence[str]
    ) -> dict[str, Any]:
        """Subscribe a topic to all sources, or to some of a type; the subscription as answers show it.

        Raises:
            Refusal: The name is in use, or there is no such topic.
        """
        if name in self._found:
            raise Refusal(self._exists, f"Subscription {name} already exists.")
        if topic not in sns._topics:
            code, status = self._no_topic
            raise Refusal(code, f"SNS topic {topic} does not exist.", status)
        self._found[name] = {
            "CustomerAwsId": get_account_id(), "CustSubscriptionId": name, "SnsTopicArn": topic,
            "Status": "active", "SubscriptionCreationTime": iso_time(), "SourceType": source_type,
            "SourceIdsList": list(sources), "EventCategoriesList": list(categories), "Enabled": True,
        }  # fmt: skip
        created: dict[str, Any] = self._found[name]
        return created

    def publish(self, event: Event) -> None:
        """Publish an event to the topics that hear of it."""
        for each in self._found.values():
            if (
                each["SourceType"] in ("", event.source_type)
                and event.source in (each["SourceIdsList"] or [event.source])
                and event.category in (each["EventCategoriesList"] or [event.category])
            ):
                body = json.dumps(dict(event.message))
                publish(self._publisher, each["SnsTopicArn"], event.arn, body, subject=event.subject)


def event_time() -> str:
    """Return the present time as these services' messages have it."""
    now = time.time()
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}"
