"""A queue of requests, calls that take from it, and what comes back."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as UnreachableError
from botocore.parsers import ResponseParserError

from ._items import MAX_ITEM_BYTES, Delete, Identity, Refused, check_names, identity, item_size, serialized
from ._pace import Pace

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

__all__ = ["MAX_BATCH", "MAX_BATCH_BYTES", "BatchWriteError", "BatchWriter", "Outcome", "deadline_of"]

# DynamoDB API Reference, "BatchWriteItem".
MAX_BATCH = 25
"""Requests of one call."""
MAX_BATCH_BYTES = 16 * 1024 * 1024
"""Bytes of one call, as it is sent."""

# On the wire an attribute takes at most 20 times the bytes that DynamoDB counts (an empty text whose name
# is a control character: `"\\u0001": {"S": ""}, ` for 1 byte). Items up to this size need no measuring.
_WIRE_FACTOR = 20
_ENVELOPE = 100  # bytes around an item: `{"PutRequest": {"Item": ...}}, `
_SURELY_FITS = (MAX_BATCH_BYTES // MAX_BATCH - _ENVELOPE) // _WIRE_FACTOR

_RETRYABLE = {
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
}

# About what is in a call, not about the table or the caller: one request of it is to blame.
_ABOUT_CONTENTS = {
    "ItemCollectionSizeLimitExceededException",
    "SerializationException",
    "ValidationException",
}
_TOO_LARGE = 413  # HTTP status

type Request = Mapping[str, Any] | Delete


class _LambdaContext(Protocol):
    def get_remaining_time_in_millis(self) -> int: ...


def deadline_of(
    context: _LambdaContext, *, margin: float, clock: Callable[[], float] = time.monotonic
) -> float:
    """When to stop, on `clock`, so that an invocation has `margin` seconds left for what follows."""
    return clock() + context.get_remaining_time_in_millis() / 1000 - margin


@dataclass(frozen=True)
class Outcome:
    """What became of the requests.

    Attributes:
        written: How many keys were written or deleted.
        unwritten: Requests that were not, in their order, for lack of time or because of an error. One whose
            call broke off may have been written all the same.
        refused: Requests that DynamoDB can never take.
        collapsed: How many requests were superseded by a later one for the same key.
        calls: How many calls were made.
    """

    written: int
    unwritten: list[Request] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    collapsed: int = 0
    calls: int = 0

    @property
    def done(self) -> bool:
        """Whether everything was written."""
        return not self.unwritten and not self.refused


class BatchWriteError(Exception):
    """A call failed in a way that trying again does not help; its cause says how.

    Attributes:
        outcome: What had been written until then, and what was not.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(f"{outcome.written} written, {len(outcome.unwritten)} not")
        self.outcome = outcome


class _Entry(NamedTuple):
    """A request on its way."""

    place: int
    given: Request
    identity: Identity
    wire: WriteRequestTypeDef
    wire_bytes: int
    superseded: _Entry | None = None  # the request before it for the same key


