"""Ctrl-C for processes that tests start."""

from __future__ import annotations

import signal

__all__ = ["heed_interrupts"]


def heed_interrupts() -> None:
    """Be called between fork and exec: children of tests that run in the background would ignore Ctrl-C.

    POSIX has a shell without job control ignore SIGINT in what it starts with `&`, and children inherit that:
    https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_11
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
