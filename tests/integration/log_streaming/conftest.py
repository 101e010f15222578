from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from datagen.cloudfront_logs import REALTIME_FIELDS
from local.clients.person import PersonAt
from local.demo.log_streaming import minutes_of, table_of
from local.suite import Suite
from tests.support.permissions import function
from tests.support.waiting import wait_until

# Not a bot, so that bots are those of the generator alone.
PERSON = "Mozilla/5.0%20(X11;%20Linux%20x86_64;%20rv:145.0)%20Gecko/20100101%20Firefox/145.0"


class Live:
    """The live half of the suite: its stream, tables and functions.

    Each record of `line` has a distribution of the test's own, so that tests do not count each other's.
    """

    def __init__(self, suite: Suite) -> None:
        self.suite = suite

    @staticmethod
    def line(
        second: float, distribution: str, *, address: str = "198.51.100.7", agent: str = PERSON
    ) -> bytes:
        """Return a record of 100 bytes sent at FRA56-P7."""
        values = dict.fromkeys(REALTIME_FIELDS, "-") | {
            "timestamp": f"{second:.3f}", "c-ip": address, "sc-bytes": "100", "x-edge-location": "FRA56-P7",
            "cs-user-agent": agent, "primary-distribution-id": distribution,
        }  # fmt: skip
        return "\t".join(values.values()).encode() + b"\n"

    def put(self, lines: list[bytes], *, shard: int | None = None) -> None:
        """Put records on the stream; on one of its two shards if it is named."""
        place = {} if shard is None else {"ExplicitHashKey": str(shard * 2**127)}
        for first in range(0, len(lines), 500):
            entries = [
                {"Data": data, "PartitionKey": str(number), **place}
                for number, data in enumerate(lines[first : first + 500])
            ]
            answer = self.suite.client("kinesis").put_records(
                StreamName=self.suite["LogStreamName"], Records=entries
            )
            assert answer["FailedRecordCount"] == 0

    def requests(self, distribution: str, seconds: range) -> dict[int, int]:
        """Return a distribution's requests by second."""
        minutes = minutes_of(self.suite, {second - second % 60 for second in seconds})
        found = table_of(minutes, "traffic", seconds)
        return {key[0]: amounts[0] for key, amounts in found.items() if key[1] == distribution}

    def wait_for(self, distribution: str, seconds: range, total: int) -> dict[int, int]:
        """Wait until a distribution has as many requests; fail if it ever has more."""

        def there() -> dict[int, int]:
            found = self.requests(distribution, seconds)
            assert sum(found.values()) <= total
            return found if sum(found.values()) == total else {}

        return wait_until(there, seconds=30, every=0.2, what=f"{total} requests of {distribution}")

    def invoke(self, part: str, event: dict[str, Any]) -> dict[str, Any]:
        """Invoke a function by Lambda's API."""
        answer = self.suite.client("lambda").invoke(
            FunctionName=function(self.suite, f"{part}Function"), Payload=json.dumps(event).encode()
        )
        payload: dict[str, Any] = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    def failures(self) -> list[dict[str, Any]]:
        """Return the documents that Lambda put into the failure bucket."""
        return [json.loads(body) for body in self._objects("aws/lambda/")]

    def quarantined(self) -> dict[bytes, dict[str, Any]]:
        """Return the lines of the quarantine by the records' bytes."""
        lines = [json.loads(line) for body in self._objects("quarantine/") for line in body.splitlines()]
        return {base64.b64decode(line["data"]): line for line in lines}

    def _objects(self, prefix: str) -> list[bytes]:
        s3, bucket = self.suite.client("s3"), self.suite["LogStreamFailuresBucketName"]
        found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return [s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in found]


@pytest.fixture(scope="session")
def live(suite: Suite) -> Live:
    return Live(suite)


@pytest.fixture(scope="session")
def person(suite: Suite) -> PersonAt:
    return PersonAt(suite, "tester@example.org")


@pytest.fixture
def at_the_start_of_a_second() -> Callable[[], int]:
    def wait() -> int:
        time.sleep(1 - time.time() % 1)
        return int(time.time())

    return wait
