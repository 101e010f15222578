"""Batches of a queue's messages and of a shard's records, with partial batch responses.

Lambda deletes the messages of a queue, or moves on in a shard, except for what the answer names
(https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting).
A message fails alone::

    def handler(event, context):
        batch = QueueBatch(event)
        return batch.each(lambda message: take(message.body))

A record of a shard fails with all that are behind it: "If you return multiple sequence numbers, Lambda uses
the lowest as the checkpoint"
(https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html), so the answer
names the first::

    batch = StreamBatch(event, "aws:kinesis")
    batch.each(count)
    batch.quarantine(bucket, refusals)  # records that will fail at every attempt: the shard goes on
    return batch.response()

`except Exception` has its place here: at the boundary of a message or a record.
"""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, TypedDict

from aws_lambda_powertools.logging import Logger
from botocore.exceptions import BotoCoreError, ClientError

from .clients import client
from .events import Event, ForeignEventError, records_of
from .metrics import count

__all__ = [
    "BatchResponse",
    "Message",
    "PermanentError",
    "QueueBatch",
    "Refusal",
    "RetryableError",
    "StreamBatch",
    "StreamRecord",
]

logger = Logger()

MAX_WAIT_S = 900
"""Longest wait before a failed message comes back. The queue would take 12 hours."""


class BatchItemFailure(TypedDict):
    """A message's id, or a record's sequence number."""

    itemIdentifier: str


class BatchResponse(TypedDict):
    """What is not done, and comes again."""

    batchItemFailures: list[BatchItemFailure]


class PermanentError(Exception):
    """A message that will fail at every attempt; says why without quoting it."""


class RetryableError(Exception):
    """A message that is to come back, as nothing unforeseen; says why without quoting it."""


class Message(NamedTuple):
    """A message of a queue.

    Attributes:
        id: Its id.
        body: Its text.
        receipt_handle: Names this receipt of it.
        receive_count: How often it was received, this time included.
        queue_arn: The queue.
        sent_ms: When it was sent; milliseconds since the epoch.
    """

    id: str
    body: str
    receipt_handle: str
    receive_count: int
    queue_arn: str
    sent_ms: int


class QueueBatch:
    """A batch of messages.

    Args:
        event: Of an event source mapping with `ReportBatchItemFailures`.
        retry_seconds: A failed message comes back after so many seconds, doubled with every receipt. By
            default it is after the queue's visibility time-out, which is long, because it must outlast an
            invocation.
        dead_letter_queue_url: Where a message goes at once that fails with `PermanentError`. By default it
            comes back like any other, until the queue moves it there.

    Raises:
        ForeignEventError: The event is anything else.
    """

    def __init__(
        self, event: Event, *, retry_seconds: int | None = None, dead_letter_queue_url: str | None = None
    ) -> None:
        self.messages = [_message(record) for record in records_of(event, "aws:sqs")]
        self._retry_seconds = retry_seconds
        self._dead_letter_queue_url = dead_letter_queue_url
        self._failed: dict[str, None] = {}

    def each(self, handle: Callable[[Message], None]) -> BatchResponse:
        """Handle the messages one after another, and answer."""
        for message in self.messages:
            try:
                handle(message)
            except PermanentError as error:
                self.quarantine(message, str(error))
            except RetryableError as error:
                self.fail(message, str(error))
            except Exception as error:
                logger.exception("unexpected failure")
                self.fail(message, type(error).__name__)
        return self.response()

    def fail(self, message: Message, reason: str) -> None:
        """Have a message come back.

        Args:
            message: The message.
            reason: Why, for the log; quotes no data.
        """
        logger.warning("message failed", message_id=message.id, reason=reason)
        count("MessagesFailed")
        self._failed[message.id] = None
        if self._retry_seconds is not None:
            _delay(message, self._retry_seconds * 2 ** (message.receive_count - 1))

    def quarantine(self, message: Message, reason: str) -> None:
        """Send a message to the dead-letter queue, with the reason as its attribute `reason`.

        Args:
            message: The message. Where it cannot be sent, it comes back.
            reason: Why; quotes no data.
        """
        if self._dead_letter_queue_url is None:
            self.fail(message, reason)
            return
        try:
            client("sqs").send_message(
                QueueUrl=self._dead_letter_queue_url,
                MessageBody=message.body,
                MessageAttributes={"reason": {"DataType": "String", "StringValue": reason}},
            )
        except (ClientError, BotoCoreError) as error:  # it comes back, and is refused again
            self.fail(message, f"{reason}; dead-letter queue: {type(error).__name__}")
            return
        logger.warning("message quarantined", message_id=message.id, reason=reason)
        count("MessagesQuarantined")

    def response(self) -> BatchResponse:
        """The answer: the messages that failed."""
        return {"batchItemFailures": [{"itemIdentifier": name} for name in self._failed]}


