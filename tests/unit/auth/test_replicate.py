"""The function of the stream: what nobody foresaw holds up no shard."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from auth import replicate
from auth.regions import Queues

EVENT = json.loads((Path(__file__).parents[3] / "events/auth/replicate_account.json").read_text())
KEY = EVENT["Records"][0]["dynamodb"]["Keys"]["pk"]["S"]
CONTEXT: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)


class Sqs:
    """Queues that take messages, or do not."""

    def __init__(self, *, out: bool = False) -> None:
        self.out, self.sent = out, list[tuple[str, str]]()

    def send_message(self, **request: Any) -> None:
        if self.out:
            raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": ""}}, "SendMessage")
        self.sent.append((request["QueueUrl"], json.loads(request["MessageBody"])["key"]))


class Broken:
    """A replication that fails as nobody foresaw."""

    def replicate(self, key: str) -> str:
        raise ZeroDivisionError(key)


class Slow:
    """A replication for which a minute is not enough."""

    def __init__(self) -> None:
        self.held = threading.Event()

    def replicate(self, key: str) -> str:
        self.held.wait(60)
        raise ZeroDivisionError(key)


def invoke(monkeypatch: pytest.MonkeyPatch, sqs: Any, replication: Any = None, context: Any = CONTEXT) -> Any:
    queues = Queues(sqs, "T", "K", "dead")
    monkeypatch.setattr(replicate, "get_replication", lambda: (replication or Broken(), queues))
    return replicate.handler(EVENT, context)


def test_an_unforeseen_error_goes_to_the_queue_of_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    sqs = Sqs()
    assert invoke(monkeypatch, sqs) == {"batchItemFailures": []}
    assert sqs.sent == [("T", KEY)], "once for both records of the account"


def test_what_is_slow_goes_to_the_queue_of_writes_before_the_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lambda would end the function, and give it the whole batch again, until the day is over."""
    sqs, slow = Sqs(), Slow()
    try:
        began = time.monotonic()
        left = SimpleNamespace(get_remaining_time_in_millis=lambda: 5_300)
        assert invoke(monkeypatch, sqs, slow, left) == {"batchItemFailures": []}
        assert time.monotonic() - began < 5
        assert sqs.sent == [("T", KEY)]
    finally:
        slow.held.set()


def test_what_no_queue_takes_is_tried_again_by_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = invoke(monkeypatch, Sqs(out=True))["batchItemFailures"]
    numbers = [record["dynamodb"]["SequenceNumber"] for record in EVENT["Records"]]
    assert [each["itemIdentifier"] for each in failed] == numbers[:1], "and all that come after it"
