from __future__ import annotations

import time

import pytest

from bench import harness


class Shop:
    """Work that takes as long as it says, by a clock of its own."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def sell(self) -> str:
        self.seconds += 0.5
        self.pay()
        return "sold"

    def pay(self) -> None:
        self.seconds += 0.25


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    shop = Shop()
    monkeypatch.setattr(time, "process_time", lambda: shop.seconds)
    return shop


def test_a_step_counts_without_the_steps_inside_it(shop: Shop) -> None:
    steps = harness.Steps()
    steps.watch(shop, "sell", "selling")
    steps.watch(shop, "pay", "paying")

    def work() -> None:
        shop.seconds += 1
        shop.sell()
        shop.pay()

    for _ in range(2):  # a run begins anew
        assert steps.run(work) == {"selling": 500, "paying": 500, "rest": 1000}


def test_watched_work_answers_and_fails_as_ever(shop: Shop) -> None:
    steps = harness.Steps()
    steps.watch(shop, "sell", "selling")
    assert shop.sell() == "sold"
    steps.watch(shop, "pay", "paying")
    with pytest.raises(TypeError, match="unexpected"):
        steps.run(lambda: shop.pay(unexpected=1))  # type: ignore[call-arg]
    assert steps.run(shop.pay) == {"selling": 0, "paying": 250, "rest": 0}


def test_what_was_watched_is_put_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop, "pay", lambda: None)
    own = shop.pay
    steps = harness.Steps()
    steps.watch(shop, "sell", "selling")
    steps.watch(shop, "pay", "paying")
    steps.restore()
    assert shop.pay is own
    assert "sell" not in vars(shop)
