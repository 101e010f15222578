"""`make mutate-template`: spoil the template in every way of `mutations.py`, and see a rule catch each.

Prints a table, writes docs/template_rules.md, and ends with 1 if a mutation was not caught.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.progress import Progress

from ops.paths import ROOT
from ops.template import Template, TemplateError, deployed, included
from tests.template.mutations import MUTATIONS, Mutation
from tests.template.rules import RULES, problems, sentence
from tests.template.rules.data import costs_by_the_hour
from tests.template.switches import EVERYTHING, OFF, SETS, STANDARD

DOCUMENT = ROOT / "docs/template_rules.md"
# Where a mutation shows: the first set that catches it ends the search.
TRIED = ("everything", "defaults", "SocialStream alone", "ContainerMetrics, clusters")


def _problems(name: str, template: Template) -> Iterator[str]:
    try:
        stack = deployed(SETS[name], template=template)
    except TemplateError as error:
        yield f"{error} [resolver]"
        return
    yield from problems(stack)
    if name in STANDARD:
        yield from costs_by_the_hour(stack)


def catch(mutation: Mutation) -> tuple[str, str] | None:
    """The rule that catches a mutation, and the set of switches on which it does.

    Raises:
        AssertionError: The mutation changes nothing: it would prove nothing.
    """
    template = copy.deepcopy(included())
    mutation.spoil(template)
    assert template != included(), f"changes nothing: {mutation.what}"
    for name in TRIED:
        found = {problem.rpartition("[")[2].rstrip("]") for problem in _problems(name, template)}
        for rule in mutation.rules:
            if rule in found:
                return rule, name
    return None


def document(caught: Iterable[tuple[Mutation, tuple[str, str]]]) -> str:
    """The page of the rules, and of what they catch."""
    lines = [
        "# Rules for the template",
        "",
        "CloudFormation, IAM and the services refuse a template in ways that no linter sees. The tests",
        "therefore transform and resolve `template.yaml` (`ops/template.py`) for every set of switches",
        "below with `Target=aws`, and look at the resources that would be created. The rules are in",
        "`tests/template/rules/`; each says in its docstring where AWS documents it.",
        "`make mutate-template` regenerates this page.",
        "",
        "## Sets of switches",
        "",
        "| set | resources | parameters |",
        "|---|---|---|",
    ]
    for name, given in SETS.items():
        shown = ", ".join(
            f"`{key}={value}`" for key, value in given.items() if (key, value) not in OFF.items()
        )
        shown = "no switch" if given == OFF else shown or "none given"
        shown = "every switch and option" if len(given) >= len(EVERYTHING) else shown
        lines.append(f"| {name} | {len(deployed(given).resources)} | {shown} |")
    lines += [
        "",
        "Rules look at every set in eu-west-1, and at the defaults in every region of the partition `aws`.",
        "",
        "## Rules",
        "",
    ]
    lines += ["| rule | demands |", "|---|---|"]
    lines += [f"| `{name}` | {sentence(name)} |" for name in RULES]
    lines.append(
        "| `costs_by_the_hour` | Nothing that costs by the hour is on by default, in staging or in prod |"
    )
    lines += [
        "",
        "## Mutations",
        "",
        "Each of them is made on purpose, one at a time, and has to be caught.",
        "",
    ]
    lines += ["| what is spoiled | caught by | on the set |", "|---|---|---|"]
    lines += [f"| {mutation.what} | `{rule}` | {name} |" for mutation, (rule, name) in caught]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Try every mutation; 1 if one was not caught."""
    console = Console()
    for name in TRIED:
        if sound := list(_problems(name, included())):
            console.print(
                f"[red]the template itself breaks rules[/red], on {name}: {sound[0]}", soft_wrap=True
            )
            return 1
    caught, missed = [], []
    with Progress(console=console) as progress:
        for mutation in progress.track(MUTATIONS, description="mutations"):
            if found := catch(mutation):
                caught.append((mutation, found))
            else:
                missed.append(mutation)
    for mutation, (rule, name) in caught:
        console.print(f"{mutation.what:<62} {rule:<45} {name}", soft_wrap=True, highlight=False)
    for mutation in missed:
        console.print(
            f"[red]{mutation.what:<62} caught by none of {', '.join(mutation.rules)}[/red]", soft_wrap=True
        )
    console.print(f"{len(caught)} of {len(MUTATIONS)} mutations were caught", highlight=False)
    if not missed:
        DOCUMENT.write_text(document(caught))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
