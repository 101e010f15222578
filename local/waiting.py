"""Waiting for something that happens by itself."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["wait"]


def wait[T](probe: Callable[[], T], seconds: float) -> T:
    """Ask until the answer is something, or patience ends; the last answer."""
    end = time.monotonic() + seconds
    while not (answer := probe()) and time.monotonic() < end:
        time.sleep(0.2)
    return answer