class BatchWriter:
    """Writes to one table.

    Args:
        dynamodb: A boto3 client that does not retry, because its retries know no deadline
            (`shared.clients.client_without_retries`).
        table: The table's name.
        keys: Names of its partition key and, if it has one, its sort key.
        concurrency: Calls under way at most; the client should keep as many connections.
        base: Seconds of the first pause at most, halved.
        cap: Seconds of any pause at most.
        clock: Seconds that only grow.
        sleep: Waits for seconds.
        jitter: A random number from 0 to 1.
    """

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        table: str,
        keys: Sequence[str],
        *,
        concurrency: int = 16,
        base: float = 0.025,
        cap: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._keys = tuple(keys)
        self._concurrency = concurrency
        self._base, self._cap = base, cap
        self._clock, self._sleep, self._jitter = clock, sleep, jitter

    def write(self, requests: Iterable[Request], *, deadline: float) -> Outcome:
        """Put items, and delete those of which a `Delete` is given, until all is done or time is up.

        Args:
            requests: Items to put, or `Delete`s; of those for one key the last wins.
            deadline: On the writer's clock, when to stop. Calls that have begun are waited for, at most for
                the client's read time-out.

        Raises:
            BatchWriteError: DynamoDB refused a call for good.
        """
        latest: dict[Identity, _Entry] = {}
        run = _Run(Pace(self._concurrency, jitter=self._jitter, base=self._base, cap=self._cap))
        given = 0
        for place, request in enumerate(requests):
            given += 1
            try:
                entry = self._entry(place, request)
            except (TypeError, ValueError) as error:
                run.refused[place] = Refused(request, _reason(error))
                continue
            before = latest.pop(entry.identity, None)  # its place in line goes, too
            latest[entry.identity] = entry._replace(superseded=before)
        run.collapsed = given - len(run.refused) - len(latest)
        run.queue.extend(latest.values())
        with ThreadPoolExecutor(self._concurrency, "batch-write") as pool:
            self._drain(run, pool, deadline)
        left = run.left()
        outcome = Outcome(
            written=given - run.collapsed - len(run.refused) - len(left),
            unwritten=[entry.given for entry in left],
            refused=[refused for _, refused in sorted(run.refused.items())],
            collapsed=run.collapsed,
            calls=run.calls,
        )
        if run.error is not None:
            raise BatchWriteError(outcome) from run.error
        return outcome

    def _entry(self, place: int, request: Request) -> _Entry:
        """Check a request and put it into DynamoDB's form."""
        deletes = isinstance(request, Delete)
        attributes = request.key if isinstance(request, Delete) else request
        if not isinstance(attributes, Mapping):
            raise TypeError(f"{type(attributes).__name__} is not a mapping of attributes")
        check_names(attributes)
        if deletes and set(attributes) != set(self._keys):
            raise ValueError(f"what is deleted is named by {' and '.join(self._keys)} alone")
        item = {name: serialized(value) for name, value in attributes.items()}
        same = identity(item, self._keys)
        size = item_size(item)
        if size > MAX_ITEM_BYTES:
            raise ValueError(f"{size} bytes are more than an item may have")
        wire: WriteRequestTypeDef = (
            {"DeleteRequest": {"Key": item}} if deletes else {"PutRequest": {"Item": item}}
        )
        wire_bytes = (
            _WIRE_FACTOR * size if size <= _SURELY_FITS else len(json.dumps(item, default=_base64_long))
        )
        return _Entry(place, request, same, wire, _ENVELOPE + wire_bytes)

    def _drain(self, run: _Run, pool: ThreadPoolExecutor, deadline: float) -> None:
        """Make calls until the queue is empty, time is up or an error is permanent, and wait for all."""
        while True:
            now = self._clock()
            while run.may_start(now) and now < deadline:
                run.start(pool, self._call)
                now = self._clock()
            if run.flying:
                # A pause may end before the calls do.
                patience = run.pace.resume - now if run.pace.resume > now else None
                for call in wait(run.flying, patience, FIRST_COMPLETED).done:
                    run.settle(call, self._clock())
            elif run.waiting and run.error is None and now < deadline:
                self._sleep(min(run.pace.resume, deadline) - now)
            else:
                return

    def _call(self, batch: list[_Entry]) -> list[_Entry]:
        """Make one call, on a thread of its own; what came back."""
        try:
            answer = self._dynamodb.batch_write_item(
                RequestItems={self._table: [entry.wire for entry in batch]}
            )
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status >= 500 or error.response["Error"]["Code"] in _RETRYABLE:
                return batch
            raise
        except (HTTPClientError, UnreachableError, ResponseParserError):
            return batch  # it may have been written; putting it again changes nothing
        sent = {entry.identity: entry for entry in batch}
        unprocessed: Iterable[dict[str, Any]] = itertools.chain(*answer["UnprocessedItems"].values())  # type: ignore[arg-type]
        return [sent[identity(_item_of(wire), self._keys)] for wire in unprocessed]


