"""`shape` on one core, and events delivered again and again, on the engine: `make bench BENCH=ec2_monitor`.

The first delivery goes by EventBridge, which hands each event to Firehose; the others put the same records
on Firehose, as EventBridge does when it delivers more than once. Engine and functions are processes of their
own.
"""

import base64
import contextlib
import gzip
import io
import json
import os
import sys
import time
from collections.abc import Iterable
from typing import Any

from bench.deployed import deployed_suite
from bench.harness import ROOT, Suite, compare, one_core
from datagen.ec2_calls import Calls, broken, encoded, firehose_event
from local.clients.athena import ask

sys.path[:0] = [str(ROOT / "layers/shared"), str(ROOT / "functions/ec2_monitor")]

EVENTS, TIMES, MALFORMED = 10_000, 10, 100
BATCH = 550  # records of a megabyte
ROUNDS = 15
PATIENCE_S = 300.0


def _shape(suite: Suite) -> None:
    """Documents a second of the whole handler: base64 and JSON in, JSON and base64 out."""
    os.environ |= {"POWERTOOLS_METRICS_NAMESPACE": "bench", "POWERTOOLS_SERVICE_NAME": "ec2_monitor"}
    from ec2_monitor import shape

    one_core()
    records = [encoded(event) for event in Calls(BATCH, seed=1)]
    event = firehose_event(records)
    documents = [base64.b64decode(each["data"]) for each in _quietly(shape.handler, event)["records"]]

    def standard() -> list[str]:
        """Only decode and encode each record, by the standard library."""
        return [
            base64.b64encode(json.dumps(json.loads(base64.b64decode(record["data"]))).encode()).decode()
            for record in event["records"]
        ]

    sides = compare(lambda: _quietly(shape.handler, event), standard, ROUNDS)
    suite.add("documents/s of shape, one core", 1000 * BATCH / sides.ours, "documents/s", 20_000, "higher")
    suite.add("json.loads and json.dumps alone, nothing shaped", 1000 * BATCH / sides.theirs, "records/s")
    suite.add("bytes of an event", sum(map(len, records)) / BATCH, "bytes")
    suite.add("bytes of its document", sum(map(len, documents)) / BATCH, "bytes")


def _quietly(handler: Any, event: dict[str, Any]) -> dict[str, Any]:
    """Run the handler; its metrics go nowhere."""
    with contextlib.redirect_stdout(io.StringIO()):
        answer: dict[str, Any] = handler(event, None)
    return answer


class Record:
    """The deployed record of calls."""

    def __init__(self, suite: Any) -> None:
        self._suite = suite

    def happen(self, events: list[dict[str, Any]]) -> None:
        """Let EventBridge deliver events."""
        for first in range(0, len(events), 500):
            address = f"{self._suite.engine.endpoint}/_engine/events"
            self._suite.http.post(address, json=events[first : first + 500]).raise_for_status()

    def deliver(self, records: Iterable[bytes]) -> None:
        """Put records on Firehose."""
        firehose, batch = self._suite.client("firehose"), list(records)
        for first in range(0, len(batch), 500):
            answer = firehose.put_record_batch(
                DeliveryStreamName=self._suite["Ec2CallStreamName"],
                Records=[{"Data": data} for data in batch[first : first + 500]],
            )
            if answer["FailedPutCount"]:
                raise RuntimeError("Firehose refused records")

    def count(self, what: str, of: str) -> int:
        """Run a query for a count."""
        [[found]] = ask(self._suite, "Ec2", f"SELECT {what} FROM {of}")  # noqa: S608 - both are ours
        return int(found or 0)

    def wait(self, rows: int) -> float:
        """Wait until the table has as many rows; seconds."""
        start = time.perf_counter()
        while self.count("count(*)", "calls_delivered") < rows:
            if time.perf_counter() - start > PATIENCE_S:
                raise TimeoutError
            time.sleep(0.5)
        return time.perf_counter() - start

    def failed(self) -> list[bytes]:
        """Return the records in the error prefix."""
        s3, bucket = self._suite.client("s3"), self._suite["Ec2CallsBucketName"]
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="errors/")
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        bodies = [gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys]
        return [
            base64.b64decode(json.loads(line)["rawData"]) for body in bodies for line in body.splitlines()
        ]


def _end_to_end(suite: Suite) -> None:
    """Events through the whole chain on the engine: malformed ones among them, and ten times over."""
    suite.step("end to end: sam build, sam deploy")
    with deployed_suite({"ENGINE_TIME_SCALE": "0.1"}) as deployed:
        record = Record(deployed)
        suite.step(f"end to end: {EVENTS:,} events, 1 % malformed beside them")
        events = list(Calls(EVENTS, seed=2))
        poison = [broken(number) for number in range(MALFORMED)]
        start = time.perf_counter()
        record.happen(events)
        record.deliver(poison)
        record.wait(EVENTS)
        seconds = time.perf_counter() - start
        failed = record.failed()
        in_errors = sum(data in set(failed) for data in poison)
        suite.add(
            "1 % malformed: of them in the error prefix", 100 * in_errors / MALFORMED, "%", 100, "higher"
        )
        suite.add("1 % malformed: others lost", EVENTS - record.count("count(*)", "calls"), "events", 0)
        suite.add("1 % malformed: others in the error prefix", len(failed) - in_errors, "events", 0)
        suite.add("events/s, from EventBridge to Athena", EVENTS / seconds, "events/s")
        suite.step(f"end to end: {EVENTS:,} events, {TIMES} times")
        again = [encoded(event) for event in events]
        for _ in range(TIMES - 1):
            record.deliver(again)
        record.wait(TIMES * EVENTS)
        what = f"{EVENTS:,} events delivered {TIMES} times"
        changed = record.count("count(*)", "calls") - EVENTS
        suite.add(f"{what}: change of the view's rows", abs(changed), "rows", 0)
        distinct = record.count("count(DISTINCT event_id)", "calls")
        suite.add(f"{what}: different events in the view", distinct, "events", EVENTS, "higher")
        suite.add(f"{what}: rows of the table", record.count("count(*)", "calls_delivered"), "rows")


def main() -> int:
    """Measure; the number of rows that miss their bar."""
    suite = Suite("ec2_monitor", steps=4)
    _end_to_end(suite)
    suite.step("shape")
    _shape(suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
