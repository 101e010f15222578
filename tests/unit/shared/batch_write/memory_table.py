"""A DynamoDB table in memory that is slow, throttles and leaves items over, on a clock that tests move."""

from __future__ import annotations

import json
import random
import threading
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

__all__ = ["Clock", "MemoryTable"]


class Clock:
    """Seconds that pass only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept.append(seconds)
        self.now += seconds


class MemoryTable:
    """Takes `BatchWriteItem` as DynamoDB does; its rules and limits are those of the API reference.

    Args:
        keys: Names of the key's attributes.
        seed: Of the faults.
        unprocessed: Probability with which an item comes back.
        throttled: Probability with which a call is refused.
        broken: Probability with which a call is taken and its answer lost.
        clock: Moved by `latency` in each call.
        refusal: Code of an error that every call gets.
        key_type: Of the key's attributes; a call that has another is refused as a whole.
    """

    def __init__(
        self,
        *keys: str,
        seed: int = 0,
        unprocessed: float = 0.0,
        throttled: float = 0.0,
        broken: float = 0.0,
        clock: Clock | None = None,
        latency: float = 0.0,
        refusal: str = "",
        key_type: str = "",
    ) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.batches: list[list[dict[str, Any]]] = []
        self.at_once = 0
        self.most_at_once = 0
        self._keys = keys
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._odds = (unprocessed, throttled, broken)
        self._clock, self._latency, self._refusal = clock, latency, refusal
        self._key_type = key_type

    def batch_write_item(self, *, RequestItems: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:  # noqa: N803
        with self._lock:
            [(table, requests)] = RequestItems.items()
            self.batches.append(requests)
            if self._clock:
                self._clock.now += self._latency
            self._check(requests)
            return self._take(table, requests)

    def _check(self, requests: list[dict[str, Any]]) -> None:
        wire = len(json.dumps(requests, default=lambda content: content.hex()))
        keys = [self.key(request) for request in requests]
        if not 1 <= len(requests) <= 25 or wire > 16 * 1024 * 1024 or len(set(keys)) < len(keys):
            raise error("ValidationException")
        if self._refusal:
            raise error(self._refusal)
        types = {kind for request in requests for kind in self._types(request)}
        if self._key_type and types != {self._key_type}:
            raise error("ValidationException")

    def _take(self, table: str, requests: list[dict[str, Any]]) -> dict[str, Any]:
        unprocessed, throttled, broken = self._odds
        if self._random.random() < throttled:
            raise error("ProvisionedThroughputExceededException")
        left = [request for request in requests if self._random.random() < unprocessed]
        if len(left) == len(requests):
            raise error("ProvisionedThroughputExceededException")
        for request in requests:
            if request in left:
                continue
            if "PutRequest" in request:
                self.items[self.key(request)] = request["PutRequest"]["Item"]
            else:
                self.items.pop(self.key(request), None)
        if self._random.random() < broken:
            raise ReadTimeoutError(endpoint_url="memory")
        return {"UnprocessedItems": {table: left} if left else {}}

    def _types(self, request: dict[str, Any]) -> set[str]:
        return {kind for name in self._keys for kind in _item(request)[name]}

    def key(self, request: dict[str, Any]) -> str:
        """What DynamoDB tells items apart by."""
        values = (next(iter(_item(request)[name].items())) for name in self._keys)
        return repr([Decimal(value).normalize() if kind == "N" else value for kind, value in values])


def _item(request: dict[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = (
        request["PutRequest"]["Item"] if "PutRequest" in request else request["DeleteRequest"]["Key"]
    )
    return item


def error(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "injected"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "BatchWriteItem",
    )
