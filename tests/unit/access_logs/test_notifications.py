"""S3's notifications as they come through a queue."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access_logs.errors import GoneError, NotANotificationError
from access_logs.notifications import StoredObject, created_objects, each_object
from ops.paths import ROOT
from shared import batches
from shared.batches import BatchResponse

EVENTS = ROOT / "events/access_logs"


def recorded(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def objects(name: str) -> list[StoredObject]:
    return [stored for message in recorded(name)["Records"] for stored in created_objects(message["body"])]


def body(*keys: str, event: str = "ObjectCreated:Put") -> str:
    return json.dumps(
        {
            "Records": [
                {"eventName": event, "s3": {"bucket": {"name": "b"}, "object": {"key": key, "eTag": "e"}}}
                for key in keys
            ]
        }
    )


def test_all_records_of_all_messages_are_read() -> None:
    assert [stored.key for stored in objects("preprocess_several_records")] == [
        "cf/E2EXAMPLE1ABCD.2026-11-22-20.1a2b3c4d.gz",
        "cf/E1SHOPFRONT9ZX.2026-11-22-20.5e6f7a8b.gz",
        "my logs/a+b ä/E3MEDIAASSETSQ.2026-11-22-20.9c0d1e2f.gz",
    ]


def test_test_event_names_no_object() -> None:
    assert objects("preprocess_test_event") == []


def test_deletions_are_not_creations() -> None:
    assert list(created_objects(body("a.gz", event="ObjectRemoved:Delete"))) == []


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1))
def test_keys_of_any_letters_are_decoded(key: str) -> None:
    assert [stored.key for stored in created_objects(body(quote_plus(key, safe="/")))] == [key]


@pytest.mark.parametrize(
    "text",
    ["", "[1]", "null", "{}", '{"Records": 1}', '{"Records": [{}]}', '{"Records": [{"eventName": 1}]}'],
)
def test_anything_else_is_no_notification(text: str) -> None:
    with pytest.raises(NotANotificationError):
        list(created_objects(text))


@dataclass
class Context:
    """A Lambda context with time left, in milliseconds."""

    left: int = 60_000

    def get_remaining_time_in_millis(self) -> int:
        return self.left


class Queue:
    """Remembers the visibilities that were changed, and the messages that were sent."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.sent: list[tuple[str, str]] = []
        self.meta = self
        self.endpoint_url = "https://sqs.eu-west-1.amazonaws.com"

    def change_message_visibility(self, **call: Any) -> None:
        assert call["ReceiptHandle"] == "handle"
        self.calls.append((call["QueueUrl"], call["VisibilityTimeout"]))

    def send_message(self, **call: Any) -> None:
        assert call["QueueUrl"] == "dead letters"
        self.sent.append((call["MessageBody"], call["MessageAttributes"]["reason"]["StringValue"]))


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    fake = Queue()
    monkeypatch.setattr(batches, "client", {"sqs": fake}.get)
    return fake


def messages(*bodies: str, tries: int = 1) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": str(number),
                "receiptHandle": "handle",
                "body": text,
                "attributes": {"ApproximateReceiveCount": str(tries), "SentTimestamp": "1795302722000"},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:000000000000:queue",
            }
            for number, text in enumerate(bodies)
        ]
    }


def handle(event: dict[str, Any], left: int = 60_000) -> tuple[BatchResponse, list[str]]:
    """Handle a batch; an object named `bad` fails, and one named `gone` always will."""
    done: list[str] = []

    def take(stored: StoredObject, deadline: float) -> None:
        assert deadline > time.monotonic()
        if stored.key == "bad":
            raise RuntimeError("no")
        if stored.key == "gone":
            raise GoneError("it is gone")
        done.append(stored.key)

    context: Any = Context(left)
    return each_object(event, context, take, retry_seconds=30, dead_letter_queue_url="dead letters"), done


def test_middle_message_fails_alone(queue: Queue) -> None:
    answer, done = handle(messages(body("a"), body("bad"), body("b", "c")))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert done == ["a", "b", "c"]
    assert queue.calls == [("https://sqs.eu-west-1.amazonaws.com/000000000000/queue", 30)]


def test_message_fails_with_all_of_its_objects(queue: Queue) -> None:
    answer, done = handle(messages(body("a", "bad", "b")))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert done == ["a"]


def test_what_always_fails_is_dead_lettered_at_once_with_its_reason(queue: Queue) -> None:
    answer, done = handle(messages(body("a"), body("gone"), "[1]", body("b")))
    assert answer == {"batchItemFailures": []}
    assert done == ["a", "b"]
    assert queue.calls == []
    assert queue.sent == [
        (body("gone"), "it is gone"),
        ("[1]", "the message is not an S3 notification"),
    ]


def test_other_objects_of_a_dead_lettered_message_are_done(queue: Queue) -> None:
    answer, done = handle(messages(body("a", "gone", "b")))
    assert (answer, done) == ({"batchItemFailures": []}, ["a", "b"])
    assert [reason for _, reason in queue.sent] == ["it is gone"]
    answer, done = handle(messages(body("gone", "bad", "b")))
    assert (answer, done) == ({"batchItemFailures": [{"itemIdentifier": "0"}]}, [])
    assert len(queue.sent) == 1, "what may pass is tried again first"


@pytest.mark.parametrize(("tries", "seconds"), [(1, 30), (2, 60), (5, 480), (6, 900), (40, 900)])
def test_failed_message_comes_back_later_and_later(queue: Queue, tries: int, seconds: int) -> None:
    handle(messages(body("bad"), tries=tries))
    assert [wait for _, wait in queue.calls] == [seconds]


def test_nothing_is_begun_when_time_is_nearly_up(queue: Queue) -> None:
    answer, done = handle(messages(body("a"), body("b")), left=9_000)
    assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == ["0", "1"]
    assert done == []


def test_visibility_that_cannot_be_changed_does_not_hold_up_the_batch(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "change_message_visibility", lambda **_: 1 / 0)
    answer, done = handle(messages(body("bad"), body("a")))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert done == ["a"]
