"""Every kind of bad input, and its documented outcome (docs/container_metrics.md has the same table)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.suite import Suite
from tests.conftest import Faults
from tests.integration.container_metrics.conftest import SLOT, Containers, moments
from tests.support.alarms import alarms_of
from tests.support.waiting import wait_until

THROTTLED = {"match": "ecs.DescribeClusters", "status": 400, "type": "ThrottlingException"}


def test_a_missing_cluster_has_no_zeros_but_a_metric_and_the_others_are_published(
    containers: Containers,
) -> None:
    cluster, ghost = containers.cluster("there", running=2), containers.name("ghost")
    ended = containers.sampled({"ECSClusterName": [cluster, ghost]}, slots=2)
    assert (ended["status"], ended["error"]) == ("FAILED", "SamplesMissing")
    assert ended["cause"].startswith(f"ecs {ghost}: MISSING (")
    running = containers.series(cluster, "RunningTask")
    assert list(running.values()) == [2, 2]
    assert all(slot.strftime("%H:%M:%S") in ended["cause"] for slot in running)
    assert containers.metrics(ghost) == {"MissingSamples"}
    assert containers.series(ghost, "MissingSamples") == dict.fromkeys(running, 1)


def test_missing_samples_fire_an_alarm(suite: Suite, containers: Containers) -> None:
    containers.sampled({"ECSClusterName": containers.name("ghost")})

    def fires() -> bool:
        alarms = alarms_of(suite, StateValue="ALARM")
        return any("ContainerMetricsFailedAlarm" in alarm["AlarmName"] for alarm in alarms)

    wait_until(fires, seconds=20, what="the alarm")


def test_an_inactive_cluster_has_no_zeros(suite: Suite, containers: Containers) -> None:
    cluster = containers.cluster("gone")
    suite.client("ecs").delete_cluster(cluster=cluster)
    ended = containers.sampled({"ECSClusterName": cluster})
    assert f"ecs {cluster}: INACTIVE (" in ended["cause"]
    assert containers.metrics(cluster) == {"MissingSamples"}


def test_a_cluster_that_the_template_does_not_name_is_not_read(containers: Containers) -> None:
    ended = containers.sampled({"ECSClusterName": "someone-elses"})
    assert "ecs someone-elses: AccessDeniedException" in ended["cause"]


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        pytest.param({}, "nothing to sample", id="nothing"),
        pytest.param({"ECSClusterName": ""}, "a name is empty", id="empty name"),
        pytest.param({"ECSClusterName": ["suite-local-containers", " "]}, "a name is empty", id="blank"),
        pytest.param({"ECSClusterName": [1]}, "a name is empty, or no text", id="number"),
        pytest.param({"ECSClusterName": []}, "nothing to sample", id="no name"),
        pytest.param({"sources": [{"source": "ecs", "targets": []}]}, "nothing to sample", id="no target"),
        pytest.param({"ECSClusterName": None}, "a name is empty, or no text", id="null"),
        pytest.param({"sources": [{"source": "ecs", "targets": [None]}]}, "no text", id="null as target"),
        pytest.param(
            {"sources": [{"source": "rds", "targets": ["a"]}]},
            "no source rds: there are ecs, sqs",
            id="unknown source",
        ),
        pytest.param({"sources": [None]}, "no source", id="null as source"),
        pytest.param({"ECSClusterName": "arn:aws:ecs"}, "begins like an ARN", id="half an ARN"),
    ],
)
def test_input_without_a_proper_name_is_refused_at_once(
    containers: Containers, given: dict[str, Any], cause: str
) -> None:
    ended = containers.ended(containers.run(given), seconds=10)
    assert (ended["status"], ended["error"]) == ("FAILED", "BadInput")
    assert cause in ended["cause"]


@pytest.mark.parametrize(
    ("scheduled", "cause"),
    [
        pytest.param("2199-01-01T00:00:00Z", "is in the future: a clock is wrong", id="clock skew"),
        pytest.param("soon", "ISO 8601", id="no time"),
        pytest.param("<aws.scheduler.scheduled-time>", "ISO 8601", id="not substituted"),
        pytest.param(5, "ISO 8601", id="number"),
    ],
)
def test_a_scheduled_time_that_cannot_be_meant_is_refused_at_once(
    containers: Containers, scheduled: Any, cause: str
) -> None:
    given = {"ECSClusterName": "suite-local-containers", "scheduled": scheduled}
    ended = containers.ended(containers.run(given), seconds=10)
    assert (ended["status"], ended["error"]) == ("FAILED", "BadInput")
    assert cause in ended["cause"]


def test_a_late_start_skips_the_slots_that_are_past(containers: Containers) -> None:
    cluster = containers.cluster("late", running=1)
    started = datetime.now(UTC)
    ended = containers.sampled({"ECSClusterName": cluster}, slots=2)
    slots = moments(ended["output"]["slots"])
    assert (ended["status"], ended["output"]["skipped"], len(slots)) == ("SUCCEEDED", 10, 2)
    assert slots[0] > started
    assert slots[1] - slots[0] == SLOT
    assert set(containers.series(cluster, "RunningTask")) == set(slots)


def test_a_start_after_its_minute_has_nothing_to_sample_and_ends_well(containers: Containers) -> None:
    scheduled = (datetime.now(UTC) - timedelta(minutes=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    execution = containers.run({"ECSClusterName": "suite-local-containers", "scheduled": scheduled})
    ended = containers.ended(execution, seconds=10)
    assert ended["status"] == "SUCCEEDED"
    assert ended["output"] == {"slots": [], "skipped": 12, "put": 0, "missing": [], "readings": []}


def test_a_throttled_read_is_tried_again(containers: Containers, faults: Faults) -> None:
    cluster = containers.cluster("throttled", running=4)
    faults.inject(THROTTLED | {"resource": cluster, "times": 2})
    ended = containers.sampled({"ECSClusterName": cluster})
    assert faults.hits() == [2]
    assert ended["status"] == "SUCCEEDED", ended
    assert list(containers.series(cluster, "RunningTask").values()) == [4]
    assert list(containers.series(cluster, "RunningTask", statistic="SampleCount").values()) == [1]


def test_a_throttled_read_is_missing_and_other_sources_are_published(
    suite: Suite, containers: Containers, faults: Faults
) -> None:
    cluster, queue = containers.cluster("busy"), containers.name("queue")
    suite.client("sqs").create_queue(QueueName=queue)
    faults.inject(THROTTLED | {"resource": cluster})
    given = {"ECSClusterName": cluster, "sources": [{"source": "sqs", "targets": [queue]}]}
    ended = containers.sampled(given)
    assert ended["error"] == "SamplesMissing"
    assert ended["cause"].partition(" (")[0] == f"ecs {cluster}: ecs: ThrottlingException"
    depth = containers.series(queue, "MessagesVisible", namespace="SQS", dimension="QueueName")
    assert list(depth.values()) == [0]
    samples = containers.series(
        queue, "MessagesVisible", statistic="SampleCount", namespace="SQS", dimension="QueueName"
    )
    assert list(samples.values()) == [1], "published once, at the last attempt"
    assert containers.metrics(cluster) == {"MissingSamples"}


def test_over_a_hundred_clusters_are_all_sampled(containers: Containers) -> None:
    clusters = [containers.cluster(f"many-{number:03d}") for number in range(103)]
    containers.scale(clusters[101], running=3)
    ended = containers.sampled({"ECSClusterName": clusters})
    assert (ended["status"], ended["output"]["put"]) == ("SUCCEEDED", 4 * 103 + 1)
    assert list(containers.series(clusters[101], "RunningTask").values()) == [3]
    assert list(containers.series(clusters[0], "RunningTask").values()) == [0]


def test_a_minute_that_is_sampled_twice_changes_counts_of_samples_alone(containers: Containers) -> None:
    cluster = containers.cluster("twice", running=2)
    executions = [containers.start({"ECSClusterName": cluster}, slots=1) for _ in range(2)]
    assert {containers.ended(each)["status"] for each in executions} == {"SUCCEEDED"}
    assert set(containers.series(cluster, "RunningTask", statistic="Average").values()) == {2}
    assert sum(containers.series(cluster, "RunningTask", statistic="SampleCount").values()) == 2


def test_a_past_slot_is_not_sampled_and_a_future_one_refused(
    containers: Containers,
) -> None:
    sources = [{"source": "ecs", "targets": [containers.cluster("slot", running=1)]}]
    past = containers.invoke({"slot": "2026-11-24T12:01:05Z", "sources": sources})
    assert [each["reason"] for each in past["missing"]] == ["LATE"]
    future = containers.invoke({"slot": "2199-11-25T12:01:05Z", "sources": sources})
    assert future["errorType"] == "ForeignEventError"
    assert "in the future" in future["errorMessage"]


def test_a_queue_that_is_not_there_is_missing(containers: Containers) -> None:
    name = containers.name("no-queue")
    ended = containers.sampled({"sources": [{"source": "sqs", "targets": [name]}]})
    assert f"sqs {name}: MISSING (" in ended["cause"]
