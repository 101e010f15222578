"""The slots of the state machine's definition, by its own expressions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonata.jexception import JException

from datagen.container_day import SLOT, definition, evaluate, simulate, slots

MOMENT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
CLUSTER = {"ECSClusterName": "cluster"}
SCHEDULED = CLUSTER | {"scheduled": "2026-11-25T12:00:00Z"}
STATES = definition()["States"]


def at(seconds: float) -> datetime:
    return MOMENT + timedelta(seconds=seconds)


@pytest.mark.parametrize("scheduled", [True, False], ids=["scheduled time", "start alone"])
def test_a_day_of_late_starts_has_neither_gaps_nor_duplicates(
    scheduled: bool,
) -> None:
    day = simulate(seed=20261125, scheduled=scheduled)
    assert (day.gaps, day.duplicates, day.sampled) == (0, 0, 17_280)


def test_starts_that_are_later_leave_gaps_and_never_duplicates() -> None:
    day = simulate(seed=1, jitter_s=110)
    assert day.gaps > 0, "the simulation can tell"
    assert day.duplicates == 0


@given(st.floats(0, 59.99))
def test_the_minute_after_the_scheduled_one_is_sampled_whenever_the_start_is(jitter: float) -> None:
    assert slots(SCHEDULED, at(jitter)) == [at(60) + SLOT * number for number in range(12)]


@given(st.floats(60, 300))
def test_a_late_start_skips_the_slots_that_are_past(late: float) -> None:
    wanted = [at(60) + SLOT * number for number in range(12)]
    started = at(late).replace(microsecond=at(late).microsecond // 1000 * 1000)  # as AWS writes it
    assert slots(SCHEDULED, at(late)) == [slot for slot in wanted if slot >= started]


def test_successive_minutes_meet_even_if_a_schedule_is_no_whole_minute() -> None:
    first = slots(CLUSTER | {"scheduled": "2026-11-25T12:00:17Z"}, at(20))
    second = slots(CLUSTER | {"scheduled": "2026-11-25T12:01:17Z"}, at(80))
    assert second[0] - first[-1] == SLOT
    assert first[0].second % 5 == 0


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        ({}, "nothing to sample"),
        ({"sources": []}, "nothing to sample"),
        ({"sources": [{"source": "ecs"}]}, "no list of targets"),
        ({"ECSClusterName": []}, "nothing to sample"),
        ({"ECSClusterName": ""}, "a name is empty"),
        ({"ECSClusterName": ["a", " "]}, "a name is empty"),
        ({"sources": [{"source": "ecs", "targets": ["a", 5]}]}, "a name is empty, or no text"),
        ({"ECSClusterName": None}, "a name is empty, or no text"),
        ({"ECSClusterName": ["a", None]}, "a name is empty, or no text"),
        ({"ECSClusterName": True}, "a name is empty, or no text"),
        ({"ECSClusterName": "arn:aws:ecs:eu-west-1"}, "begins like an ARN, and is none"),
        ({"ECSClusterName": "arn:aws:ecs::111122223333:cluster/web"}, "and is none"),
        ({"ECSClusterName": "arn:aws:ecs:eu-west-1::cluster/web"}, "and is none"),
        ({"ECSClusterName": "arn:aws:ecs:eu-west-1:111122223333:cluster/"}, "and is none"),
        ({"ECSClusterName": "arn:aws:sns:eu-west-1:111122223333:web"}, "another service"),
        (
            {
                "sources": [
                    {"source": "sqs", "targets": ["q", "arn:aws:ecs:eu-west-1:111122223333:cluster/a"]}
                ]
            },
            "another service",
        ),
        ({"sources": [{"source": "ecs", "targets": [None]}]}, "a name is empty, or no text"),
        ({"sources": [{"source": "ecs", "targets": "a"}]}, "no list of targets"),
        (CLUSTER | {"sources": [{"source": "ecs", "targets": []}]}, "no list of targets"),
        (CLUSTER | {"sources": None}, "no source"),
        (CLUSTER | {"sources": ["ecs"]}, "no source"),
        (CLUSTER | {"sources": [{"targets": ["a"]}]}, "no source"),
        (CLUSTER | {"sources": [{"source": "rds", "targets": ["a"]}]}, "no source rds: there are ecs, sqs"),
        (CLUSTER | {"scheduled": "2026-11-25T12:05:00Z"}, "in the future"),
    ],
)
def test_bad_input_is_refused_with_its_reason(wrong: dict[str, Any], cause: str) -> None:
    with pytest.raises(JException, match=cause):
        slots(wrong, at(0))


def test_targets_may_be_arns_of_their_source() -> None:
    cluster, queue = "arn:aws:ecs:eu-west-1:111122223333:cluster/a", "arn:aws:sqs:eu-west-1:111122223333:q"
    given = {"ECSClusterName": ["a", cluster], "sources": [
        {"source": "sqs", "targets": [queue, "q"]}, {"source": "ecs", "targets": [cluster]},
    ]}  # fmt: skip
    assert len(slots(given, at(0))) == 12


def test_a_cluster_a_list_of_clusters_and_sources_all_become_sources() -> None:
    expression = STATES["Sample the slots"]["ItemSelector"]["sources"]
    queue = {"source": "sqs", "targets": ["queue"]}
    assert evaluate(expression, input=CLUSTER) == [{"source": "ecs", "targets": ["cluster"]}]
    several = evaluate(expression, input={"ECSClusterName": ["a", "b"], "sources": [queue]})
    assert several == [queue, {"source": "ecs", "targets": ["a", "b"]}]


def missing(slot: str, *targets: str) -> dict[str, Any]:
    return {"slot": f"2026-11-25T12:01:{slot}Z", "source": "ecs", "targets": [*targets], "reason": "MISSING"}


def test_the_cause_of_a_failure_names_targets_reasons_and_slots() -> None:
    given = {"missing": [missing("05", "ghost"), missing("10", "ghost", "other")]}
    cause = evaluate(STATES["Samples missing"]["Cause"], input=given)
    assert cause == "ecs ghost: MISSING (12:01:05, 12:01:10); ecs other: MISSING (12:01:10)"


def test_the_cause_of_a_failure_is_short_enough_for_a_thousand_clusters() -> None:
    given = {"missing": [missing("05", *(f"cluster-{number:0200d}" for number in range(1000)))]}
    assert 1000 < len(evaluate(STATES["Samples missing"]["Cause"], input=given)) < 32_768


def test_a_slot_whose_function_fails_misses_every_target() -> None:
    [catcher] = STATES["Sample the slots"]["ItemProcessor"]["States"]["Sample"]["Catch"]
    found = evaluate(
        catcher["Output"]["missing"],
        input={"slot": "s", "sources": [{"source": "ecs", "targets": ["a", "b"]}]},
        errorOutput={"Error": "Sandbox.Timedout", "Cause": "x" * 1000},
    )
    reason = "Sandbox.Timedout: " + "x" * 200
    assert found == [{"slot": "s", "source": "ecs", "targets": ["a", "b"], "reason": reason}]


def test_a_minute_whose_function_fails_fits_into_the_state_for_two_hundred_clusters() -> None:
    [catcher] = STATES["Sample the slots"]["ItemProcessor"]["States"]["Sample"]["Catch"]
    clusters = [f"a-cluster-of-some-name-{number:04d}" for number in range(200)]
    found = evaluate(
        catcher["Output"]["missing"],
        input={"slot": "2026-11-25T12:01:05.000Z", "sources": [{"source": "ecs", "targets": clusters}]},
        errorOutput={"Error": "Sandbox.Timedout", "Cause": "x" * 1000},
    )
    assert found[0]["targets"] == clusters
    assert 12 * len(json.dumps(found)) < 256 * 1024
