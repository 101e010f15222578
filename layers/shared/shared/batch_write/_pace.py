"""How many calls may be under way, and when the next may begin."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Pace"]

_TOO_MUCH = 0.4  # of what was sent lately came back: the table takes less than it is given
_NEWEST = 0.3  # weight of a call in what is true lately


class Pace:
    """Additive increase, decrease in proportion to what came back, pauses with full jitter.

    A call that was taken whole lets one more be under way. One of which a share came back lowers their
    number by half of that share (as DCTCP does for marked packets), so that leftovers that do not depend on
    load cost little, and throttling halves it. A call of which nothing was taken, and any call while lately
    two fifths of what was sent came back, is followed by a pause of a random part of `base * 2 ** n` seconds,
    n being how many such calls came in a row, at most 2 as long as the table takes something (AWS
    Architecture Blog, "Exponential Backoff And Jitter").

    Args:
        most: Calls under way at most.
        jitter: A random number from 0 to 1.
        base: Seconds.
        cap: Seconds of the longest pause.
        start: Calls under way at first.

    Attributes:
        resume: On the caller's clock, before when no call should begin.
        troubled: Whether the last call left something over.
    """

    def __init__(
        self, most: int, *, jitter: Callable[[], float], base: float, cap: float, start: float = 4.0
    ) -> None:
        self.resume = float("-inf")
        self.troubled = False
        self._most = most
        self._jitter = jitter
        self._base, self._cap = base, cap
        self._window = min(start, most)
        self._in_a_row = 0
        self._lately = 0.0

    @property
    def window(self) -> int:
        """Calls that may be under way now; at least 1."""
        return int(self._window)

    def answered(self, sent: int, left: int, now: float) -> None:
        """Learn from a call.

        Args:
            sent: Its requests.
            left: How many of them came back; all, if it was throttled or failed.
            now: On the caller's clock.
        """
        share = left / sent
        self.troubled = left > 0
        self._window = min(self._most, max(1.0, self._window * (1 - share / 2) + (1 - share)))
        self._lately += _NEWEST * (share - self._lately)
        if left < sent and self._lately < _TOO_MUCH:
            self._in_a_row = 0
            return
        # A table that takes something is not as busy as one that takes nothing: the wait stays short.
        self._in_a_row = min(self._in_a_row + 1, 30 if left == sent else 2)
        pause = self._jitter() * min(self._cap, self._base * 2**self._in_a_row)
        self.resume = max(self.resume, now + pause)