def _message(record: dict[str, Any]) -> Message:
    try:
        return Message(
            record["messageId"],
            record["body"],
            record["receiptHandle"],
            int(record["attributes"]["ApproximateReceiveCount"]),
            record["eventSourceARN"],
            int(record["attributes"]["SentTimestamp"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ForeignEventError("expected messages of a queue") from error


def _delay(message: Message, seconds: int) -> None:
    sqs = client("sqs")
    try:
        account, name = message.queue_arn.split(":")[4:6]  # arn:partition:sqs:region:account:name
        sqs.change_message_visibility(
            QueueUrl=f"{sqs.meta.endpoint_url}/{account}/{name}",
            ReceiptHandle=message.receipt_handle,
            VisibilityTimeout=min(MAX_WAIT_S, seconds),
        )
    except Exception:  # it comes back anyway, only later
        logger.exception("visibility time-out not changed", message_id=message.id)


_PLACES = {"aws:kinesis": ("kinesis", "sequenceNumber"), "aws:dynamodb": ("dynamodb", "SequenceNumber")}


class StreamRecord(NamedTuple):
    """A record of a shard.

    Attributes:
        sequence_number: Its place in the shard: a number of many digits.
        raw: The record as Lambda has it.
    """

    sequence_number: str
    raw: dict[str, Any]


class Refusal(NamedTuple):
    """A record that will fail at every attempt.

    Attributes:
        sequence_number: Its place in the shard.
        part: Its place in an aggregated record; 0 if it is not.
        seconds: When it came into the stream, since the epoch.
        reason: Why it is refused; quotes no data.
        data: Its bytes.
    """

    sequence_number: str
    part: int
    seconds: float
    reason: str
    data: bytes


class StreamBatch:
    """A batch of records of one shard, in their order.

    Args:
        event: Of an event source mapping with `ReportBatchItemFailures`.
        source: `aws:kinesis`, or `aws:dynamodb`.

    Raises:
        ForeignEventError: The event is anything else.
    """

    def __init__(self, event: Event, source: Literal["aws:kinesis", "aws:dynamodb"]) -> None:
        part, name = _PLACES[source]
        try:
            self.records = [
                StreamRecord(str(record[part][name]), record) for record in records_of(event, source)
            ]
        except (KeyError, TypeError) as error:
            raise ForeignEventError(f"expected records of {source}") from error
        self._failed: list[str] = []

    def each(self, handle: Callable[[StreamRecord], None]) -> None:
        """Handle the records in order, up to the first that fails: Lambda repeats all that are behind it.

        Not for a function that carries a state on: what an unexpected failure left half done would become
        state.
        """
        for record in self.records:
            try:
                handle(record)
            except Exception as error:
                logger.exception("unexpected failure")
                self.fail(record.sequence_number, type(error).__name__)
                return

    def quarantine(self, bucket: str, refusals: list[Refusal]) -> bool:
        """Keep records that will fail at every attempt, so that the shard goes on without them.

        They become one object, a JSON document a line, named for the first: again the same one if the batch
        comes again.

        Args:
            bucket: Where it is written, under `quarantine/YYYY/MM/DD/HH/` by the first one's arrival.
            refusals: In the order of the shard.

        Returns:
            Whether they are kept; if not, Lambda goes on from the first of them.
        """
        if not refusals:
            return True
        first = refusals[0]
        hour = datetime.fromtimestamp(first.seconds, UTC)
        try:
            client("s3").put_object(
                Bucket=bucket,
                Key=f"quarantine/{hour:%Y/%m/%d/%H}/{first.sequence_number:0>56}.{first.part:05d}.jsonl",
                Body="".join(map(_line, refusals)).encode(),
                ContentType="application/x-ndjson",
            )
        except (ClientError, BotoCoreError) as error:
            self.fail(first.sequence_number, f"{first.reason}; quarantine: {type(error).__name__}")
            return False
        for refusal in refusals:
            logger.warning(
                "record quarantined", sequence_number=refusal.sequence_number, reason=refusal.reason
            )
        count("RecordsQuarantined", len(refusals))
        return True

    def fail(self, sequence_number: str, reason: str) -> None:
        """Have Lambda go on from a record, unless an earlier one failed.

        Args:
            sequence_number: The record.
            reason: Why, for the log; quotes no data.
        """
        logger.warning("record failed", sequence_number=sequence_number, reason=reason)
        self._failed.append(sequence_number)

    def response(self) -> BatchResponse:
        """The answer: the first record that is not done."""
        first = min(self._failed, key=int, default=None)
        return {"batchItemFailures": [{"itemIdentifier": first}] if first else []}


def _line(refusal: Refusal) -> str:
    return (
        json.dumps(
            {
                "sequence_number": refusal.sequence_number,
                "part": refusal.part,
                "reason": refusal.reason,
                "data": base64.b64encode(refusal.data).decode(),
            }
        )
        + "\n"
    )
