"""Waiting in tests: long on our engine, whose machine may be slow; short on the bare one, which must fail."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.cloud import Cloud
from tests.support.waiting import wait_until

__all__ = ["awaited"]


def awaited[T](cloud: Cloud, probe: Callable[[], T], *, bare: float = 1.0, what: str = "") -> T:
    """Call ``probe`` until its answer is true; on the bare emulator for ``bare`` seconds at most."""
    is_bare = cloud.engine.directory.name.startswith("bare")
    return wait_until(probe, seconds=bare if is_bare else 15.0, what=what)
