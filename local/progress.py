"""What commands say while they work: a spinner or bars on a terminal, plain lines where output is piped."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

__all__ = ["Bars", "doing", "say"]

_WORTH_SAYING_S = 2.0
_LINE_EVERY_S = 5.0


def say(console: Console, text: str, style: str = "") -> None:
    """Print a line as it is: not wrapped, nothing in it highlighted or taken for markup."""
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def doing(console: Console, what: str) -> Iterator[None]:
    """Say what is being done while the context lasts, and then how long it took, if that was over 2 s."""
    begun = time.monotonic()
    if console.is_terminal:
        with console.status(what):
            yield
    else:
        say(console, f"{what} ...")
        yield
    took = time.monotonic() - begun
    if took > _WORTH_SAYING_S:
        say(console, f"{what}: {took:.0f} s")


class Bars:
    """A bar for each of several works, on a terminal; else a line when one begins, every 5 s, and at its end.

    Args:
        console: Where.
        columns: What bars show beside their name, counts and time.
    """

    def __init__(self, console: Console, *columns: ProgressColumn) -> None:
        self.console = console
        self._lines = not console.is_terminal
        self._progress = Progress(
            TextColumn("[bold]{task.description:<44.44}"), BarColumn(), MofNCompleteColumn(),
            TimeElapsedColumn(), *columns, console=console, disable=self._lines,
        )  # fmt: skip
        self._said: dict[TaskID, float] = {}
        self._names: dict[TaskID, str] = {}
        self._saying = threading.Lock()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, name: str, total: float | None) -> TaskID:
        """Begin a work of so many steps."""
        bar = self._progress.add_task(name, total=total)
        self._names[bar], self._said[bar] = name, time.monotonic()
        self._say(bar, f"{name} ...")
        return bar

    def advance(self, bar: TaskID, what: str = "", *, steps: float = 1) -> None:
        """Note steps that are done; `what` was the last one."""
        name = self._names[bar]
        self._progress.update(bar, advance=steps, description=f"{name}: {what}" if what else name)
        if time.monotonic() - self._said[bar] > _LINE_EVERY_S:
            self._say(bar, f"{name}: {self._state(bar)} {what}".rstrip())

    def end(self, bar: TaskID) -> None:
        """Note that the work is done."""
        name = self._names[bar]
        task = self._progress.tasks[self._progress.task_ids.index(bar)]
        self._progress.update(bar, description=name, completed=task.total)
        self._say(bar, f"{name}: {self._state(bar)}, {task.elapsed or 0:.0f} s")

    def _state(self, bar: TaskID) -> str:
        task = self._progress.tasks[self._progress.task_ids.index(bar)]
        return f"{task.completed:g}" if task.total is None else f"{task.completed:g} of {task.total:g}"

    def _say(self, bar: TaskID, text: str) -> None:
        if self._lines:
            with self._saying:
                self._said[bar] = time.monotonic()
                say(self.console, text)
