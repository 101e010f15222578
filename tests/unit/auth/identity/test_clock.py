"""Hybrid logical clocks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auth.identity import milliseconds, tick

TIMES = st.integers(0, 2**47)
REGIONS = st.sampled_from(["eu-west-1", "us-east-1"])


@given(st.lists(st.tuples(TIMES, REGIONS), min_size=2, max_size=30))
def test_a_reading_is_later_than_all_that_was_seen_whatever_the_wall_clocks_say(
    edits: list[tuple[int, str]],
) -> None:
    readings: list[str] = []
    for now, region in edits:
        readings.append(tick(now, region, readings[-1] if readings else ""))
    assert readings == sorted(set(readings))


@given(TIMES, REGIONS)
def test_a_reading_follows_the_wall_clock_where_that_is_ahead(now: int, region: str) -> None:
    assert milliseconds(tick(now + 1, region, tick(now, region))) == now + 1


def test_a_full_counter_moves_the_time_on() -> None:
    assert tick(5, "eu", "000000000005.ffff.eu") == "000000000006.0000.eu"


def test_at_one_time_the_region_decides() -> None:
    assert tick(5, "eu-west-1") < tick(5, "us-east-1")
