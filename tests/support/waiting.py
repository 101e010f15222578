"""Waiting for something that happens asynchronously, without asserting how fast."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["wait_until"]


def wait_until[T](probe: Callable[[], T], *, seconds: float = 15.0, every: float = 0.05, what: str = "") -> T:
    """Call ``probe`` until its answer is true, and return that answer.

    Raises:
        AssertionError: ``seconds`` went by; names ``what`` was awaited and the last answer.
    """
    end = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:g} s for {what or probe}, last answer: {answer!r}")
        time.sleep(every)
