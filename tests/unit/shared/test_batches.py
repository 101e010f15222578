"""Batches: what Lambda is told to repeat, and what is sent to the dead-letter queue."""

from __future__ import annotations

import random
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from shared import batches
from shared.batches import Message, PermanentError, QueueBatch, StreamBatch, StreamRecord
from shared.events import ForeignEventError

DEAD_LETTERS = "https://sqs.eu-west-1.amazonaws.com/000000000000/dead"


class Queue:
    """Stands for SQS: notes the calls."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.waits: list[tuple[str, int]] = []
        self.refuses = False
        self.meta = self
        self.endpoint_url = "https://sqs.eu-west-1.amazonaws.com"

    def send_message(self, **call: Any) -> None:
        if self.refuses:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "SendMessage")
        self.sent.append(call)

    def change_message_visibility(self, **call: Any) -> None:
        if self.refuses:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "ChangeMessageVisibility")
        self.waits.append((call["ReceiptHandle"], call["VisibilityTimeout"]))


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    fake = Queue()
    monkeypatch.setattr(batches, "client", {"sqs": fake}.__getitem__)
    return fake


def messages(*bodies: str, receipts: int = 1) -> dict[str, Any]:
    """An event as Lambda's documentation shows it:
    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html"""
    return {
        "Records": [
            {
                "messageId": f"id-{body}",
                "receiptHandle": f"receipt-{body}",
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": str(receipts),
                    "SentTimestamp": "1545082649183",
                    "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                    "ApproximateFirstReceiveTimestamp": "1545082649185",
                },
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:my-queue",
                "awsRegion": "us-east-2",
            }
            for body in bodies
        ]
    }


def take(message: Message) -> None:
    if message.body.startswith("bad"):
        raise RuntimeError("a bug")
    if message.body.startswith("never"):
        raise PermanentError("no JSON")


def test_middle_message_fails_alone(queue: Queue) -> None:
    done = []

    def handle(message: Message) -> None:
        take(message)
        done.append(message.body)

    answer = QueueBatch(messages("a", "bad", "c")).each(handle)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "id-bad"}]}
    assert done == ["a", "c"]
    assert (queue.waits, queue.sent) == ([], [])  # the queue's own visibility time-out


@pytest.mark.parametrize(("receipts", "seconds"), [(1, 30), (2, 60), (5, 480), (6, 900), (1000, 900)])
def test_failed_message_comes_back_after_a_doubled_wait(queue: Queue, receipts: int, seconds: int) -> None:
    QueueBatch(messages("a", "bad", receipts=receipts), retry_seconds=30).each(take)
    assert queue.waits == [("receipt-bad", seconds)]


def test_permanent_error_goes_to_the_dead_letter_queue_with_its_reason(queue: Queue) -> None:
    answer = QueueBatch(messages("a", "never", "c"), dead_letter_queue_url=DEAD_LETTERS).each(take)
    assert answer == {"batchItemFailures": []}
    assert queue.sent == [
        {
            "QueueUrl": DEAD_LETTERS,
            "MessageBody": "never",
            "MessageAttributes": {"reason": {"DataType": "String", "StringValue": "no JSON"}},
        }
    ]


def test_permanent_error_without_a_dead_letter_queue_comes_back(queue: Queue) -> None:
    answer = QueueBatch(messages("never")).each(take)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "id-never"}]}


def test_nothing_is_lost_when_sqs_refuses(queue: Queue) -> None:
    queue.refuses = True
    batch = QueueBatch(messages("bad", "never", "c"), retry_seconds=1, dead_letter_queue_url=DEAD_LETTERS)
    assert batch.each(take) == {
        "batchItemFailures": [{"itemIdentifier": "id-bad"}, {"itemIdentifier": "id-never"}]
    }


def test_message_that_fails_twice_is_named_once(queue: Queue) -> None:
    batch = QueueBatch(messages("a"))
    batch.fail(batch.messages[0], "no")
    batch.fail(batch.messages[0], "no")
    assert batch.response() == {"batchItemFailures": [{"itemIdentifier": "id-a"}]}


def test_what_failed_and_what_was_quarantined_is_counted_and_logged(
    queue: Queue, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    monkeypatch.setattr(batches, "count", counted.append)
    QueueBatch(messages("a", "bad", "never"), dead_letter_queue_url=DEAD_LETTERS).each(take)
    assert counted == ["MessagesFailed", "MessagesQuarantined"]
    said = [vars(record) for record in caplog.records if "message_id" in vars(record)]
    assert [(line["message_id"], line["reason"]) for line in said] == [
        ("id-bad", "RuntimeError"),
        ("id-never", "no JSON"),
    ]
    assert "bad" not in {line["message"] for line in said}


@pytest.mark.parametrize("member", ["messageId", "body", "receiptHandle", "attributes", "eventSourceARN"])
def test_record_that_is_no_message_of_a_queue_is_refused(member: str) -> None:
    event = messages("a", "b")
    del event["Records"][1][member]
    with pytest.raises(ForeignEventError):
        QueueBatch(event)


def test_odd_arn_costs_the_batch_nothing(queue: Queue) -> None:
    event = messages("bad", "c")
    event["Records"][0]["eventSourceARN"] = "queue"
    answer = QueueBatch(event, retry_seconds=1).each(take)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "id-bad"}]}


def test_batches_of_other_triggers_are_refused() -> None:
    with pytest.raises(ForeignEventError):
        QueueBatch({"Records": [{"eventSource": "aws:sns"}]})
    with pytest.raises(ForeignEventError):
        StreamBatch(messages("a"), "aws:kinesis")


def records(*numbers: int) -> dict[str, Any]:
    return {
        "Records": [
            {"eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": str(number)}} for number in numbers
        ]
    }


def test_shard_is_handled_up_to_the_first_failure() -> None:
    seen: list[str] = []

    def handle(record: StreamRecord) -> None:
        seen.append(record.sequence_number)
        if record.sequence_number == "2":
            raise ValueError("alice@example.org")

    batch = StreamBatch(records(1, 2, 3), "aws:kinesis")
    batch.each(handle)
    assert seen == ["1", "2"]
    assert batch.response() == {"batchItemFailures": [{"itemIdentifier": "2"}]}


def test_reason_of_a_record_that_failed_is_its_errors_type(caplog: pytest.LogCaptureFixture) -> None:
    def handle(_: StreamRecord) -> None:
        raise ValueError("alice@example.org")

    StreamBatch(records(1), "aws:kinesis").each(handle)
    assert [vars(record)["reason"] for record in caplog.records if "reason" in vars(record)] == ["ValueError"]


@given(st.sets(st.integers(0, 10**56), min_size=1, max_size=20), st.integers())
def test_answer_names_the_first_failed_record_as_a_number(numbers: set[int], seed: int) -> None:
    """As texts 9 is behind 10; and records may fail in any order."""
    batch = StreamBatch(records(*sorted(numbers)), "aws:kinesis")
    for number in random.Random(seed).sample(sorted(numbers), len(numbers)):
        batch.fail(str(number), "no")
    assert batch.response() == {"batchItemFailures": [{"itemIdentifier": str(min(numbers))}]}


def test_changes_of_a_table_have_sequence_numbers_of_their_own() -> None:
    event = {"Records": [{"eventSource": "aws:dynamodb", "dynamodb": {"SequenceNumber": "111"}}]}
    assert [record.sequence_number for record in StreamBatch(event, "aws:dynamodb").records] == ["111"]


def test_nothing_failed_is_an_empty_list() -> None:
    """ "If your function returns ... an empty batchItemFailures list", the batch is a success."""
    assert StreamBatch(records(1), "aws:kinesis").response() == {"batchItemFailures": []}
    assert QueueBatch(messages("a")).each(take) == {"batchItemFailures": []}
