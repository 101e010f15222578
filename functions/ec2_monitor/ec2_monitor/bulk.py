"""Bulk requests to an OpenSearch index: each document created once, under its event's identity.

Firehose can set no `_id`; this can, so that what is delivered twice is one document. Of a request that is
refused as a whole the halves are sent: a single document that the index will never take keeps no other back.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any, NamedTuple

from shared.signed_http import Answer, UnreachableError

__all__ = ["MAX_BYTES", "Entry", "Outcome", "Result", "create"]

MAX_BYTES = 5 << 20
"""Bytes of a request: half of what the smaller instances take
(https://docs.aws.amazon.com/opensearch-service/latest/developerguide/limits.html#network-limits)."""

_FOR_GOOD = {400, 413}  # what has no place in the mapping, or is not JSON; what is too long


# 400 as well, but of the index and not of a document: closed, or not to be made for want of shards.
_OF_THE_INDEX = {"index_closed_exception", "validation_exception"}


class Entry(NamedTuple):
    """A document as a line of JSON with its end, and its `_id`."""

    identity: str
    line: bytes


class Result(Enum):
    """What became of a document."""

    CREATED = "created"
    KNOWN = "known"  # the index had it already
    REFUSED = "refused"  # the index will never take it
    DELAYED = "delayed"  # not now


class Outcome(NamedTuple):
    """What became of a document; `reason` is the server's kind of error, and quotes no document."""

    result: Result
    reason: str = ""


type Post = Callable[[bytes], Answer]
"""Sends one bulk request."""


def create(
    post: Post, entries: Sequence[Entry], *, goes_on: Callable[[], bool], max_bytes: int = MAX_BYTES
) -> list[Outcome]:
    """Create documents, those that are there already excepted.

    Args:
        post: Sends a bulk request.
        entries: In any order; an identity may be there twice.
        goes_on: Whether there is time for a further request.
        max_bytes: Of a request; a longer document is sent alone.

    Returns:
        The outcome of each entry, in their order. Once the server is busy, or does not answer, nothing more
        is sent.
    """
    outcomes = [Outcome(Result.DELAYED, "out of time")] * len(entries)
    waiting = deque(_parts(entries, max_bytes))
    while waiting and goes_on():
        part = waiting.popleft()
        try:
            answer = post(b"".join(_lines(entries[place]) for place in part))
        except UnreachableError as error:
            answer = Answer(0, str(error).encode())
        for_good = answer.status in _FOR_GOOD and _kind(answer.body) not in _OF_THE_INDEX
        if for_good and len(part) > 1:
            middle = len(part) // 2
            waiting.extendleft((part[middle:], part[:middle]))
            continue
        whole = Result.REFUSED if for_good else Result.DELAYED
        for place, outcome in zip(part, _outcomes(answer, len(part), whole), strict=True):
            outcomes[place] = outcome
        if answer.status != 200 and not for_good:
            for place in (place for part in waiting for place in part):
                outcomes[place] = outcomes[part[0]]
            break
    return outcomes


def _lines(entry: Entry) -> bytes:
    return b'{"create":{"_id":%s}}\n%s' % (json.dumps(entry.identity).encode(), entry.line)


def _parts(entries: Sequence[Entry], max_bytes: int) -> Iterator[list[int]]:
    """Places of entries, as many together as a request may hold."""
    part: list[int] = []
    size = 0
    for place, entry in enumerate(entries):
        length = len(_lines(entry))
        if part and size + length > max_bytes:
            yield part
            part, size = [], 0
        part.append(place)
        size += length
    if part:
        yield part


def _outcomes(answer: Answer, number: int, whole: Result) -> list[Outcome]:
    """The outcomes of a request's documents; `whole` is that of all if the request itself was refused."""
    if answer.status != 200:
        reason = f"{answer.status} {_kind(answer.body)}" if answer.status else answer.body.decode()
        return [Outcome(whole, reason.strip())] * number
    try:
        outcomes = [_outcome(item["create"]) for item in json.loads(answer.body)["items"]]
    except (ValueError, KeyError, TypeError):
        outcomes = []
    # Documents that the answer does not tell of are sent again; creating them twice changes nothing.
    return outcomes if len(outcomes) == number else [Outcome(Result.DELAYED, "no answer to bulk")] * number


def _outcome(result: dict[str, Any]) -> Outcome:
    status = result["status"]
    if status in (200, 201):
        return Outcome(Result.CREATED)
    if status == 409:
        return Outcome(Result.KNOWN)
    kind = result["error"]["type"]
    # Anything else may pass: a full queue (429), a lost shard (503), an index that is closed to writes (403).
    for_good = status in _FOR_GOOD and kind not in _OF_THE_INDEX
    return Outcome(Result.REFUSED if for_good else Result.DELAYED, f"{status} {kind}")


def _kind(body: bytes) -> str:
    """The kind of error in the answer to a whole request, if it says one."""
    try:
        return str(json.loads(body)["error"]["type"])
    except (ValueError, KeyError, TypeError):
        return ""
