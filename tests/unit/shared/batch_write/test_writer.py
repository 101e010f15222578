"""What `BatchWriter` promises, on a table in memory and a clock that only sleeping moves."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import CredentialRetrievalError, NoCredentialsError
from botocore.parsers import ResponseParserError
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.batch_write import MAX_BATCH, BatchWriteError, BatchWriter, Delete, deadline_of
from tests.unit.shared.batch_write.memory_table import Clock, MemoryTable, error


def writer(table: Any, clock: Clock, *keys: str, **given: Any) -> BatchWriter:
    options: dict[str, Any] = {"jitter": random.Random(1).random, "concurrency": 4} | given
    return BatchWriter(table, "posts", keys or ("pk",), clock=clock, sleep=clock.sleep, **options)


def items(count: int) -> list[dict[str, Any]]:
    return [{"pk": f"k{number}", "v": number} for number in range(count)]


def values(table: MemoryTable) -> dict[str, int]:
    return {item["pk"]["S"]: int(item["v"]["N"]) for item in table.items.values()}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (25, [25]), (26, [25, 1]), (80, [25, 25, 25, 5])]
)
def test_batches_hold_25_requests(clock: Clock, count: int, sizes: list[int]) -> None:
    table = MemoryTable("pk")
    outcome = writer(table, clock).write(items(count), deadline=clock.now + 9)
    assert sorted(map(len, table.batches), reverse=True) == sizes
    assert (outcome.written, outcome.done, outcome.calls) == (count, True, len(sizes))
    assert values(table) == {f"k{number}": number for number in range(count)}


def test_last_request_for_a_key_wins_and_numbers_are_equal_by_value(clock: Clock) -> None:
    table = MemoryTable("pk", "sk")
    requests = [
        {"pk": "a", "sk": 1, "v": 1}, {"pk": "b", "sk": 1, "v": 2}, {"pk": "a", "sk": 10**3 // 1000, "v": 3},
    ]  # fmt: skip
    outcome = writer(table, clock, "pk", "sk").write(requests, deadline=clock.now + 9)
    assert sorted(int(item["v"]["N"]) for item in table.items.values()) == [2, 3]
    assert (outcome.written, outcome.collapsed) == (2, 1)


def test_deletes_and_puts_of_a_key_are_settled_by_their_order(clock: Clock) -> None:
    table = MemoryTable("pk")
    first: list[Any] = [*items(3), Delete({"pk": "k1"}), Delete({"pk": "k2"}), {"pk": "k2", "v": 9}]
    writer(table, clock).write(first, deadline=clock.now + 9)
    assert values(table) == {"k0": 0, "k2": 9}
    writer(table, clock).write([Delete({"pk": "k0"})], deadline=clock.now + 9)
    assert values(table) == {"k2": 9}


def test_calls_stay_below_16_mb_on_the_wire(clock: Clock) -> None:
    table = MemoryTable("pk")  # refuses more
    control = [
        {"pk": f"k{number}", "v": number, "s": "\x01" * 190_000} for number in range(40)
    ]  # 6 times that
    empty = [{"pk": f"e{number}", "v": number, "l": [""] * 80_000} for number in range(40)]
    assert writer(table, clock).write([*control, *empty], deadline=clock.now + 9).done
    assert len(table.items) == 80
    assert len(table.batches) >= 5


def nested(levels: int) -> Any:
    value: Any = "x"
    for level in range(levels):
        value = [value] if level % 2 else {"m": value}
    return value


REFUSED: list[tuple[Any, str]] = [
    ({"pk": "x", "v": 1.5}, "float"),
    ({"pk": "x", "m": {"deep": [0.1]}}, "float"),
    ({"pk": "x", "s": "x" * 409_600}, "more than an item"),
    ({"v": 1}, "key pk"),
    ({"pk": ""}, "key pk"),
    ({"pk": None}, "key pk"),
    ({"pk": "x" * 2049}, "longer than 2048"),
    ({"pk": "x", "v": 10**39 + 1}, "38 digits"),
    ({"pk": "x", "s": set()}, "set"),
    ({"pk": "x", "o": object()}, "not a type of DynamoDB"),
    ({"pk": "x", "s": "\ud83d"}, "surrogate"),
    ({"pk": "\ud83d"}, "surrogate"),
    ({"pk": "x", "v": nested(33)}, "32 levels"),
    ({"pk": "x", "v": nested(100_000)}, "32 levels"),
    ({"pk": "x", 1: 2}, "name must be a text"),
    ({"pk": "x", "m": {None: 2}}, "name must be a text"),
    (None, "NoneType is not a mapping"),
    ("pk", "str is not a mapping"),
    (Delete({"pk": "x", "v": 1}), "by pk alone"),
    (Delete({}), "by pk alone"),
    (Delete(None), "not a mapping"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("item", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_item_that_dynamodb_can_never_take_is_refused_alone(clock: Clock, item: Any, reason: str) -> None:
    table = MemoryTable("pk")
    outcome = writer(table, clock).write([*items(10), item, *items(30)[10:]], deadline=clock.now + 9)
    [refused] = outcome.refused
    assert refused.request is item
    assert reason in refused.reason
    assert (outcome.written, len(table.items), outcome.done) == (30, 30, False)


def test_nesting_of_32_levels_is_written(clock: Clock) -> None:
    assert writer(MemoryTable("pk"), clock).write([{"pk": "x", "v": nested(32)}], deadline=clock.now + 9).done


@given(bad=st.sets(st.integers(0, 299)), concurrency=st.integers(1, 8), unprocessed=st.sampled_from([0, 0.3]))
def test_call_refused_for_its_contents_is_halved_until_the_bad_are_alone(
    bad: set[int], concurrency: int, unprocessed: float
) -> None:
    clock, table = Clock(), MemoryTable("pk", key_type="S", unprocessed=unprocessed)
    requests: list[Any] = [
        {"pk": number if number in bad else f"k{number}", "v": number} for number in range(300)
    ]
    outcome = writer(table, clock, concurrency=concurrency).write(requests, deadline=clock.now + 900)
    assert [refused.request for refused in outcome.refused] == [requests[number] for number in sorted(bad)]
    assert all("ValidationException" in refused.reason for refused in outcome.refused)
    assert sorted(values(table).values()) == sorted(set(range(300)) - bad)
    assert (outcome.written, outcome.unwritten) == (300 - len(bad), [])
    # From 25 down to 1 a call is halved five times, each time into two.
    assert unprocessed or outcome.calls <= 300 / MAX_BATCH + 10 * len(bad)


def test_request_that_a_refused_one_superseded_is_written(clock: Clock) -> None:
    table = MemoryTable("pk")
    take = table.batch_write_item

    def indexed(**request: Any) -> dict[str, Any]:
        for each in request["RequestItems"]["posts"]:
            if "S" in each["PutRequest"]["Item"]["v"]:
                raise error("ValidationException")  # an index's key of another type
        return take(**request)

    table.batch_write_item = indexed  # type: ignore[method-assign]
    requests: list[Any] = [
        {"pk": "a", "v": 1}, {"pk": "a", "v": 2}, {"pk": "a", "v": "x"}, {"pk": "a", "v": "y"},
        {"pk": "b", "v": 3},
    ]  # fmt: skip
    outcome = writer(table, clock).write(requests, deadline=clock.now + 9)
    assert values(table) == {"a": 2, "b": 3}
    assert [refused.request for refused in outcome.refused] == requests[2:4]
    assert (outcome.written, outcome.collapsed, outcome.unwritten) == (2, 1, [])


def test_halves_are_not_sent_after_the_deadline(clock: Clock) -> None:
    table = MemoryTable("pk", key_type="S", clock=clock, latency=1)
    requests = [*items(20), {"pk": 7}]
    # One call after another: of two at once the clock would count the time twice, or not yet.
    outcome = writer(table, clock, concurrency=1).write(requests, deadline=clock.now + 2.5)
    assert (outcome.refused, outcome.calls) == ([], 3)
    assert outcome.written + len(outcome.unwritten) == 21
    assert {"pk": 7} in outcome.unwritten


@pytest.mark.parametrize("code", ["SerializationException", "ItemCollectionSizeLimitExceededException"])
def test_every_error_about_contents_is_halved(clock: Clock, code: str) -> None:
    outcome = writer(MemoryTable("pk", refusal=code), clock).write(items(40), deadline=clock.now + 9)
    assert [refused.request for refused in outcome.refused] == items(40)
    assert (outcome.written, outcome.unwritten) == (0, [])


def test_call_that_is_too_large_for_http_is_halved(clock: Clock) -> None:
    table = MemoryTable("pk")
    take = table.batch_write_item

    def small(**request: Any) -> dict[str, Any]:
        if len(request["RequestItems"]["posts"]) > 5:
            raise error("413", 413)
        return take(**request)

    table.batch_write_item = small  # type: ignore[method-assign]
    assert writer(table, clock).write(items(60), deadline=clock.now + 9).done


@pytest.mark.parametrize(
    "raised",
    [
        NoCredentialsError(), CredentialRetrievalError(provider="x", error_msg="y"),
        AttributeError("something unforeseen"), RecursionError(), KeyError("UnprocessedItems"),
    ],
    ids=repr,
)  # fmt: skip
def test_every_error_that_leaves_carries_the_outcome(clock: Clock, raised: Exception) -> None:
    table = MemoryTable("pk")
    take, calls = table.batch_write_item, iter(range(100))

    def third_fails(**request: Any) -> dict[str, Any]:
        if next(calls) == 2:
            raise raised
        return take(**request)

    table.batch_write_item = third_fails  # type: ignore[method-assign]
    with pytest.raises(BatchWriteError) as caught:
        writer(table, clock, concurrency=1).write([*items(100), {"pk": ""}], deadline=clock.now + 9)
    assert caught.value.__cause__ is raised
    outcome = caught.value.outcome
    assert (outcome.written, len(table.items), len(outcome.unwritten)) == (50, 50, 50)
    assert [refused.request for refused in outcome.refused] == [{"pk": ""}]


def test_thread_that_cannot_be_started_leaves_the_outcome(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    with pytest.raises(BatchWriteError) as caught:
        writer(MemoryTable("pk"), clock).write(items(30), deadline=clock.now + 9)
    assert caught.value.outcome.unwritten == items(30)


def test_answer_that_cannot_be_read_is_asked_for_again(clock: Clock) -> None:
    table = MemoryTable("pk")
    take, failures = table.batch_write_item, iter([True, True])

    def garbled(**request: Any) -> dict[str, Any]:
        answer = take(**request)  # it was written all the same
        if next(failures, False):
            raise ResponseParserError("Unable to parse response")
        return answer

    table.batch_write_item = garbled  # type: ignore[method-assign]
    assert writer(table, clock, concurrency=1).write(items(5), deadline=clock.now + 9).written == 5


def test_leftovers_are_packed_into_full_batches_again(clock: Clock) -> None:
    table = MemoryTable("pk", seed=3, unprocessed=0.3)
    outcome = writer(table, clock).write(items(1000), deadline=clock.now + 600)
    assert outcome.written == len(table.items) == 1000
    sent = sum(map(len, table.batches))
    # Only the end of the queue may go out in small batches.
    assert len(table.batches) <= sent / MAX_BATCH + 8


@settings(max_examples=100)
@given(
    seed=st.integers(0, 2**32), keys=st.lists(st.integers(0, 60), max_size=200),
    unprocessed=st.sampled_from([0, 0.3, 0.9]), throttled=st.sampled_from([0, 0.3]),
    broken=st.sampled_from([0, 0.1]), concurrency=st.integers(1, 8),
)  # fmt: skip
def test_nothing_is_lost_and_nothing_is_stale_whatever_the_table_does(
    seed: int, keys: list[int], unprocessed: float, throttled: float, broken: float, concurrency: int
) -> None:
    clock = Clock()
    table = MemoryTable("pk", seed=seed, unprocessed=unprocessed, throttled=throttled, broken=broken)
    requests = [{"pk": f"k{key}", "v": version} for version, key in enumerate(keys)]
    outcome = writer(table, clock, concurrency=concurrency).write(requests, deadline=clock.now + 10_000)
    assert values(table) == {request["pk"]: request["v"] for request in requests}
    assert (outcome.written, outcome.unwritten) == (len(set(keys)), [])
    assert outcome.written + outcome.collapsed == len(keys)


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32), seconds=st.floats(0, 3), count=st.integers(0, 300))
def test_what_is_not_written_by_the_deadline_is_returned(seed: int, seconds: float, count: int) -> None:
    clock = Clock()
    table = MemoryTable("pk", seed=seed, unprocessed=0.5, throttled=0.5, clock=clock, latency=0.01)
    end = clock.now + seconds
    outcome = writer(table, clock).write(items(count), deadline=end)
    returned = {cast("dict[str, Any]", request)["pk"] for request in outcome.unwritten}
    assert returned | {item["pk"]["S"] for item in table.items.values()} == {
        f"k{number}" for number in range(count)
    }
    assert outcome.written + len(outcome.unwritten) == count
    assert clock.now <= end + 4 * 0.01, "sleep ends at the deadline; calls under way are waited for"


def test_table_that_takes_nothing_is_asked_ever_more_rarely_until_the_deadline(clock: Clock) -> None:
    table = MemoryTable("pk", throttled=1.0)
    start = clock.now
    outcome = writer(table, clock, jitter=lambda: 1.0, cap=2.0).write(items(100), deadline=start + 20)
    assert [request["v"] for request in cast("list[dict[str, Any]]", outcome.unwritten)] == list(range(100))
    assert clock.now == start + 20
    assert clock.slept[:-1] == sorted(clock.slept[:-1])
    assert max(clock.slept) <= 2.0
    assert outcome.calls < 30


def test_deadline_in_the_past_makes_no_call(clock: Clock) -> None:
    table = MemoryTable("pk")
    outcome = writer(table, clock).write(items(3), deadline=clock.now)
    assert (table.batches, len(outcome.unwritten), outcome.calls) == ([], 3, 0)


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_permanent_error_is_raised_with_what_was_not_written(clock: Clock, code: str) -> None:
    table = MemoryTable("pk", refusal=code)
    with pytest.raises(BatchWriteError) as caught:
        writer(table, clock).write(items(300), deadline=clock.now + 9)
    assert caught.value.__cause__ is not None
    assert code in str(caught.value.__cause__)
    assert len(caught.value.outcome.unwritten) == 300
    assert caught.value.outcome.calls <= 4, "no call begins after the first refusal"


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "InternalServerError", "RequestLimitExceeded", "SomethingNew"]
)
def test_error_that_may_pass_is_tried_again(clock: Clock, code: str) -> None:
    table = MemoryTable("pk")
    take, status = table.batch_write_item, 500 if code == "SomethingNew" else 400
    failures = iter([True, True, False])

    def sometimes(**request: Any) -> dict[str, Any]:
        if next(failures, False):
            raise error(code, status)
        return take(**request)

    table.batch_write_item = sometimes  # type: ignore[method-assign]
    assert writer(table, clock, concurrency=1).write(items(5), deadline=clock.now + 9).written == 5
    assert len(clock.slept) == 2


def test_calls_run_side_by_side_up_to_the_limit(clock: Clock) -> None:
    table = MemoryTable("pk")
    meet = threading.Barrier(4)
    take = table.batch_write_item

    def together(**request: Any) -> dict[str, Any]:
        meet.wait(5)  # breaks unless four calls are under way at once
        return take(**request)

    table.batch_write_item = together  # type: ignore[method-assign]
    assert writer(table, clock, concurrency=4).write(items(200), deadline=clock.now + 9).done


def test_generator_of_requests_is_read_once(clock: Clock) -> None:
    table = MemoryTable("pk")
    assert writer(table, clock).write((item for item in items(30)), deadline=clock.now + 9).written == 30


def test_deadline_leaves_a_margin_of_the_invocations_time() -> None:
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000)
    clock: Callable[[], float] = lambda: 100.0  # noqa: E731
    assert deadline_of(context, margin=3, clock=clock) == 127.0
