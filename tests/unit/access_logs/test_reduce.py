import base64
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from access_logs import partials, reduce
from shared import live_traffic
from shared.access_log import OTHERS, Event, Window
from tests.support.memory_dynamodb import MemoryDynamoDb
from tests.unit.access_logs.conftest import MemoryS3

START = 1_795_464_000  # the recorded events' minutes are this one and the one before


def store(part: str, minute: int, *addresses: str) -> None:
    window = Window()
    for number, address in enumerate(addresses):
        event = Event(minute + 1, address, "IAD89-C1", "E2EXAMPLE1ABCD", 10, address.startswith("192"))
        window.add(event, sequence_number=str(number), arrival=minute + 2.0)
    partials.store("partials", part, partials.minutes_of(window.to_state(), minute), 1)


def test_windows_of_all_shards_are_added_up(
    dynamodb: MemoryDynamoDb, recorded: Callable[..., Any], context: Any
) -> None:
    store("shard0#w", START, "192.0.2.1", "198.51.100.1")
    store("shard1#w", START, "192.0.2.1")
    store("shard1#w", START - 60, "198.51.100.2")
    assert reduce.handler(recorded("reduce_partials"), context) == {"batchItemFailures": []}
    before, now = live_traffic.read("results", [START, START - 60])
    assert (before.requests, now.requests, now.parts) == (1, 3, 2)
    assert (now.sent, now.bot_requests) == (30, 2)
    assert now.bots == [[START + 1, "192.0.2.1", "IAD89-C1", "E2EXAMPLE1ABCD", 2, 20]]
    assert now.viewers == [["192.0.2.1", 2], ["198.51.100.1", 1]]


def test_redelivery_changes_nothing(
    dynamodb: MemoryDynamoDb, recorded: Callable[..., Any], context: Any
) -> None:
    store("shard0#w", START, "192.0.2.1")
    for _ in range(3):
        reduce.handler(recorded("reduce_partials"), context)
    [found] = [minute for minute in live_traffic.read("results", [START]) if minute.requests]
    assert found.requests == 1


def test_a_minute_is_computed_once_in_a_batch(
    dynamodb: MemoryDynamoDb, recorded: Callable[..., Any], context: Any
) -> None:
    reduce.handler(recorded("reduce_partials"), context)
    assert dynamodb.writes == 2


def test_failed_minute_in_the_middle_is_reported_and_the_others_are_done(
    dynamodb: MemoryDynamoDb, recorded: Callable[..., Any], context: Any
) -> None:
    store("shard1#w", START - 60, "198.51.100.2")
    dynamodb.failing[START] = ClientError({"Error": {"Code": "ThrottlingException"}}, "Query")
    event = recorded("reduce_partials")
    answer = reduce.handler(event, context)
    assert answer["batchItemFailures"] == [
        {"itemIdentifier": event["Records"][0]["dynamodb"]["SequenceNumber"]}
    ]
    assert [minute.minute for minute in live_traffic.read("results", [START, START - 60])] == [START - 60]


def test_a_result_of_fewer_windows_does_not_replace_one_of_more(dynamodb: MemoryDynamoDb) -> None:
    window = Window()
    assert live_traffic.write("results", live_traffic.summarize(START, window, 2), 1)
    assert not live_traffic.write("results", live_traffic.summarize(START, window, 1), 1)
    assert live_traffic.write("results", live_traffic.summarize(START, window, 2), 1)


def test_all_but_the_heaviest_bots_of_a_second_are_one_row(dynamodb: MemoryDynamoDb) -> None:
    window, number = Window(), 0
    for place in range(live_traffic.BOT_ROWS + 40):
        for _ in range(3 if place < 10 else 1):
            number += 1
            event = Event(START, f"192.0.2.{place}", "IAD89-C1", "E2EXAMPLE1ABCD", 10, True)
            window.add(event, sequence_number=str(number), arrival=START + 1.0)
    rows = live_traffic.summarize(START, window, 1).bots
    assert len(rows) == live_traffic.BOT_ROWS + 1
    assert [row[4] for row in rows[:10]] == [3] * 10
    assert rows[-1] == (START, OTHERS, OTHERS, OTHERS, 40, 400)
    assert sum(row[4] for row in rows) == number


@pytest.mark.parametrize(
    "counts",
    [b"", b"no deflate stream", zlib.compress(b"no JSON"), zlib.compress(b"[1]"), zlib.compress(b"{}1")],
)
def test_a_minute_of_malformed_counts_is_quarantined_and_the_others_are_done(
    dynamodb: MemoryDynamoDb, recorded: Callable[..., Any], context: Any, s3: MemoryS3, counts: bytes
) -> None:
    store("shard1#w", START - 60, "198.51.100.2")
    store("shard0#w", START, "192.0.2.1")
    dynamodb.put_item(
        TableName="partials",
        Item={"minute": {"N": str(START)}, "part": {"S": "shard1#w"}, "counts": {"B": counts}},
    )
    event = recorded("reduce_partials")
    assert reduce.handler(event, context) == {"batchItemFailures": []}
    assert [minute.minute for minute in live_traffic.read("results", [START, START - 60])] == [START - 60]
    [[refused]] = s3.objects.values()
    assert refused["sequence_number"] == event["Records"][0]["dynamodb"]["SequenceNumber"]
    assert refused["reason"].startswith("counts of the minute are malformed")
    assert base64.b64decode(refused["data"]) == str(START).encode()
