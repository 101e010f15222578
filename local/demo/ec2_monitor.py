"""Drive of the EC2 monitor: things happen in EC2, some twice, some that alert; some records are broken."""

from __future__ import annotations

import base64
import gzip
import json
import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from datagen.ec2_calls import Calls, Event, at, broken, recorded
from local.clients.athena import ask
from local.clients.person import DEMO_EMAIL, DEMO_PASSWORD, PersonAt
from local.clients.subscriber import Subscriber
from local.demo.checks import Checks
from local.suite import Suite
from local.waiting import wait

__all__ = ["FLOW", "PAGE", "STEPS", "drive"]

FLOW = "EventBridge → Firehose → shape → bucket → Athena; EventBridge → alerts"
PAGE = "insights/?app=ec2_monitor"
STEPS = 8
MORE, MALFORMED = 300, 10
_PATIENCE_S = 60.0


def drive(suite: Suite, checks: Checks) -> None:
    """Let each recorded call happen, each form that alerts, duplicates and broken records; compare."""
    now = datetime.now(UTC)
    prefix = f"demo{time.time_ns():x}"
    loud, quiet = (
        _ours(recorded("alerts").values(), prefix, now),
        _ours(recorded("quiet").values(), prefix, now),
    )
    calls = _ours(recorded("calls").values(), prefix, now)
    # A past of some hours, for the charts.
    past = [
        at(event, now - timedelta(minutes=number * 2), f"{prefix}-{number}")
        for number, event in enumerate(Calls(MORE, seed=now.microsecond))
    ]
    happened = [*calls, *loud, *quiet, *past]
    subscriber = Subscriber(suite.client, suite["Ec2AlertsTopicArn"])
    try:
        address = f"{suite.engine.endpoint}/_engine/events"
        for events in (happened, calls, past):  # the calls and the past twice
            suite.http.post(address, json=events).raise_for_status()
        poison = [broken(time.time_ns() + number) for number in range(MALFORMED)]
        suite.client("firehose").put_record_batch(
            DeliveryStreamName=suite["Ec2CallStreamName"], Records=[{"Data": data} for data in poison]
        )
        wait(lambda: len(subscriber.received()) >= len(loud), _PATIENCE_S)
        texts = subscriber.received()
    finally:
        subscriber.end()
    checks.equal(
        "security groups open to the world, the root user and sign-ins alert once each, and nothing else",
        sorted(event_id for text in texts for event_id in re.findall(rf'"Event ({prefix}[^"]*)"', text)),
        sorted(event["detail"]["eventID"] for event in loud),
    )
    delivered = len(happened) + len(calls) + len(past)
    came = wait(
        lambda: _rows(suite, prefix, "count(*)", "calls_delivered") == [(str(delivered),)], _PATIENCE_S
    )
    checks.true("every event is in the bucket, some twice", came, f"not all of {delivered}")
    rows = _rows(suite, prefix, "event_id, event_name, event_time", "calls")
    expected = [
        (event["detail"]["eventID"], event["detail"]["eventName"], event["detail"]["eventTime"])
        for event in happened
    ]
    checks.equal("the view has each event once, and no other", sorted(rows), sorted(expected))
    named = {row[0] for row in _rows(suite, f"{prefix}-", "DISTINCT event_name", "calls")}
    wanted = {event["detail"]["eventName"] for event in happened}
    checks.equal("all recorded calls are there, and what alerts", named, wanted)
    checks.true(
        "every broken record is in the error prefix",
        wait(lambda: set(poison) <= _failed(suite), _PATIENCE_S),
        "",
    )

    person = PersonAt(suite, DEMO_EMAIL, DEMO_PASSWORD)
    for panel, columns in (
        ("ec2_calls", ["slot", "event_name", "calls"]),
        ("ec2_denied", ["actor", "event_name", "error", "calls", "latest"]),
    ):
        answer = person.get(panel, window="half_day")
        while answer.status_code == 202:
            answer = person.get(panel, query=answer.json()["query"])
        checks.equal(f"the API answers {panel}", answer.json().get("columns"), columns)
    page = suite.http.get(f"{suite['WebUrl']}/{PAGE}")
    checks.equal("the page is there", page.status_code, 200)


def _ours(events: Iterable[Event], prefix: str, moment: datetime) -> list[Event]:
    return [at(event, moment, f"{prefix}-{event['detail']['eventID']}") for event in events]


def _rows(suite: Suite, prefix: str, what: str, of: str) -> list[tuple[str | None, ...]]:
    """Query this run's events."""
    sql = f"SELECT {what} FROM {of} WHERE event_id LIKE '{prefix}%'"  # noqa: S608 - all of it is ours
    return ask(suite, "Ec2", sql)


def _failed(suite: Suite) -> set[bytes]:
    """Return the records in the error prefix."""
    s3, bucket = suite.client("s3"), suite["Ec2CallsBucketName"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="errors/processing-failed/")
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    bodies = [gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys]
    return {base64.b64decode(json.loads(line)["rawData"]) for body in bodies for line in body.splitlines()}
