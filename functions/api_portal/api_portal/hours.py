"""Hours of use, `2026-11-28T03` in UTC, as usage is billed; moments are milliseconds since the epoch."""

from datetime import UTC, datetime

from shared.usage import HOUR

__all__ = ["HOUR_MS", "hour_of", "hour_start", "iso", "next_hour"]

HOUR_MS = 3_600_000


def hour_of(moment: int) -> str:
    """The hour in which a moment is."""
    return datetime.fromtimestamp(moment / 1000, UTC).strftime(HOUR)


def hour_start(hour: str) -> int:
    """When an hour begins."""
    return round(datetime.strptime(f"{hour}+0000", f"{HOUR}%z").timestamp() * 1000)


def next_hour(hour: str) -> str:
    """The hour behind an hour."""
    return hour_of(hour_start(hour) + HOUR_MS)


def iso(moment: int) -> str:
    """A moment as text that sorts by time: `2026-11-28T03:04:05Z`, rounded down."""
    return f"{datetime.fromtimestamp(moment // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
