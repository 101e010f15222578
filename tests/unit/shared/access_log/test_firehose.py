"""Rows are packed and sent: none lost, none doubled."""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.access_log import MAX_BATCH, MAX_BATCH_BYTES, MAX_RECORD, PutResult, pack, put_records

ROWS = st.lists(st.integers(1, 40).map(lambda size: b"x" * (size - 1) + b"\n"), max_size=60)


class Stream:
    """A delivery stream that fails a share of the records, and a clock that only `sleep` moves."""

    def __init__(self, failures: float = 0.0, seed: int = 0) -> None:
        self.accepted: Counter[bytes] = Counter()
        self.calls: list[list[bytes]] = []
        self.now = 0.0
        self.pauses: list[float] = []
        self._failures = failures
        self._rng = random.Random(seed)

    def send(self, batch: list[bytes]) -> Sequence[str | None]:
        assert 0 < len(batch) <= MAX_BATCH
        assert sum(map(len, batch)) <= MAX_BATCH_BYTES
        self.calls.append(batch)
        answers = ["Failed" if self._rng.random() < self._failures else None for _ in batch]
        self.accepted.update(record for record, error in zip(batch, answers, strict=True) if not error)
        return answers

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.pauses.append(seconds)
        self.now += seconds

    def put(
        self, records: Any, send: Callable[[list[bytes]], Any] | None = None, **options: Any
    ) -> PutResult:
        given: dict[str, Any] = {"deadline": 1e9, "jitter": self._rng.random} | options
        return put_records(send or self.send, records, clock=lambda: self.now, sleep=self.sleep, **given)


@given(ROWS, st.lists(st.integers(1, 10), min_size=1), st.integers(40, 200))
def test_packing_keeps_every_row_whole_and_in_order(rows: list[bytes], cuts: list[int], limit: int) -> None:
    left, blocks = iter(rows), []
    for size in itertools.cycle(cuts):
        if not (block := b"".join(itertools.islice(left, size))):
            break
        blocks.append(block)
    records = list(pack(blocks, limit))
    assert b"".join(records) == b"".join(rows)
    assert all(record.endswith(b"\n") and len(record) <= limit for record in records)
    # No two neighbours would have fitted into one, up to a row's length.
    assert all(len(a) + len(b) > limit - 40 for a, b in itertools.pairwise(records))


def test_records_are_as_full_as_rows_allow() -> None:
    rows = [b"r" * 499 + b"\n"] * 10_000
    records = list(pack(iter(rows)))
    assert [len(record) for record in records] == [1_024_000] * 4 + [904_000]
    assert MAX_RECORD == 1_024_000


def test_a_row_longer_than_a_record_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than a record"):
        list(pack([b"12\n", b"12345\n"], 5))


def test_nothing_to_pack_is_no_record() -> None:
    assert list(pack([])) == list(pack([b""])) == []


@pytest.mark.parametrize("seed", range(100))
def test_at_30_percent_failures_nothing_is_lost_or_doubled(seed: int) -> None:
    stream = Stream(0.3, seed)
    records = [f"{seed}-{number}\n".encode() for number in range(1_700)]
    result = stream.put(iter(records))
    assert (result.accepted, result.done, list(result.unaccepted)) == (1_700, True, [])
    assert stream.accepted == Counter(records)


def test_leftovers_travel_in_full_batches() -> None:
    stream = Stream(0.3, 1)
    stream.put([f"{number}\n".encode() for number in range(10_000)])
    assert all(len(call) == MAX_BATCH for call in stream.calls[:20])
    assert len(stream.calls) < 40


def test_batches_keep_to_four_mebibytes() -> None:
    stream = Stream(0.2, 2)
    records = [bytes([number]) * 1_000_000 for number in range(20)]
    assert stream.put(records).accepted == 20
    assert max(map(len, stream.calls)) == 4


@given(st.floats(0, 0.9), st.integers(0, 1_200), st.integers(0, 99), st.floats(0, 3))
def test_at_the_deadline_what_was_not_accepted_comes_back(
    failures: float, count: int, seed: int, deadline: float
) -> None:
    stream = Stream(failures, seed)
    records = [f"{number}\n".encode() for number in range(count)]
    result = stream.put(iter(records), deadline=deadline)
    left = list(result.unaccepted)
    assert Counter(left) + stream.accepted == Counter(records)
    assert result.done == (not left) or deadline == 0
    assert result.accepted == count - len(left)
    assert stream.now <= deadline + 1e-9  # a sum of floats


def test_pauses_are_jittered_grow_and_end_with_success() -> None:
    fails = iter([True] * 8 + [False, True, False, False])
    stream = Stream()
    stream.put(
        [b"a\n"] * 501 + [b"b\n"] * 500,
        send=lambda batch: ["Slow"] * len(batch) if next(fails) else [None] * len(batch),
        jitter=lambda: 0.5,
    )
    assert stream.pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.5, 2.5, 0.05]


def test_a_call_that_raises_a_named_exception_is_repeated() -> None:
    stream = Stream()
    outcomes = iter([TimeoutError(), None])

    def send(batch: list[bytes]) -> Sequence[str | None]:
        if error := next(outcomes):
            raise error
        return stream.send(batch)

    assert stream.put([b"a\n"], send=send, retry_on=(TimeoutError,)).accepted == 1
    with pytest.raises(ZeroDivisionError):
        stream.put([b"a\n"], send=lambda _: [str(1 / 0)], retry_on=(TimeoutError,))


def test_mistakes_of_the_caller_are_refused() -> None:
    with pytest.raises(ValueError, match="2 answers to 1 records"):
        Stream().put([b"a\n"], send=lambda _: [None, None])
    with pytest.raises(ValueError, match="longer than a batch"):
        Stream().put([bytes(MAX_BATCH_BYTES + 1)])


def test_records_are_taken_only_as_they_are_needed() -> None:
    taken = itertools.count()
    result = Stream(1.0).put((b"%d\n" % next(taken) for _ in range(10_000)), deadline=3)
    assert next(taken) < 1_001
    assert not result.done
    assert sum(1 for _ in result.unaccepted) == 10_000 - result.accepted