class _Run:
    """The state of one `write`; only the thread that called it touches it.

    A call that is refused for what is in it is halved, and its halves are calls of their own, until what is
    to blame is alone: what shared a call with it is written.
    """

    def __init__(self, pace: Pace) -> None:
        self.queue: deque[_Entry] = deque()
        self.halves: deque[list[_Entry]] = deque()
        self.pace = pace
        self.flying: dict[Future[list[_Entry]], list[_Entry]] = {}
        self.refused: dict[int, Refused] = {}
        self.collapsed = 0
        self.calls = 0
        self.error: Exception | None = None

    @property
    def waiting(self) -> bool:
        """Whether there is anything to send."""
        return bool(self.queue or self.halves)

    def left(self) -> list[_Entry]:
        """What is not written, as it was given."""
        return sorted([*self.queue, *itertools.chain(*self.halves)], key=lambda entry: entry.place)

    def may_start(self, now: float) -> bool:
        """Whether a call may begin."""
        if not self.waiting or self.error is not None or now < self.pace.resume:
            return False
        if self.pace.troubled and self.flying and not self.halves and len(self.queue) < MAX_BATCH:
            return False  # what comes back fills the batch
        return len(self.flying) < self.pace.window

    def start(self, pool: ThreadPoolExecutor, call: Callable[[list[_Entry]], list[_Entry]]) -> None:
        """Begin a call."""
        batch = self.halves.popleft() if self.halves else self._from_queue()
        try:
            self.flying[pool.submit(call, batch)] = batch
        except RuntimeError as error:  # no thread can be started
            self.queue.extendleft(reversed(batch))
            self.error = error
            return
        self.calls += 1

    def _from_queue(self) -> list[_Entry]:
        """Remove a batch from the head of the queue."""
        batch = [self.queue.popleft()]
        room = MAX_BATCH_BYTES - batch[0].wire_bytes
        while self.queue and len(batch) < MAX_BATCH and self.queue[0].wire_bytes <= room:
            room -= self.queue[0].wire_bytes
            batch.append(self.queue.popleft())
        return batch

    def settle(self, call: Future[list[_Entry]], now: float) -> None:
        """Learn from a call that ended; what came back is first in line again."""
        batch = self.flying.pop(call)
        try:
            left = call.result()
        except Exception as error:  # noqa: BLE001 - whatever it is leaves with the outcome
            if _about_contents(error):
                self._halve(batch, error)
                return
            self.error = error
            left = batch
        self.queue.extendleft(reversed(left))
        self.pace.answered(len(batch), len(left), now)

    def _halve(self, batch: list[_Entry], error: Exception) -> None:
        """Divide a call of which one request is to blame, and refuse one that is alone."""
        if len(batch) > 1:
            middle = len(batch) // 2
            self.halves.extendleft([batch[middle:], batch[:middle]])
            return
        [entry] = batch
        self.refused[entry.place] = Refused(entry.given, _reason(error))
        if entry.superseded is not None:  # by what was none
            self.queue.appendleft(entry.superseded)
            self.collapsed -= 1


def _about_contents(error: Exception) -> bool:
    if not isinstance(error, ClientError):
        return False
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return error.response["Error"]["Code"] in _ABOUT_CONTENTS or status == _TOO_LARGE


def _reason(error: Exception) -> str:
    """Why a request is refused, without its contents."""
    if isinstance(error, UnicodeError):
        return "a text holds half of a surrogate pair"
    if isinstance(error, ClientError):
        return f"{error.response['Error']['Code']}: {error.response['Error'].get('Message', '')}"
    return str(error)


def _item_of(wire: Mapping[str, Any]) -> Mapping[str, Any]:
    item: Mapping[str, Any] = (
        wire["PutRequest"]["Item"] if "PutRequest" in wire else wire["DeleteRequest"]["Key"]
    )
    return item


def _base64_long(content: bytes) -> str:
    """A text as long as the one in which bytes travel."""
    return "=" * (-(-len(content) // 3) * 4)
