"""What is around a message: SNS's notification to Lambda or to a queue, raw delivery, EventBridge's event.

The queue's messages are bodies of text; each is one of

* a notification as SNS sends it to queues: `{"Type": "Notification", "TopicArn", "Message", ...}`
  (https://docs.aws.amazon.com/sns/latest/dg/sns-sqs-as-subscriber.html),
* the message itself, where the subscription has `RawMessageDelivery`,
* an event of EventBridge: `{"detail-type", "source", "detail", ...}`
  (https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html).

`sam local invoke` and a direct subscription bring SNS's envelope to Lambda: `{"Records": [{"Sns": {...}}]}`
(https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html).
"""

import json
from dataclasses import dataclass
from typing import Any

__all__ = ["Incoming", "MalformedError", "unwrapped"]


class MalformedError(Exception):
    """A message that no parser will ever claim; says why without quoting it."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message without its envelope.

    Attributes:
        body: What JSON says, or text if it is none.
        subject: SNS's subject.
        message_id: SNS's id of the message, or EventBridge's of the event; the queue's for raw delivery.
        origin: Account and region that tell it, by the topic or the event; empty for raw delivery.
        event: EventBridge's whole event, whose `detail` is the body; none of SNS.
    """

    body: Any
    subject: str
    message_id: str
    origin: tuple[str, str] = ("", "")
    event: dict[str, Any] | None = None


def unwrapped(text: str, message_id: str) -> list[Incoming]:
    """Take a queue's message out of its envelope.

    Args:
        text: The body.
        message_id: Whatever names the message if nothing in it does.

    Raises:
        MalformedError: An envelope is broken.
    """
    body = _read(text)
    if not isinstance(body, dict):
        return [Incoming(body, "", message_id)]
    if "Type" in body and "Records" in body:
        raise MalformedError("two envelopes at once")
    records = body.get("Records")
    if isinstance(records, list) and records and isinstance(records[0], dict) and "Sns" in records[0]:
        return [_notification(record.get("Sns") if isinstance(record, dict) else None) for record in records]
    if body.get("Type") == "Notification" and "TopicArn" in body:
        return [_notification(body)]
    if "detail-type" in body and "source" in body:
        return [_event(body)]
    return [Incoming(body, "", message_id)]


def _notification(envelope: Any) -> Incoming:
    if not isinstance(envelope, dict) or not isinstance(envelope.get("Message"), str):
        raise MalformedError("a notification of SNS without a message")
    message = _read(envelope["Message"])
    if isinstance(message, dict) and "detail-type" in message and "source" in message:
        return _event(message)  # a rule whose target is a topic
    parts = _text(envelope, "TopicArn").split(":")
    origin = (parts[4], parts[3]) if len(parts) == 6 else ("", "")
    return Incoming(message, _text(envelope, "Subject"), _text(envelope, "MessageId"), origin)


def _event(event: dict[str, Any]) -> Incoming:
    if not isinstance(event.get("detail"), dict):
        raise MalformedError("an event of EventBridge without a detail")
    return Incoming(
        event["detail"], "", _text(event, "id"), (_text(event, "account"), _text(event, "region")), event
    )


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _read(text: str) -> Any:
    """JSON, or the text itself: a message may be plain text."""
    if text[:1] not in "{[ \n\r\t":
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
