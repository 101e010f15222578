"""Waiting in tests that run on our engine, where a slow machine gets time, and on the bare one, where they must fail."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.cloud import Cloud
from tests.support.waiting import wait_until

__all__ = ["awaited"]


def awaited[T](cloud: Cloud, probe: Callable[[], T], *, bare: float = 1.5, what: str = "") -> T:
    """Call ``probe`` until its answer is true: for long on our engine, for ``bare`` seconds on the bare emulator."""
    is_bare = cloud.engine.directory.name.startswith("bare")
    return wait_until(probe, seconds=bare if is_bare else 15.0, what=what)
