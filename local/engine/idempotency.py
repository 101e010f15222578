"""Requests with a token: the same one again gets the first answer, another one is refused."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any

__all__ = ["Mismatch", "Replays"]


class Mismatch(Exception):
    """The token came with other parameters before.

    Attributes:
        answer: What the first request was answered.
    """

    def __init__(self, answer: Any) -> None:
        super().__init__("the token came with other parameters")
        self.answer = answer


class Replays:
    """Answers by token, for as long as a service keeps them.

    Args:
        seconds: How long a token is kept, in real time: nothing waits for its end.
        clock: Seconds that go on.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._kept: dict[Hashable, tuple[float, str, Any]] = {}
        self._lock = threading.Lock()

    def find(self, token: Hashable, request: Mapping[str, Any]) -> Any | None:
        """Return the answer that the same request got, if it is kept.

        Raises:
            Mismatch: It was another request.
        """
        with self._lock:
            until, first, answer = self._kept.get(token, (0.0, "", None))
        if until <= self._clock():
            return None
        if first != _canonical(request):
            raise Mismatch(answer)
        return answer

    def keep(self, token: Hashable, request: Mapping[str, Any], answer: Any) -> None:
        """Keep the answer to a request."""
        now = self._clock()
        with self._lock:
            self._kept = {key: kept for key, kept in self._kept.items() if kept[0] > now}
            self._kept[token] = (now + self._seconds, _canonical(request), answer)


def _canonical(request: Mapping[str, Any]) -> str:
    return json.dumps(request, sort_keys=True)
