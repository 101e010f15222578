"""What a drive reports: named checks, each true or with a reason."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Checks", "Result"]


@dataclass
class Result:
    """The outcome of one application's drive."""

    application: str
    flow: str
    page: str
    address: str
    checked: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    milliseconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether something was checked and nothing failed."""
        return bool(self.checked) and not self.failed


class Checks:
    """Collects a drive's checks and moves its progress bar.

    Args:
        result: Gets the checks.
        advance: Called with a description after each.
    """

    def __init__(self, result: Result, advance: Callable[[str], Any]) -> None:
        self._result = result
        self._advance = advance

    def equal(self, what: str, found: Any, expected: Any) -> None:
        """Check that ``found`` is ``expected``."""
        self.true(what, found == expected, f"{found!r} instead of {expected!r}")

    def true(self, what: str, condition: Any, otherwise: str = "") -> None:
        """Check that ``condition`` holds; ``otherwise`` says what was found instead."""
        if condition:
            self._result.checked.append(what)
        else:
            self._result.failed.append(f"{what}: {otherwise}" if otherwise else what)
        self._advance(what)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Add the block's wall-clock time to the result; an exception is a failure, not the demo's end."""
        start = time.perf_counter()
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the table must name what broke, for every application
            self._result.failed.append(f"{type(error).__name__}: {error}")
        finally:
            self._result.milliseconds += (time.perf_counter() - start) * 1000
