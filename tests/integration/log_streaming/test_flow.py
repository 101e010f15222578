"""The way of a record: stream, window, partials, reduce, results; exact whatever happens on the way."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from datagen.cloudfront_logs import DISTRIBUTIONS
from local.demo.log_streaming import minutes_of, table_of
from local.feeders.logs import feed
from local.suite import Suite
from ops.paths import ROOT
from tests.conftest import Faults
from tests.integration.log_streaming.conftest import Live
from tests.support.alarms import alarms_of
from tests.support.waiting import wait_until

_numbers = count()


@pytest.fixture
def distribution() -> str:
    return f"ETEST{next(_numbers):09d}"


def around(now: int) -> range:
    return range(now - 130, now + 60)


def test_counts_of_two_shards_equal_brute_force(suite: Suite) -> None:
    truth = feed(suite.client("kinesis"), suite["LogStreamName"], rate=900, seconds=3)
    seconds = set(truth.requests)

    def all_there() -> dict[tuple[Any, ...], tuple[int, int]]:
        rows = table_of(minutes_of(suite, truth.viewers), "traffic", seconds)
        found = {key: amounts for key, amounts in rows.items() if key[1] in DISTRIBUTIONS}
        return found if sum(amounts[0] for amounts in found.values()) >= truth.requests.total() else {}

    assert wait_until(all_there, seconds=40, every=0.3, what="all records") == truth.traffic
    minutes = minutes_of(suite, truth.viewers)
    bots = table_of(minutes, "bots", seconds)
    named = {key: amounts for key, amounts in bots.items() if key[1] != "others"}
    assert named == {key: truth.bots[key] for key in named}
    for place in (0, 1):
        found, exact = Counter[int](), Counter[int]()
        for rows, sums in ((bots, found), (truth.bots, exact)):
            for key, amounts in rows.items():
                sums[key[0]] += amounts[place]
        assert found == exact
    items = suite.client("dynamodb").scan(
        TableName=suite["LogPartialsTableName"], ProjectionExpression="part"
    )["Items"]
    assert len({item["part"]["S"].partition("#")[0] for item in items}) == 2, "both shards were read"


def test_top_viewers_are_those_with_the_most_requests(suite: Suite, live: Live) -> None:
    now = int(time.time())
    second = now - now % 60 - 30  # a minute that no other test has
    addresses = [f"203.0.113.{place}" for place in range(60) for _ in range(200 - place)]
    live.put([live.line(second, "EVIEWERS00000", address=address) for address in addresses])
    live.wait_for("EVIEWERS00000", range(second, second + 1), len(addresses))
    [minute] = minutes_of(suite, [second - second % 60]).values()
    named = [(address, requests) for address, requests in minute["viewers"] if address.startswith("203.")]
    assert named == [(f"203.0.113.{place}", 200 - place) for place in range(len(named))]
    assert len(named) >= 45


def test_119_seconds_late_counts_under_its_own_second_and_121_is_late(
    suite: Suite, live: Live, distribution: str, at_the_start_of_a_second: Callable[[], int]
) -> None:
    before = late(suite)
    now = at_the_start_of_a_second()
    live.put([live.line(now - age, distribution) for age in (119, 121, 0)])
    assert live.wait_for(distribution, around(now), 2) == {now - 119: 1, now: 1}
    wait_until(lambda: late(suite) == before + 1, what="the late counter")


def late(suite: Suite) -> int:
    now = int(time.time())
    minutes = minutes_of(suite, (now // 60 * 60 - 60 * age for age in range(4)))
    return sum(minute["late"] for minute in minutes.values())


def test_late_event_of_an_earlier_window_is_added_to_its_second(live: Live, distribution: str) -> None:
    second = int(time.time()) - 60
    live.put([live.line(second, distribution)])
    live.wait_for(distribution, range(second, second + 1), 1)
    live.put([live.line(second, distribution)] * 2)
    live.wait_for(distribution, range(second, second + 1), 3)


@pytest.mark.parametrize("place", [0, 10, 19], ids=["first", "middle", "last"])
def test_an_unreadable_record_is_quarantined_at_once_and_nothing_else_is_lost(
    live: Live, distribution: str, place: int
) -> None:
    """It is tried once: Lambda neither bisects nor discards anything."""
    discarded = len(live.failures())
    now = int(time.time())
    lines = [live.line(now, distribution) for _ in range(20)]
    poison = lines[place] = f"poison of {distribution}".encode()
    live.put(lines, shard=1)
    assert live.wait_for(distribution, around(now), 19) == {now: 19}
    refused = live.quarantined()[poison]
    assert refused["reason"] == "1 fields instead of 14"
    assert int(refused["sequence_number"])
    live.put([live.line(now, distribution)], shard=1)  # the shard goes on
    assert live.wait_for(distribution, around(now), 20) == {now: 20}
    assert len(live.failures()) == discarded


def test_quarantine_that_cannot_be_written_delays_and_loses_nothing(
    live: Live, faults: Faults, distribution: str
) -> None:
    faults.inject({"match": "s3.PutObject", "resource": "quarantine", "status": 400, "times": 1,
                   "type": "ValidationException"})  # fmt: skip
    now = int(time.time())
    poison = f"poison of {distribution}".encode()
    live.put([live.line(now, distribution), poison, live.line(now, distribution)], shard=0)
    assert live.wait_for(distribution, around(now), 2) == {now: 2}
    wait_until(lambda: poison in live.quarantined(), seconds=30, what="the record in quarantine")
    assert faults.hits() == [1]


def test_records_that_fail_at_every_try_end_in_the_failure_bucket(
    live: Live, faults: Faults, distribution: str
) -> None:
    """Here the quarantine cannot be written at all."""
    faults.inject({"match": "s3.PutObject", "resource": "quarantine", "status": 400,
                   "type": "ValidationException"})  # fmt: skip
    now = int(time.time())
    poison = f"poison of {distribution}".encode()
    live.put([live.line(now, distribution), poison, live.line(now, distribution)], shard=1)

    def discarded() -> list[dict[str, Any]]:
        documents = [document for document in live.failures() if "KinesisBatchInfo" in document]
        records = [record for document in documents for record in json.loads(document["payload"])["Records"]]
        return [record for record in records if base64.b64decode(record["kinesis"]["data"]) == poison]

    assert len(wait_until(discarded, seconds=60, what="the record in the failure bucket")) == 1
    assert live.wait_for(distribution, around(now), 2) == {now: 2}


def recorded(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / f"events/access_logs/{name}.json").read_text())
    return event


def test_batch_that_lambda_delivers_twice_counts_once(live: Live) -> None:
    event = recorded("window_records")
    first = live.invoke("Window", event)
    again = live.invoke("Window", event | {"state": first["state"]})
    assert again["state"]["counts"]["events"] == first["state"]["counts"]["events"] == 6
    assert again["state"]["counts"]["duplicates"] == 6
    assert again["state"]["counts"]["traffic"] == first["state"]["counts"]["traffic"]


def test_state_never_passes_a_megabyte(live: Live) -> None:
    event = recorded("window_records")
    template, numbers = event["Records"][0], count(int(event["Records"][0]["kinesis"]["sequenceNumber"]))
    arrival = template["kinesis"]["approximateArrivalTimestamp"]

    def record(number: int) -> dict[str, Any]:
        data = live.line(
            arrival - number % 90, f"E{number % 40:013}", address=f"2001:db8:{number:x}:1234:5678:9abc:def0:1"
        )
        kinesis = template["kinesis"] | {
            "sequenceNumber": str(next(numbers)), "data": base64.b64encode(data).decode(),
        }  # fmt: skip
        return {**template, "kinesis": kinesis}

    state: dict[str, Any] = {}
    for batch in range(8):
        records = [record(batch * 2000 + place) for place in range(2000)]
        answer = live.invoke("Window", event | {"Records": records, "state": state})
        state = answer["state"]
        assert len(json.dumps(state)) < 1024 * 1024
    assert state["counts"]["events"] == 16_000
    summed = sum(row[1] for rows in state["counts"]["traffic"].values() for row in rows)
    assert summed == 16_000, "what does not fit is summed up, not lost"


def test_reducer_that_gets_a_window_twice_changes_nothing(
    suite: Suite, live: Live, distribution: str
) -> None:
    second = int(time.time()) - 45
    live.put([live.line(second, distribution)] * 5)
    live.wait_for(distribution, range(second, second + 1), 5)
    event = recorded("reduce_partials")
    for record in event["Records"]:
        record["dynamodb"]["Keys"]["minute"]["N"] = str(second - second % 60)
    for _ in range(2):
        assert live.invoke("Reduce", event) == {"batchItemFailures": []}
    assert live.requests(distribution, range(second, second + 1)) == {second: 5}


def test_lost_results_come_back_with_the_next_window(suite: Suite, live: Live, distribution: str) -> None:
    second = int(time.time()) - 45
    live.put([live.line(second, distribution)] * 3)
    live.wait_for(distribution, range(second, second + 1), 3)
    suite.client("dynamodb").delete_item(
        TableName=suite["LogResultsTableName"], Key={"minute": {"N": str(second - second % 60)}}
    )
    live.put([live.line(second, distribution)])
    live.wait_for(distribution, range(second, second + 1), 4)


def test_throttled_tables_delay_and_lose_nothing(live: Live, faults: Faults, distribution: str) -> None:
    throttle = {"status": 400, "type": "ThrottlingException", "times": 4, "rate": 1}
    faults.inject(
        {"match": "dynamodb.PutItem", **throttle},
        {"match": "dynamodb.Query", **throttle},
    )
    now = int(time.time())
    live.put([live.line(now, distribution)] * 40)
    assert live.wait_for(distribution, around(now), 40) == {now: 40}
    assert min(faults.hits()) >= 4


def test_a_minute_that_cannot_be_added_up_is_kept_and_repaired_later(
    live: Live, faults: Faults, distribution: str
) -> None:
    faults.inject({"match": "dynamodb.Query", "rate": 1, "status": 400, "type": "AccessDeniedException"})
    now = int(time.time())
    live.put([live.line(now, distribution)])

    def named() -> bool:
        return any("DDBStreamBatchInfo" in document for document in live.failures())

    wait_until(named, seconds=40, every=0.3, what="the minute in the failure bucket")
    faults.clear()
    live.put([live.line(now, distribution)])
    live.wait_for(distribution, around(now), 2)


def test_metrics_count_requests_and_bytes(suite: Suite, live: Live, distribution: str) -> None:
    now = int(time.time())
    live.put([live.line(now, distribution)] * 7)
    live.wait_for(distribution, around(now), 7)
    stack = suite["WebBucketName"].partition("-web-")[0]
    found = suite.client("cloudwatch").list_metrics(Namespace=stack)["Metrics"]
    names = {metric["MetricName"] for metric in found}
    assert {"Requests", "BotRequests", "BytesSent", "LateRecords", "RepeatedRecords"} <= names


def test_alarms_watch_failures_and_age(suite: Suite) -> None:
    found = alarms_of(suite)
    alarms = {alarm["AlarmName"].split("-")[2]: alarm for alarm in found}
    for name in ("LogStreamRecordsAlarm", "LogStreamMinutesAlarm", "LogStreamAgeAlarm"):
        assert alarms[name]["AlarmActions"] == [suite["OperationsTopicArn"]]
        assert all(dimension["Value"] for dimension in alarms[name]["Dimensions"])
