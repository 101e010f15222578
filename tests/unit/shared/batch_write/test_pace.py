"""How the pace follows what the table takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.batch_write._pace import Pace

ANSWERS = st.lists(st.integers(1, 25).flatmap(lambda sent: st.tuples(st.just(sent), st.integers(0, sent))))


def pace(most: int = 16, jitter: float = 1.0) -> Pace:
    return Pace(most, jitter=lambda: jitter, base=0.025, cap=2.0)


def test_each_complete_call_raises_the_number_of_parallel_calls_by_one() -> None:
    pace_, windows = pace(most=8), []
    for _ in range(6):
        pace_.answered(25, 0, now=0.0)
        windows.append(pace_.window)
    assert windows == [5, 6, 7, 8, 8, 8]
    assert pace_.resume == float("-inf")


def test_throttling_halves_the_calls_under_way() -> None:
    pace_, windows = pace(), []
    for _ in range(12):
        pace_.answered(25, 0, now=0.0)
    for _ in range(6):
        pace_.answered(25, 25, now=0.0)
        windows.append(pace_.window)
    assert windows == [8, 4, 2, 1, 1, 1]


def test_leftovers_that_do_not_depend_on_load_cost_little() -> None:
    pace_ = pace()
    for _ in range(50):
        pace_.answered(20, 6, now=0.0)  # 30 %
    assert pace_.window == 4
    assert pace_.resume == float("-inf"), "no pause"


def test_pauses_double_up_to_the_cap_while_nothing_is_taken() -> None:
    pace_, pauses = pace(), []
    for _ in range(9):
        pace_.answered(25, 25, now=100.0)
        pauses.append(round(pace_.resume - 100.0, 3))
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]


def test_pauses_stay_short_while_something_is_taken_and_end_with_the_trouble() -> None:
    pace_ = pace()
    for now in range(9):
        pace_.answered(25, 22, now=float(now))
    assert pace_.resume <= 8 + 0.1
    for now in range(20, 26):
        pace_.answered(25, 0, now=float(now))
    assert pace_.resume < 23, "no new pause after the third that was taken whole"


@given(ANSWERS, st.integers(1, 20), st.floats(0, 1))
def test_at_least_one_call_may_always_be_under_way_and_pauses_are_bounded(
    answers: list[tuple[int, int]], most: int, jitter: float
) -> None:
    pace_ = pace(most, jitter)
    for now, (sent, left) in enumerate(answers):
        pace_.answered(sent, left, float(now))
        assert 1 <= pace_.window <= most
        assert pace_.resume <= now + 2.0
        assert pace_.troubled == (left > 0)
