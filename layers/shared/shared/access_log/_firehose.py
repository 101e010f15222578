"""Rows into records, and records into a delivery stream."""

from __future__ import annotations

import itertools
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

__all__ = ["MAX_BATCH", "MAX_BATCH_BYTES", "MAX_RECORD", "PutResult", "pack", "put_records"]

# Amazon Data Firehose Developer Guide, "Quotas".
MAX_RECORD = 1_000 * 1024
"""Bytes of one record."""
MAX_BATCH = 500
"""Records of one PutRecordBatch."""
MAX_BATCH_BYTES = 4 * 1024 * 1024
"""Bytes of all records of one PutRecordBatch."""


def pack(blocks: Iterable[bytes], limit: int = MAX_RECORD) -> Iterator[bytes]:
    """Join blocks of rows into as few records as a limit allows; no row is divided.

    Firehose bills every record in steps of 5 KB: a row of 500 bytes on its own costs ten times its size.

    Args:
        blocks: Whole rows, each ended by a newline.
        limit: Bytes of a record.

    Raises:
        ValueError: A row is longer than the limit.
    """
    waiting: list[bytes] = []
    size = 0
    for block in blocks:
        start = 0
        # Most blocks fit as they are; one that does not is divided at its last row that fits.
        while size + len(block) - start > limit:
            end = block.rfind(b"\n", start, start + limit - size) + 1
            if end > start:
                waiting.append(block[start:end])
                start = end
            if not waiting:
                raise ValueError(f"a row is longer than a record of {limit} bytes")
            yield b"".join(waiting)
            waiting, size = [], 0
        if start < len(block):
            waiting.append(block[start:] if start else block)
            size += len(block) - start
    if waiting:
        yield b"".join(waiting)


class PutResult(NamedTuple):
    """What became of the records.

    Attributes:
        accepted: How many were accepted.
        done: Whether that is all of them.
        unaccepted: The others, those never sent included. It is lazy: a generator of records is asked for the
            rest of them only as this is read.
    """

    accepted: int
    done: bool
    unaccepted: Iterator[bytes]


def put_records(
    send: Callable[[list[bytes]], Sequence[str | None]],
    records: Iterable[bytes],
    *,
    deadline: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
    jitter: Callable[[], float] = random.random,
    base: float = 0.1,
    cap: float = 5.0,
    retry_on: tuple[type[Exception], ...] = (),
) -> PutResult:
    """Send records in batches until all are accepted or time is up.

    Only the records that failed are sent again, together with fresh ones, so that calls stay full. After a
    call with failures it waits a random part of `base * 2 ** n` seconds, n being how many such calls came in
    a row (full jitter; AWS Architecture Blog, "Exponential Backoff And Jitter").

    Args:
        send: One PutRecordBatch: takes at most 500 records of at most 4 MiB together, and returns each one's
            error code, or None if it was accepted, in their order.
        records: Records of at most 1,000 KiB; taken as they are needed.
        deadline: On `clock`, when to stop. A call that has begun is not cut short.
        clock: Seconds that only grow.
        sleep: Waits for seconds.
        jitter: A random number from 0 to 1.
        base: Seconds.
        cap: Most seconds that it waits at once.
        retry_on: Exceptions of `send` that mean that no record of the call was accepted. Others are raised.

    Raises:
        ValueError: A record is longer than a batch, or `send` returned another number of answers.
    """
    source = iter(records)
    waiting: deque[bytes] = deque()
    accepted = failures = 0
    while clock() < deadline:
        batch = _take(waiting, source)
        if not batch:
            return PutResult(accepted, True, iter(()))
        try:
            answers = send(batch)
        except retry_on:
            answers = ["exception"] * len(batch)
        if len(answers) != len(batch):
            raise ValueError(f"{len(answers)} answers to {len(batch)} records")
        failed = [record for record, error in zip(batch, answers, strict=True) if error]
        accepted += len(batch) - len(failed)
        waiting.extendleft(reversed(failed))
        if failed:
            pause = jitter() * min(cap, base * 2**failures)
            failures = min(failures + 1, 30)
            sleep(max(0.0, min(pause, deadline - clock())))
        else:
            failures = 0
    first = next(source, None) if not waiting else None
    if first is not None:
        waiting.append(first)
    return PutResult(accepted, not waiting, itertools.chain(waiting, source))


def _take(waiting: deque[bytes], source: Iterator[bytes]) -> list[bytes]:
    """The next batch: what waits, then fresh records; one that does not fit waits first in line."""
    batch: list[bytes] = []
    size = 0
    while len(batch) < MAX_BATCH:
        record = waiting.popleft() if waiting else next(source, None)
        if record is None:
            break
        if len(record) > MAX_BATCH_BYTES:
            raise ValueError(f"a record of {len(record)} bytes is longer than a batch")
        if size + len(record) > MAX_BATCH_BYTES:
            waiting.appendleft(record)
            break
        batch.append(record)
        size += len(record)
    return batch
