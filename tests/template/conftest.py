"""Prints what the rules looked at."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from tests.template.rules import RULES, Verdict, sentence

# By set of switches: the stack's resources, and the rules' verdicts.
LOOKED_AT: dict[str, tuple[int, list[tuple[str, Verdict]]]] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Two tables: the sets of switches, and the rules over all of them."""
    if not LOOKED_AT:
        return
    write = terminalreporter.write_line
    terminalreporter.section("rules over all sets of switches (Target=aws)")
    write(f"{'set of switches':<50}{'resources':>10}{'verdicts':>10}{'problems':>10}")
    by_rule: dict[str, Counter[bool]] = defaultdict(Counter)
    for name, (resources, verdicts) in LOOKED_AT.items():
        wrong = sum(bool(verdict.problem) for _, verdict in verdicts)
        write(f"{name:<50}{resources:>10}{len(verdicts):>10}{wrong:>10}")
        for rule, verdict in verdicts:
            by_rule[rule][bool(verdict.problem)] += 1
    write("")
    write(f"{'rule':<70}{'verdicts':>10}{'problems':>10}")
    for rule in RULES:
        counts = by_rule[rule]
        write(f"{sentence(rule):<70.69}{counts.total():>10}{counts[True]:>10}")
