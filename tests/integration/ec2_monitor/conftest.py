from __future__ import annotations

import base64
import gzip
import json
import re
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import pytest

from datagen.ec2_calls import Event, at, encoded
from local.clients import athena
from local.clients.subscriber import Subscriber
from local.suite import Suite
from tests.support.waiting import wait_until


class Ec2:
    """The EC2 monitor as a test sees it; a test's events have identities of its own."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.prefix = f"t{uuid.uuid4().hex[:8]}"

    # ---- events

    def ours(self, event: Event, moment: datetime | None = None) -> Event:
        """Return a copy of a recorded event that happened now, as an event of this test."""
        return at(event, moment or datetime.now(UTC), f"{self.prefix}-{event['detail']['eventID']}")

    def happen(self, events: Iterable[Event]) -> None:
        """Let CloudTrail tell EventBridge about events."""
        address = f"{self.suite.engine.endpoint}/_engine/events"
        self.suite.http.post(address, json=list(events)).raise_for_status()

    def deliver(self, records: Iterable[bytes]) -> None:
        """Put records on Firehose, as EventBridge does."""
        firehose, batch = self.suite.client("firehose"), list(records)
        for first in range(0, len(batch), 500):
            answer = firehose.put_record_batch(
                DeliveryStreamName=self.suite["Ec2CallStreamName"],
                Records=[{"Data": data} for data in batch[first : first + 500]],
            )
            assert answer["FailedPutCount"] == 0

    # ---- the record

    def ask(self, sql: str, *parameters: str) -> list[tuple[str | None, ...]]:
        """Run a query in the EC2 monitor's workgroup."""
        return athena.ask(self.suite, "Ec2", sql, *parameters)

    def rows(self, *columns: str, of: str = "calls") -> list[tuple[str | None, ...]]:
        """Return this test's rows of the view, or of the table."""
        sql = f"SELECT {', '.join(columns)} FROM {of} WHERE event_id LIKE '{self.prefix}-%'"  # noqa: S608
        return self.ask(sql)

    def count(self, of: str = "calls") -> int:
        """Return how many rows of this test the view has, or the table."""
        return int(self.rows("count(*)", of=of)[0][0] or 0)

    def wait_for(self, count: int, of: str = "calls", seconds: float = 60) -> None:
        """Wait until this test has as many rows."""
        wait_until(lambda: self.count(of) >= count, seconds=seconds, every=0.2, what=f"{count} rows in {of}")
        assert self.count(of) == count

    def saved(self, name: str) -> str:
        """Return the text of a saved query, restricted to this test's events."""
        athena = self.suite.client("athena")
        ids = athena.list_named_queries(WorkGroup=self.suite["Ec2WorkGroupName"])["NamedQueryIds"]
        queries = athena.batch_get_named_query(NamedQueryIds=ids)["NamedQueries"]
        [text] = [query["QueryString"] for query in queries if query["Name"] == name]
        restricted, times = re.subn(
            r"(\n *)WHERE ", rf"\1WHERE event_id LIKE '{self.prefix}-%' AND ", str(text)
        )
        assert times == 1
        return restricted

    # ---- what failed

    def failed(self) -> dict[bytes, str]:
        """Return the records in the error prefix, with the code of why."""
        s3, bucket = self.suite.client("s3"), self.suite["Ec2CallsBucketName"]
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix="errors/processing-failed/"
        )
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        bodies = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
        lines = [
            json.loads(line)
            for body in bodies
            for line in (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).splitlines()
        ]
        return {base64.b64decode(line["rawData"]): line["errorCode"] for line in lines}

    def wait_for_failed(self, records: Iterable[bytes]) -> None:
        """Wait until records are in the error prefix."""
        wanted = set(records)
        wait_until(lambda: wanted <= self.failed().keys(), seconds=30, every=0.2, what="records in errors/")

    def dead_letters(self) -> list[Event]:
        """Return this test's events in the dead-letter queue, and leave them there."""
        sqs, queue = self.suite.client("sqs"), self.suite["Ec2DeadLetterQueueUrl"]
        found: list[Event] = []
        while messages := sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=2
        ).get("Messages"):
            found += [json.loads(message["Body"]) for message in messages]
        return [event for event in found if event["detail"]["eventID"].startswith(self.prefix)]


class Alerts(Subscriber):
    """What the topic of alerts tells its subscribers."""

    def of(self, event: Event) -> list[str]:
        """Return the texts so far about an event."""
        return self.about(event["detail"]["eventID"])


def data_of(events: Iterable[Event]) -> list[bytes]:
    """Return events as EventBridge puts them on Firehose."""
    return [encoded(event) for event in events]


@pytest.fixture
def ec2(suite: Suite) -> Ec2:
    return Ec2(suite)


@pytest.fixture
def alerts(suite: Suite) -> Iterator[Alerts]:
    made = Alerts(suite.client, suite["Ec2AlertsTopicArn"])
    yield made
    made.end()
