"""Which instances a call ended."""

from __future__ import annotations

from typing import Any

import pytest

from datagen.ec2_calls import recorded
from ec2_monitor.terminations import ended


def termination(**changes: Any) -> dict[str, Any]:
    event = recorded("calls")["TerminateInstances"]
    event["detail"] |= changes
    return event


def items(*ids: str) -> dict[str, Any]:
    return {"instancesSet": {"items": [{"instanceId": each} for each in ids]}}


def test_each_instance_of_a_call_counts() -> None:
    assert len(ended(termination())) == 2


def test_a_call_that_was_refused_ends_nothing() -> None:
    assert ended(recorded("quiet")["denied_termination"]) == set()


def test_a_trial_run_ends_nothing() -> None:
    assert ended(termination(errorCode="Client.DryRunOperation", responseElements=None)) == set()


def test_an_instance_that_was_terminated_before_counts_no_second_time() -> None:
    assert len(ended(recorded("quiet")["repeated_termination"])) == 1


def test_what_was_asked_for_counts_where_the_answer_is_missing() -> None:
    event = termination(requestParameters=items("i-1", "i-2", "i-3"), responseElements=None)
    assert ended(event) == {"i-1", "i-2", "i-3"}


@pytest.mark.parametrize("name", ["StopInstances", "RunInstances"])
def test_other_calls_end_nothing(name: str) -> None:
    assert ended(recorded("calls")[name]) == set()


@pytest.mark.parametrize(
    "answer",
    [5, "x", [], {}, {"instancesSet": []}, {"instancesSet": {"items": {"instanceId": "i-1"}}}, items(*[])],
)
def test_an_answer_of_another_form_ends_nothing(answer: Any) -> None:
    assert ended(termination(responseElements=answer)) == set()


def test_items_of_another_form_are_passed_over() -> None:
    answer = {"instancesSet": {"items": [5, {"instanceId": 7}, {"instanceId": "i-1", "previousState": "x"}]}}
    assert ended(termination(responseElements=answer)) == {"i-1"}
