"""References between resources."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator

from ops.template import Stack

from . import Verdict, rule


@rule
def references_lead_somewhere(stack: Stack) -> Iterator[Verdict]:
    """What a resource or an output refers to is deployed whenever it is."""
    for owner, missing in stack.dangling:
        yield Verdict(owner, f"refers to {missing}, which is not there: give both the same condition")
    yield from (Verdict(name) for name in stack.resources)


@rule
def resources_form_no_cycle(stack: Stack) -> Iterator[Verdict]:
    """CloudFormation can find an order in which to create everything."""
    graph = {name: resource.references for name, resource in stack.resources.items()}
    try:
        order = list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        way = " -> ".join(error.args[1])
        yield Verdict(error.args[1][0], f"is part of a cycle, {way}: build a name instead of referring to it")
        return
    yield from (Verdict(name) for name in order)
