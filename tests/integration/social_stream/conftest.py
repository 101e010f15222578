from __future__ import annotations

import base64
import gzip
import json
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from datagen.social_posts import Record
from local.clients import athena
from local.engine_process import REGION
from local.feeders.posts import put
from local.suite import Suite
from ops.paths import ROOT
from shared.envelope import Envelope
from tests.support.permissions import function
from tests.support.waiting import wait_until

MINUTE_S = 60.0


class Social:
    """The social stream as a test sees it; users of a test have its prefix, so that tests count their own."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.prefix = f"t{uuid.uuid4().hex[:8]}"

    # ---- posts

    def post(self, number: int, user: str = "ann", **more: Any) -> dict[str, Any]:
        """Return a post of a user of this test."""
        return {"user_id": f"{self.prefix}-{user}", "tweet_id": number, "Tweet": f"post {number}"} | more

    def put(self, *posts: dict[str, Any] | bytes) -> None:
        """Put records on the stream, all of this test on one shard, in order."""
        records = [Record(self.prefix, post if isinstance(post, bytes) else encoded(post)) for post in posts]
        for first in range(0, len(records), 500):
            put(self.suite.client("kinesis"), self.suite["SocialStreamName"], records[first : first + 500])

    def encrypted(self, data: bytes, **context: str) -> bytes:
        """Encrypt a record, for this stream unless told otherwise."""
        envelope = Envelope(self.suite.client("kms"), self.suite["SocialRecordKeyArn"], REGION)
        return envelope.encrypt(data, context or {"stream": self.suite["SocialStreamName"]}).to_bytes()

    def items(self, prefix: str = "") -> dict[tuple[str, int], dict[str, Any]]:
        """Return the items of this test's users (or of another prefix) by key."""
        pages = self.suite.client("dynamodb").get_paginator("scan").paginate(
            TableName=self.suite["SocialPostsTableName"], ConsistentRead=True,
            FilterExpression="begins_with(user_id, :prefix)",
            ExpressionAttributeValues={":prefix": {"S": prefix or self.prefix}},
        )  # fmt: skip
        found = [item for page in pages for item in page["Items"]]
        return {(item["user_id"]["S"], int(item["tweet_id"]["N"])): item for item in found}

    def wait_for_items(self, count: int, seconds: float = MINUTE_S) -> dict[tuple[str, int], dict[str, Any]]:
        """Wait until this test has as many items, and return them."""

        def there() -> dict[tuple[str, int], dict[str, Any]]:
            found = self.items()
            assert len(found) <= count
            return found if len(found) == count else {}

        return wait_until(there, seconds=seconds, every=0.2, what=f"{count} items")

    # ---- functions

    def invoke(self, part: str, event: dict[str, Any]) -> Any:
        """Invoke a function by Lambda's API; fails if the function does."""
        answer = self.suite.client("lambda").invoke(
            FunctionName=function(self.suite, f"Social{part}Function"), Payload=json.dumps(event).encode()
        )
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    # ---- what failed

    def objects(self, bucket: str, prefix: str) -> list[bytes]:
        """Return the contents of a bucket's objects, unpacked."""
        s3, name = self.suite.client("s3"), self.suite[bucket]
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        bodies = [s3.get_object(Bucket=name, Key=key)["Body"].read() for key in keys]
        return [gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body for body in bodies]

    def quarantined(self) -> dict[bytes, tuple[str, str]]:
        """Return sequence number and reason of what is in quarantine, by its bytes."""
        lines = [
            json.loads(line)
            for body in self.objects("SocialFailuresBucketName", "quarantine/")
            for line in body.splitlines()
        ]
        return {base64.b64decode(line["data"]): (line["sequence_number"], line["reason"]) for line in lines}

    def discarded(self) -> list[dict[str, Any]]:
        """Return the documents of what Lambda discarded."""
        return [json.loads(body) for body in self.objects("SocialFailuresBucketName", "aws/lambda/")]

    def dead_letters(self) -> list[dict[str, Any]]:
        """Return this test's posts in the dead-letter queue, and leave them there."""
        return [post for post, _ in self.dead_letters_with_reasons()]

    def dead_letters_with_reasons(self) -> list[tuple[dict[str, Any], str]]:
        """Return them with the attribute `reason` of their messages; empty where Lambda put them there."""
        sqs, queue = self.suite.client("sqs"), self.suite["SocialDeadLetterQueueUrl"]
        found: dict[str, Any] = {}
        while messages := sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=3, MessageAttributeNames=["reason"]
        ).get("Messages"):
            found |= {message["MessageId"]: message for message in messages}
        time.sleep(3.1)  # until they can be received again
        return [
            (post, message.get("MessageAttributes", {}).get("reason", {}).get("StringValue", ""))
            for message in found.values()
            for post in json.loads(message["Body"]).get("posts", ())
            if post["user_id"].startswith(self.prefix)
        ]

    # ---- the lake

    def lines(self) -> list[dict[str, Any]]:
        """Return this test's lines in the lake."""
        every = [
            json.loads(line)
            for body in self.objects("SocialLakeBucketName", "dynamodb/streams/transactions/")
            for line in body.splitlines()
        ]
        return [line for line in every if line["user_id"].startswith(self.prefix)]

    def distinct(self, prefix: str = "") -> int:
        """Return how many distinct posts of this test Athena knows."""
        rows = self.ask(
            "SELECT count(*) FROM (SELECT DISTINCT user_id, tweet_id FROM twitterfeed "  # noqa: S608
            f"WHERE user_id LIKE '{prefix or self.prefix}%') AS posts"
        )
        return int(rows[0][0] or 0)

    def ask(self, sql: str, *parameters: str) -> list[tuple[str | None, ...]]:
        """Run a query in the social stream's workgroup."""
        return athena.ask(self.suite, "Social", sql, *parameters)

    def top_of_day(self, day: datetime) -> list[tuple[str | None, ...]]:
        """Ask the saved query for the top ten of a day among this test's users."""
        athena = self.suite.client("athena")
        ids = athena.list_named_queries(WorkGroup=self.suite["SocialWorkGroupName"])["NamedQueryIds"]
        queries = athena.batch_get_named_query(NamedQueryIds=ids)["NamedQueries"]
        [text] = [query["QueryString"] for query in queries if query["Name"] == "top_posters_of_day"]
        where = "FROM twitterfeed\nWHERE "
        assert where in text
        text = text.replace(where, f"{where}user_id LIKE '{self.prefix}-%' AND ")
        after = day + timedelta(days=1)
        years = [f"'{each:%Y}'" for each in (day, after)]
        return self.ask(text, *years, *(f"'{each:%Y-%m-%d}'" for each in (day, after, day)))


def encoded(post: dict[str, Any]) -> bytes:
    return json.dumps(post).encode()


def brute_force(records: Iterable[bytes]) -> Counter[str]:
    """Count distinct posts by user, by hand."""
    posts = {(post["user_id"], post["tweet_id"]) for post in map(json.loads, records)}
    return Counter(user for user, _ in posts)


def recorded(name: str) -> dict[str, Any]:
    """Return a recorded event."""
    event: dict[str, Any] = json.loads((ROOT / f"events/social_stream/{name}.json").read_text())
    return event


@pytest.fixture
def social(suite: Suite) -> Social:
    return Social(suite)


@pytest.fixture
def today() -> datetime:
    """Today, in UTC; near its end a test waits for tomorrow, so that it sees one day alone."""
    now = datetime.now(UTC)
    left = (now.replace(hour=23, minute=59, second=59) - now).total_seconds()
    if left < MINUTE_S:
        time.sleep(left + 2)
    return datetime.now(UTC)
