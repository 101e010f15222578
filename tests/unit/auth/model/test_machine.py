"""The state machine, for about a minute; `AUTH_MODEL_EXAMPLES` makes it longer."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.unit.auth.model.machine import AccountsMachine

EXAMPLES = int(os.environ.get("AUTH_MODEL_EXAMPLES", "300"))
STEPS = 40


@pytest.mark.timeout(60 + EXAMPLES)
def test_accounts_are_taken_by_nobody_and_lost_by_nobody(cheap_hashes: None) -> None:
    run_state_machine_as_test(
        AccountsMachine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=EXAMPLES <= 300,
            database=None,
            deadline=None,
            phases=[Phase.generate] + [Phase.shrink] * (os.environ.get("AUTH_MODEL_SHRINK") != "0"),
            suppress_health_check=list(HealthCheck),
        ),
    )
