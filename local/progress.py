"""What commands say while they work: a spinner or bars on a terminal, plain lines where output is piped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

__all__ = ["doing", "say"]

_WORTH_SAYING_S = 2.0


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


def say(console: Console, text: str, style: str = "") -> None:
    """Print a line as it is: not wrapped, nothing in it highlighted or taken for markup."""
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)
