"""The resources of each application within its budget, and the page that shows it."""

from __future__ import annotations

from ops.budget import BUDGETS, PAGE, PLANS, TOTAL, count, problems, with_tables

UNPLANNED = TOTAL - sum(BUDGETS.values()) - sum(plan.resources for plan in PLANS)


def test_every_application_is_within_its_budget() -> None:
    assert list(problems(count())) == []


def test_what_is_planned_fits_into_the_template() -> None:
    assert UNPLANNED >= 0, f"budgets and plans are {-UNPLANNED} more than {TOTAL}"


def test_page_is_up_to_date() -> None:
    page = PAGE.read_text()
    assert page == with_tables(page), "`make docs` renews it"


def test_an_application_that_exceeds_its_budget_is_named() -> None:
    everybodys = sum(plan.resources for plan in PLANS if not plan.applications)
    assert list(problems(BUDGETS | {"Rides": BUDGETS["Rides"] + everybodys})) == []
    assert list(problems({"Rides": BUDGETS["Rides"] + everybodys + 1})) == [
        "Rides has 38 resources, 1 more than its budget and the plans leave it: merge some, or change "
        "ops/budget.py"
    ]


def test_a_plan_is_for_its_applications() -> None:
    assert list(problems({"Auth": BUDGETS["Auth"] + 28 + 20})) == []
    assert len(list(problems({"Auth": BUDGETS["Auth"] + 28 + 20, "Rides": BUDGETS["Rides"] + 1}))) == 1
    assert len(list(problems({"Auth": BUDGETS["Auth"], "EC2 monitor": BUDGETS["EC2 monitor"] + 28}))) == 1


def test_an_application_without_a_budget_has_the_rest() -> None:
    assert list(problems({"Weather": UNPLANNED + 20})) == []
    assert [problem.split(",")[0] for problem in problems({"Weather": UNPLANNED + 21})] == [
        f"Weather has {UNPLANNED + 21} resources"
    ]


def test_a_template_beyond_the_total_is_refused() -> None:
    full = BUDGETS | {"Weather": TOTAL}
    assert list(problems(full))[-1] == (
        f"The template has {sum(full.values())} resources, and {TOTAL} are the most: merge some"
    )
