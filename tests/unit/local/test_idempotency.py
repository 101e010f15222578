"""Tokens of requests: the same answer again, another request refused, for a time."""

from __future__ import annotations

import pytest

from local.engine.idempotency import Mismatch, Replays


def test_the_same_request_gets_the_first_answer_until_the_token_ends() -> None:
    now = 100.0
    replays = Replays(300, clock=lambda: now)
    assert replays.find("t", {"a": 1, "b": 2}) is None
    replays.keep("t", {"a": 1, "b": 2}, "first")
    now = 399.9
    assert replays.find("t", {"b": 2, "a": 1}) == "first"
    assert replays.find("other", {"a": 1, "b": 2}) is None
    now = 400.0
    assert replays.find("t", {"a": 1, "b": 2}) is None


def test_another_request_with_the_token_is_refused_with_the_first_answer() -> None:
    replays = Replays(300, clock=lambda: 0.0)
    replays.keep("t", {"a": 1}, "first")
    with pytest.raises(Mismatch) as caught:
        replays.find("t", {"a": 2})
    assert caught.value.answer == "first"
