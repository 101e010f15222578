"""Events of other triggers are refused, by one error for every function."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.events import ForeignEventError, api_request, eventbridge_detail, firehose_records, records_of

EVENTS = Path(__file__).parents[3] / "events"


def recorded(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text())


READERS = {
    "access_logs/preprocess_log_created": lambda event: records_of(event, "aws:sqs"),
    "social_stream/ingest_posts": lambda event: records_of(event, "aws:kinesis"),
    "social_stream/activity_new_posts": lambda event: records_of(event, "aws:dynamodb"),
    "ec2_monitor/shape_calls": firehose_records,
    "image_resizer/invalidate_original_deleted": lambda event: eventbridge_detail(event, "aws.s3"),
    "image_resizer/resize_jpeg": api_request,
}
STRANGE: list[Any] = [{}, [], None, "text", 1, {"Records": None}, {"Records": [1]}, {"Records": [{}]}]


@pytest.mark.parametrize("name", READERS)
def test_reader_takes_the_events_of_its_own_trigger_alone(name: str) -> None:
    assert READERS[name](recorded(name))
    for other in (*(recorded(each) for each in READERS if each != name), *STRANGE):
        with pytest.raises(ForeignEventError, match="expected"):
            READERS[name](other)


@pytest.mark.parametrize(
    ("read", "event"),
    [
        (firehose_records, {"records": []}),
        (firehose_records, {"records": {}, "deliveryStreamArn": "arn"}),
        (lambda event: eventbridge_detail(event, "aws.s3"), {"source": "aws.s3", "detail": "text"}),
        (lambda event: eventbridge_detail(event, "aws.s3"), {"source": "aws.s3"}),
        (api_request, {"httpMethod": 1}),
    ],
)
def test_half_an_event_is_refused(read: Any, event: dict[str, Any]) -> None:
    with pytest.raises(ForeignEventError):
        read(event)


def test_request_without_context_has_an_empty_one() -> None:
    assert api_request({"httpMethod": "GET"}) == {}
    assert api_request({"httpMethod": "GET", "requestContext": None}) == {}


def test_one_foreign_record_among_others_refuses_the_batch() -> None:
    records = recorded("social_stream/ingest_posts")["Records"]
    with pytest.raises(ForeignEventError, match="aws:kinesis"):
        records_of({"Records": [*records, records[0] | {"eventSource": "aws:sqs"}]}, "aws:kinesis")


def test_window_ends_without_records() -> None:
    assert records_of(recorded("access_logs/window_final"), "aws:kinesis") == []


def test_refusal_quotes_nothing_of_the_event() -> None:
    with pytest.raises(ForeignEventError) as refused:
        records_of({"Records": [{"eventSource": "alice@example.org"}]}, "aws:sqs")
    assert "alice" not in str(refused.value)
