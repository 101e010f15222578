"""Every kind of bad input, and its documented outcome (docs/social_stream.md has the same table)."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

import pytest

from shared.batch_write import BatchWriter, Delete
from tests.integration.social_stream.conftest import Social, recorded
from tests.support.waiting import wait_until

WRONG = {
    "no JSON": b"{ nothing",
    "no UTF-8": b'{"user_id": "\xff", "tweet_id": 1}',
    "no object": b"[1, 2]",
    "empty record": b"",
    "endless nesting": b"[" * 100_000,
    "no user": b'{"tweet_id": 1}',
    "empty user": b'{"user_id": "", "tweet_id": 1}',
    "user of 2,049 bytes": json.dumps({"user_id": "u" * 2049, "tweet_id": 1}).encode(),
    "no id": b'{"user_id": "u"}',
    "negative id": b'{"user_id": "u", "tweet_id": -1}',
    "id of 64 bits": b'{"user_id": "u", "tweet_id": 9223372036854775808}',
    "boolean id": b'{"user_id": "u", "tweet_id": true}',
    "float id": b'{"user_id": "u", "tweet_id": 1.0}',
    "float in a text": b'{"user_id": "u", "tweet_id": 1, "Location": 52.5}',
    "tags that are not a list": b'{"user_id": "u", "tweet_id": 1, "Tags": "a"}',
    "half a surrogate pair": b'{"user_id": "u", "tweet_id": 1, "Tweet": "\\ud83d"}',
    "over 400 KB": json.dumps({"user_id": "u", "tweet_id": 1, "Tweet": "x" * 409_600}).encode(),
    "over 900 KB as JSON": json.dumps({"user_id": "u", "tweet_id": 1, "Tweet": "\x01" * 160_000}).encode(),
}


def wait_for_quarantine(social: Social, data: bytes) -> tuple[str, str]:
    wait_until(lambda: data in social.quarantined(), seconds=30, every=0.2, what="the record in quarantine")
    return social.quarantined()[data]


@pytest.mark.parametrize("name", WRONG)
def test_a_record_that_is_no_post_goes_into_quarantine_and_the_others_go_on(
    social: Social, name: str
) -> None:
    data = WRONG[name] + b" " * (1 + int(social.prefix[1:5], 16) % 90) if WRONG[name] else b""
    if not data:
        answer = social.invoke("Ingest", event_of([b""]))  # PutRecords takes no empty record
        assert answer == {"batchItemFailures": []}
        assert social.quarantined()[b""][1] == "no JSON"
        return
    social.put(social.post(1), data, social.post(2))
    number, reason = wait_for_quarantine(social, data)
    assert number.isdigit()
    assert reason
    social.wait_for_items(2)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("newline", "a\nb\r\n\tc"),
        ("emoji", "🚀👩\u200d👩\u200d👧"),
        ("empty", ""),
        ("NUL and controls", "\u0000\u0001\u001f"),
        ("not a character", "\ufffe\uffff"),
        ("looks like JSON", '{"user_id": "x"}'),
        ("300 KB", "x" * 300_000),
    ],
)
def test_an_unusual_text_is_kept_as_it_is(social: Social, name: str, text: str) -> None:
    social.put(social.post(1, Tweet=text, Location="", Tags=["", text[:9]]))
    [item] = social.wait_for_items(1).values()
    assert (item["Tweet"]["S"], item["Location"]["S"]) == (text, "")
    assert [tag["S"] for tag in item["Tags"]["L"]] == ["", text[:9]]


def test_an_id_that_is_a_text_of_digits_is_a_number(social: Social) -> None:
    social.put(social.post(0) | {"tweet_id": "9223372036854775807"})
    assert set(social.wait_for_items(1)) == {(f"{social.prefix}-ann", 2**63 - 1)}


def event_of(records: list[bytes]) -> dict[str, Any]:
    """Return an event of the stream with these records."""
    event = recorded("ingest_posts")
    template = event["Records"][0]
    event["Records"] = [
        template
        | {
            "kinesis": template["kinesis"]
            | {"sequenceNumber": f"497{number:053d}", "data": base64.b64encode(data).decode()}
        }
        for number, data in enumerate(records)
    ]
    return event


def test_an_aggregated_record_is_split_and_each_part_is_a_post(social: Social) -> None:
    [record] = recorded("ingest_aggregated")["Records"]
    before = social.items("event-")
    social.put(base64.b64decode(record["kinesis"]["data"]))

    def changed() -> list[dict[str, Any]]:
        found = [item for key, item in social.items("event-").items() if item != before.get(key)]
        return found if len(found) == 6 else []

    items = wait_until(changed, seconds=30, what="six posts")
    numbers = sorted(item["RecordNum"]["S"] for item in items)
    assert [number.partition(".")[2] for number in numbers] == [f"{part:05d}" for part in range(6)]
    assert len({number.partition(".")[0] for number in numbers}) == 1


def test_an_aggregated_record_with_a_bad_md5_goes_into_quarantine_whole(social: Social) -> None:
    [record] = recorded("ingest_aggregated_bad_md5")["Records"]
    data = base64.b64decode(record["kinesis"]["data"])
    social.put(social.post(1), data, social.post(2))
    assert wait_for_quarantine(social, data)[1] == "no JSON"
    social.wait_for_items(2)


def test_of_duplicate_keys_in_a_batch_the_last_wins(social: Social) -> None:
    social.put(*(social.post(1, Tweet=f"version {version}") for version in range(40)))
    wait_until(
        lambda: [item["Tweet"]["S"] for item in social.items().values()] == ["version 39"], seconds=30,
        what="the last version",
    )  # fmt: skip


def test_the_26th_item_and_batches_over_16_mb_are_divided(social: Social) -> None:
    posts = [
        social.post(number, Tweet="\x01" * 120_000, RecordNum=f"{number:056d}.00000") for number in range(30)
    ]
    writer = BatchWriter(
        social.suite.client("dynamodb"), social.suite["SocialPostsTableName"], ("user_id", "tweet_id")
    )
    outcome = writer.write(posts, deadline=float("inf"))
    assert (outcome.written, outcome.done) == (30, True)
    assert outcome.calls >= 2
    assert len(social.items()) == 30


def test_what_the_table_can_never_take_is_refused_alone(social: Social) -> None:
    bad: dict[str, Any] = {
        "a float": social.post(3, Location=0.5),
        "over 400 KB": social.post(4, Location="x" * 409_600),
        "not a number": social.post(5, Location=Decimal("NaN")),
        "a key of another type": social.post(6) | {"tweet_id": "6"},
        "an empty key": social.post(7) | {"user_id": ""},
        "a name that is no text": social.post(8) | {1: 2},
        "no item": None,
        "a delete of more than a key": Delete(social.post(9)),
        "a delete by a key of another type": Delete({"user_id": "u", "tweet_id": "x"}),
        "nested too deeply": social.post(10, Location=json.loads("[" * 40 + "]" * 40)),
    }
    writer = BatchWriter(
        social.suite.client("dynamodb"), social.suite["SocialPostsTableName"], ("user_id", "tweet_id")
    )
    good = [social.post(number) for number in range(100, 160)]
    requests = [*good[:7], *bad.values(), *good[7:]]
    outcome = writer.write(requests, deadline=float("inf"))
    assert [refused.request for refused in outcome.refused] == list(bad.values())
    assert (outcome.written, outcome.unwritten) == (60, [])
    assert sorted(number for _, number in social.items()) == list(range(100, 160))


@pytest.mark.parametrize("fresh_until", [4e9, 0], ids=["fresh", "late"])
def test_post_that_the_table_refuses_is_dead_lettered_with_its_reason(
    social: Social, fresh_until: float
) -> None:
    bad = social.post(1, RecordNum="1") | {"tweet_id": "one"}
    posts = [social.post(number, RecordNum="1") for number in (2, 3)]
    social.invoke("Write", {"posts": [posts[0], bad, posts[1]], "fresh_until": fresh_until})
    assert sorted(number for _, number in social.items()) == [2, 3]
    reasons = [reason for post, reason in social.dead_letters_with_reasons() if post == bad]
    assert [reason.partition(": ")[0] for reason in reasons] == ["ValidationException"]


def test_an_event_that_is_no_write_request_ends_in_the_dead_letter_queue(social: Social) -> None:
    sqs, queue = social.suite.client("sqs"), social.suite["SocialDeadLetterQueueUrl"]
    strange = {"not": f"a write request of {social.prefix}"}
    social.suite.client("lambda").invoke(
        FunctionName=social.suite["SocialWriteFunctionName"], InvocationType="Event",
        Payload=json.dumps(strange).encode(),
    )  # fmt: skip

    def dead_lettered() -> bool:
        received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=1)
        bodies = [json.loads(message["Body"]) for message in received.get("Messages", [])]
        return strange in bodies

    wait_until(dead_lettered, seconds=30, what="the event in the queue")
    sqs.purge_queue(QueueUrl=queue)


def test_an_older_event_after_a_newer_one_loses(social: Social) -> None:
    def event(version: int) -> dict[str, Any]:
        post = social.post(1, Tweet=f"version {version}", RecordNum=f"{version:056d}.00000")
        return {"posts": [post], "fresh_until": 0}

    for version in (5, 3, 5, 4, 9, 8):
        social.invoke("Write", event(version))
    assert [item["Tweet"]["S"] for item in social.items().values()] == ["version 9"]


def test_the_same_event_twice_changes_nothing(social: Social) -> None:
    post = social.post(1, RecordNum=f"{1:056d}.00000")
    for fresh_until in (4e9, 4e9, 0):
        social.invoke("Write", {"posts": [post], "fresh_until": fresh_until})
    assert len(social.items()) == 1
    wait_until(lambda: social.distinct() == 1, seconds=30, what="one post in the lake")
    assert len(social.lines()) == 1, "an item that is put again is not an INSERT"


def test_modify_and_remove_are_no_activity(social: Social) -> None:
    social.put(social.post(1), social.post(2))
    social.wait_for_items(2)
    dynamodb, table = social.suite.client("dynamodb"), social.suite["SocialPostsTableName"]
    key = {"user_id": {"S": f"{social.prefix}-ann"}, "tweet_id": {"N": "1"}}
    dynamodb.update_item(
        TableName=table, Key=key, UpdateExpression="SET Tweet = :text",
        ExpressionAttributeValues={":text": {"S": "edited"}},
    )  # fmt: skip
    dynamodb.delete_item(TableName=table, Key=key)
    social.put(social.post(3))
    wait_until(lambda: social.distinct() == 3, seconds=30, what="the later post in the lake")
    assert sorted(line["tweet_id"] for line in social.lines()) == [1, 2, 3]
