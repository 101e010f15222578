"""Moments as the API writes them."""

from datetime import UTC, datetime

__all__ = ["iso"]


def iso(moment: float) -> str:
    """A moment in seconds since the epoch, such as `2026-11-23T20:00:00Z`."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
