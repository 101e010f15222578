"""What a day costs: the arithmetic, and the table in the documentation."""

from __future__ import annotations

import pytest

from bench.container_costs import MIXES, ORIGINAL, Mix, costs, custom_metrics, table, transitions
from ops.paths import ROOT


def test_an_execution_has_two_transitions_a_slot_and_few_more() -> None:
    assert transitions(by_minute=False) == 12 * 2 + 3, "map, check, done"
    assert transitions(by_minute=True) == 12 * 2 + 5, "and one put, and another check"


def test_the_originals_figures_are_those_of_a_day() -> None:
    assert ORIGINAL.workflow == pytest.approx(0.936)
    assert ORIGINAL.function == pytest.approx(0.0143, abs=0.0001), "the article's $0.444 is a month's"
    assert ORIGINAL.puts == pytest.approx(0.1728)


@pytest.mark.parametrize("mix", MIXES, ids=lambda mix: f"{mix.workflow} {mix.put}")
def test_a_day_is_the_sum_of_its_parts(mix: Mix) -> None:
    each = costs(mix)
    assert each.total == pytest.approx(each.workflow + each.function + each.puts + each.schedule)
    assert each.puts == pytest.approx(0.0144 if mix.by_minute else 0.1728)


def test_express_by_the_minute_costs_16_cents_a_day_at_most() -> None:
    assert costs(Mix("EXPRESS", "minute")).total <= 0.16


def test_custom_metrics_are_four_a_cluster_and_one_of_the_stack() -> None:
    assert custom_metrics(1) == pytest.approx(5 * 0.30 / 30)
    assert custom_metrics(10) == pytest.approx(41 * 0.30 / 30)


def test_the_documentations_table_is_what_is_computed() -> None:
    """If this fails, run `make bench BENCH=container_metrics`."""
    assert table() in (ROOT / "docs/container_metrics.md").read_text()
