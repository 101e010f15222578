"""How many resources of the template each application may have; `make docs` writes docs/template_budget.md.

CloudFormation takes 500: "Maximum number of resources that you can declare in your CloudFormation template",
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html. It counts what is
switched off, and what SAM adds (deployments, stages, mappings, permissions), and so does this module.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ops.applications import contents, owner
from ops.paths import ROOT
from ops.template import transformed

__all__ = ["BUDGETS", "PAGE", "PLANS", "TOTAL", "Plan", "count", "problems", "with_tables"]

TOTAL = 450  # of 500: the rest is for what a later SAM adds by itself
PAGE = ROOT / "docs/template_budget.md"

# What stands, and what the coming applications may take.
BUDGETS: dict[str, int] = {
    "Shared": 15,
    "Image resizer": 25,
    "Access logs": 36,
    "Log streaming": 22,
    "Auth": 41,
    "Social stream": 34,
    "Container metrics": 13,
    "EC2 monitor": 48,
    "Insights": 8,
    "Event hub": 60,
    "Rides": 17,
    "API portal": 35,
    "Delivery": 15,
}


@dataclass(frozen=True)
class Plan:
    """What applications may take beyond their budgets.

    Attributes:
        what: What it is for.
        resources: How many.
        applications: Whose it is; everybody's if empty.
    """

    what: str
    resources: int
    applications: tuple[str, ...] = ()


PLANS = (
    Plan("Auth in several regions", 28, ("Auth",)),
    Plan("Images at the edge, and logs", 15, ("Image resizer", "Access logs", "Log streaming")),
    Plan("Lifecycle and alarms", 20),
)


def count() -> Counter[str]:
    """Return how many resources each application declares, by title."""
    return Counter(owner(name).title for name in transformed()["Resources"])


def _taken(counts: Mapping[str, int]) -> tuple[dict[Plan, int], dict[str, int]]:
    """What is taken of each plan, and by how many resources an application exceeds all that it may have.

    An application without a budget has what nobody planned.
    """
    unplanned = Plan("", TOTAL - sum(BUDGETS.values()) - sum(plan.resources for plan in PLANS))
    left = {plan: plan.resources for plan in (unplanned, *PLANS)}
    beyond = {}
    for title, resources in counts.items():
        missing = max(0, resources - BUDGETS.get(title, 0))
        for plan in left:
            may = title not in BUDGETS if plan is unplanned else title in (plan.applications or (title,))
            taken = min(missing, left[plan]) if may else 0
            left[plan] -= taken
            missing -= taken
        if missing:
            beyond[title] = missing
    return {plan: plan.resources - left[plan] for plan in PLANS}, beyond


def problems(counts: Mapping[str, int]) -> Iterator[str]:
    """Yield a sentence for each application beyond its budget, and one if all are beyond the total."""
    for title, missing in _taken(counts)[1].items():
        yield (
            f"{title} has {counts[title]} resources, {missing} more than its budget and the plans leave it: "
            "merge some, or change ops/budget.py"
        )
    total = sum(counts.values())
    if total > TOTAL:
        yield f"The template has {total} resources, and {TOTAL} are the most: merge some"


def with_tables(page: str) -> str:
    """Return the page with the tables of what is there and of what may come."""
    counts = count()
    taken, _ = _taken(counts)
    deployed = [application.title for application in contents()]
    coming = [title for title in BUDGETS if title not in deployed]
    lines = ["| application | resources | budget |", "|---|---|---|"]
    lines += [f"| {title} | {counts[title]} | {BUDGETS.get(title, 'of the rest')} |" for title in deployed]
    lines += [f"| {title} | to come | {BUDGETS[title]} |" for title in coming]
    lines += [
        f"| {plan.what} ({', '.join(plan.applications) or 'every application'}) | {taken[plan]} taken | "
        f"{plan.resources} |"
        for plan in PLANS
    ]
    given = sum(BUDGETS.values()) + sum(plan.resources for plan in PLANS)
    lines += [f"| the rest, for applications not named here | | {TOTAL - given} |"]
    lines += [f"| **all** | **{counts.total()}** | **{TOTAL}** |"]
    before, _, rest = page.partition("<!-- budget -->\n")
    after = rest.partition("<!-- /budget -->")[2]
    return f"{before}<!-- budget -->\n\n" + "\n".join(lines) + f"\n\n<!-- /budget -->{after}"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
