"""Two regions under everything that people, companies and faults do to them: a state machine, and seeds.

`AUTH_REGIONS_EXAMPLES` has the machine try more; `make bench BENCH=auth_replication` plays 10,000 seeds.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from local.memory_auth import Fault
from local.regions_model import ACTIONS, HOWS, RegionsModel, play, repeatable

EXAMPLES = int(os.environ.get("AUTH_REGIONS_EXAMPLES", "150"))
SEEDS = int(os.environ.get("AUTH_REGIONS_SEEDS", "240"))
STEPS = 25

places = st.integers(0, 1)
picks = st.integers(0, 63)
faults = st.one_of(
    st.none(), st.none(), st.none(), st.builds(Fault, st.integers(0, 14), st.sampled_from(HOWS))
)  # fmt: skip


class RegionsMachine(RuleBasedStateMachine):
    """What happens; what has to hold is looked at once all faults have ended."""

    def __init__(self) -> None:
        super().__init__()
        self.repeatable = repeatable(0)
        self.repeatable.__enter__()
        self.model = RegionsModel()
        self.poisons = 0

    @rule(action=st.sampled_from(sorted(ACTIONS)), here=places, one=picks, two=picks, fault=faults)
    def act(self, action: str, here: int, one: int, two: int, fault: Fault | None) -> None:
        self.model.act(action, here, one, two, fault)

    @rule(here=places, seed=st.integers(0, 0xFFFF), fault=faults, again=st.booleans())
    def pump(self, here: int, seed: int, fault: Fault | None, again: bool) -> None:
        self.model.pump(here, seed, fault, again=again)

    @rule(here=places, fault=faults)
    def drain(self, here: int, fault: Fault | None) -> None:
        self.model.drain(here, fault)

    @rule()
    def settle(self) -> None:
        self.model.settle()

    @rule(here=places, what=picks)
    def break_down(self, here: int, what: int) -> None:
        self.model.break_down(here, what)

    @rule(here=places, seconds=st.sampled_from([-3600, -60, 60, 3600]))
    def skew(self, here: int, seconds: int) -> None:
        self.model.skew(here, seconds)

    @rule(here=places, what=picks)
    def poison(self, here: int, what: int) -> None:
        self.model.poison(here, what)
        self.poisons += 1

    def teardown(self) -> None:
        try:
            self.model.heal()
            violations = self.model.violations(poisons=self.poisons)
        finally:
            self.repeatable.__exit__(None, None, None)
        assert not violations, violations


@pytest.mark.timeout(120 + EXAMPLES)
def test_regions_lose_no_write_in_any_order() -> None:
    run_state_machine_as_test(
        RegionsMachine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=EXAMPLES <= 150,
            database=None,
            deadline=None,
            phases=[Phase.generate] + [Phase.shrink] * (os.environ.get("AUTH_MODEL_SHRINK") != "0"),
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(120 + SEEDS)
def test_seeds_end_with_equal_regions() -> None:
    wrong = {seed: found for seed in range(SEEDS) if (found := play(seed, 30))}
    assert not wrong, wrong
