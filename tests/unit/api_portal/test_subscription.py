"""A subscription's state, whatever the order in which its facts arrive."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_portal.subscription import KINDS, Facts, Kind, State

SHUFFLES = 1_000
HOUR = 3_600_000
T = 1_795_166_142_317

type Fact = tuple[int, Kind]

# At one moment an end counts more than a beginning.
_RANK: dict[Kind, int] = {"registered": 0, "began": 1, "ending": 2, "failed": 3, "ended": 4}


def replayed(history: list[Fact]) -> State:
    """The oracle: the state machine of the seller guide, taken through the ordered history step by step."""
    state: State = "pending"
    for _, kind in sorted(history, key=lambda fact: (fact[0], _RANK[fact[1]])):
        match kind:
            case "began":
                state = "active"
            case "ending":
                state = "ending" if state in ("pending", "active") else state
            case "failed" | "ended":
                state = kind
    return state


def folded(arrivals: list[Fact]) -> Facts:
    facts = Facts()
    for moment, kind in arrivals:
        facts = facts.learned({kind: moment})
    return facts


facts_of_few_moments = st.tuples(st.integers(1, 6), st.sampled_from(KINDS))


@given(st.lists(facts_of_few_moments, max_size=12), st.randoms(use_true_random=False))
def test_state_is_that_of_the_ordered_history(history: list[Fact], chance: random.Random) -> None:
    arrivals = history + chance.choices(history, k=4) if history else []
    chance.shuffle(arrivals)
    assert folded(arrivals).state == replayed(history)


@given(st.lists(facts_of_few_moments, min_size=1, max_size=12))
def test_facts_commute_and_count_once(history: list[Fact]) -> None:
    assert folded(history) == folded(history[::-1]) == folded(history * 2)


FIRST: list[Fact] = [(T, "began"), (T + 9, "registered"), (T + 10, "ending"), (T + 20, "ended")]
LIVES: dict[str, tuple[list[Fact], State]] = {
    "ends well": (FIRST, "ended"),
    "subscribes again after the end": ([*FIRST, (T + 30, "began")], "active"),
    "is about to end a second time": ([*FIRST, (T + 30, "began"), (T + 40, "ending")], "ending"),
    "fails, then succeeds": ([(T, "failed"), (T + 10, "began"), (T + 20, "registered")], "active"),
    "is registered alone": ([(T, "registered")], "pending"),
    "is amended": ([(T, "began"), (T + 10, "registered"), (T + HOUR, "began")], "active"),
}


@pytest.mark.parametrize(("life", "state"), LIVES.values(), ids=LIVES)
def test_thousand_shuffles_with_duplicates_come_to_one_state(life: list[Fact], state: State) -> None:
    chance = random.Random(17)
    found = set()
    for _ in range(SHUFFLES):
        arrivals = life + chance.choices(life, k=chance.randint(0, len(life)))
        chance.shuffle(arrivals)
        found.add(folded(arrivals))
    assert found == {folded(life)}
    assert folded(life).state == state == replayed(life)


def test_use_ends_at_the_first_end_since_the_last_beginning() -> None:
    facts = Facts(began=T, ending=T + 10, ended=T + HOUR)
    assert facts.use_ends == T + 10
    assert replace(facts, ending=0).use_ends == T + HOUR
    assert replace(facts, began=T + 2 * HOUR).use_ends is None
    assert replace(facts, began=T + 20).use_ends == T + HOUR


def test_end_before_the_beginning_arrives_is_an_end() -> None:
    assert Facts(ending=T + 10).state == "ending"
    assert Facts(ending=T + 10).learned({"began": T}).state == "ending"
    assert Facts(ending=T + 10).learned({"began": T + 11}).state == "active"
