"""Hybrid logical clocks: the order of edits across regions whose wall clocks differ.

A reading is `<milliseconds since the epoch, 12 hex digits>.<counter, 4 hex digits>.<region>`: texts that
sort as (time, counter, region). A reading is later than everything that its region had seen when it was
taken, even if the region's wall clock is behind. After Kulkarni et al., "Logical Physical Clocks", 2014.
"""

__all__ = ["after", "milliseconds", "tick"]

_COUNTERS = 0x10000


def tick(now_ms: int, region: str, seen: str = "") -> str:
    """The next reading of a region's clock.

    Args:
        now_ms: The wall clock, milliseconds since the epoch.
        region: The region that edits.
        seen: The latest reading that the edited record carries; empty for a new record.
    """
    if not seen:
        return f"{now_ms:012x}.0000.{region}"
    time, counter, _ = seen.split(".", 2)
    wall, count = (now_ms, 0) if now_ms > int(time, 16) else (int(time, 16), int(counter, 16) + 1)
    wall, count = wall + count // _COUNTERS, count % _COUNTERS
    return f"{wall:012x}.{count:04x}.{region}"


def after(reading: str) -> str:
    """The reading that follows at once, of the same region; empty for none."""
    return tick(0, reading.split(".", 2)[2], reading) if reading else ""


def milliseconds(reading: str) -> int:
    """The wall-clock part of a reading, milliseconds since the epoch."""
    return int(reading.partition(".")[0], 16)
