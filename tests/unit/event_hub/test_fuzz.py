"""10,000 spoilt messages: whatever they name, nothing happens to what is not on the allow-list."""

from __future__ import annotations

from local.hub_fuzz import NAMED, fuzz

MESSAGES = 10_000


def test_no_action_outside_the_allow_list() -> None:
    found = fuzz(MESSAGES, seed=20261120)
    assert found.outside == []
    assert found.messages == MESSAGES
    assert found.changes.keys() == NAMED.keys()  # every kind of action was there to go wrong
    assert 0.1 < found.refused / MESSAGES < 0.9
