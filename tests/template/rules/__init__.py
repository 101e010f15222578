"""What has to hold for a stack on AWS, one rule a function; each runs on every set of switches.

A rule looks at resolved resources, never at lines of text. It yields a verdict for everything that it looked
at, so that a rule that looked at nothing is seen too. A problem is a sentence with the remedy; it follows the
resource's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ops.template import Stack

__all__ = ["RULES", "Verdict", "problems", "rule", "sentence", "verdicts"]


@dataclass(frozen=True)
class Verdict:
    """What a rule says of one resource; an empty problem means that it is as it should be."""

    resource: str
    problem: str = ""


type Rule = Callable[[Stack], Iterable[Verdict]]

RULES: dict[str, Rule] = {}


def rule(function: Rule) -> Rule:
    """Register a rule under its function's name; the first line of its docstring is its sentence."""
    RULES[function.__name__] = function
    return function


def sentence(name: str) -> str:
    """What a rule demands."""
    return (RULES[name].__doc__ or "").splitlines()[0].rstrip(".")


def verdicts(stack: Stack) -> Iterator[tuple[str, Verdict]]:
    """Every rule's verdicts on a stack, with the rule's name."""
    for name, check in RULES.items():
        for verdict in check(stack):
            yield name, verdict


def problems(stack: Stack) -> list[str]:
    """What is wrong with a stack, a sentence each."""
    return [
        f"{verdict.resource} {verdict.problem} [{name}]"
        for name, verdict in verdicts(stack)
        if verdict.problem
    ]


# Each module registers its rules when it is imported.
from . import alarms, data, delivery, limits, names, policies, references, routes, services  # noqa: E402, F401
