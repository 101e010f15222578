"""Events as triggers send them, and one refusal for every function that is invoked with something else.

An event that did not come from a function's trigger will be as wrong at every attempt: the function raises
`ForeignEventError` before it does anything. Invoked asynchronously, it ends in the dead-letter queue.
"""

from collections.abc import Mapping
from typing import Any, Literal

__all__ = [
    "Event",
    "ForeignEventError",
    "api_request",
    "eventbridge_detail",
    "firehose_records",
    "records_of",
]

type Event = Mapping[str, Any]
type Source = Literal["aws:sqs", "aws:kinesis", "aws:dynamodb"]


class ForeignEventError(Exception):
    """The event is not one of the function's trigger; says what was expected."""


def records_of(event: Event, source: Source) -> list[dict[str, Any]]:
    """The records of an event source mapping: a queue's messages, or records of a shard.

    Args:
        event: `{"Records": [...]}`; there are none where a tumbling window ends.
        source: The `eventSource` that each record names.

    Raises:
        ForeignEventError: It is anything else.
    """
    records = event.get("Records") if isinstance(event, Mapping) else None
    if isinstance(records, list) and all(_is_from(record, "eventSource", source) for record in records):
        return records
    raise ForeignEventError(f"expected Records of {source}")


def firehose_records(event: Event) -> list[dict[str, Any]]:
    """The records that a delivery stream of Firehose wants transformed.

    Raises:
        ForeignEventError: It is anything else.
    """
    records = event.get("records") if isinstance(event, Mapping) else None
    if isinstance(records, list) and "deliveryStreamArn" in event:
        return records
    raise ForeignEventError("expected records of a delivery stream of Firehose")


def eventbridge_detail(event: Event, source: str) -> dict[str, Any]:
    """The `detail` of an event of EventBridge.

    Args:
        event: The event.
        source: Who sends it, `aws.s3`.

    Raises:
        ForeignEventError: It is anything else.
    """
    if _is_from(event, "source", source) and isinstance(event.get("detail"), dict):
        return dict(event["detail"])
    raise ForeignEventError(f"expected an event of {source} from EventBridge")


def api_request(event: Event) -> dict[str, Any]:
    """The `requestContext` of a request to a REST API with proxy integration.

    Raises:
        ForeignEventError: It is anything else.
    """
    if isinstance(event, Mapping) and isinstance(event.get("httpMethod"), str):
        return event.get("requestContext") or {}
    raise ForeignEventError("expected a request of API Gateway REST, proxy integration")


def _is_from(record: Any, member: str, source: str) -> bool:
    return isinstance(record, Mapping) and record.get(member) == source
