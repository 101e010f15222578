"""A minute of twelve slots, and what becomes of it: series, alarm, history; the schedule by itself."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import boto3
import pytest
import yaml

from local.clients.person import PersonAt
from local.suite import Suite
from ops.paths import ROOT
from tests.integration.container_metrics.conftest import SLOT, Containers, moments
from tests.support.waiting import wait_until

# What the first cluster has at each slot; of the second one the other way around.
RUNNING = [0, 1, 2, 3, 3, 1, 0, 5, 4, 2, 2, 1]
WAITING = [0, 0, 0, 1, 1, 2, 2, 3, 2, 1, 1, 1]
SERVICES = [0, 0, 1, 1, 2, 2, 2, 1, 1, 0, 0, 3]
PERIOD_S = SLOT.total_seconds()


class Minute(NamedTuple):
    """A minute that was sampled while counts changed."""

    containers: Containers
    first: str
    second: str
    ended: dict[str, Any]
    slots: list[datetime]
    alarms: set[str]


@pytest.fixture(scope="module")
def minute(suite: Suite) -> Iterator[Minute]:
    """Twelve slots; counts change half-way between two of them."""
    containers = Containers(suite)
    first = containers.cluster("first", running=RUNNING[0], pending=WAITING[0], services=SERVICES[0])
    second = containers.cluster("second", running=RUNNING[11], pending=WAITING[11], services=SERVICES[11])
    execution = containers.start({"ECSClusterName": [first, second]}, slots=12)
    given = json.loads(suite.client("stepfunctions").describe_execution(executionArn=execution)["input"])
    begin = datetime.fromisoformat(given["scheduled"]) + timedelta(seconds=60)
    alarms = set()
    for number in range(12):
        for cluster, place in ((first, number), (second, 11 - number)):
            containers.scale(
                cluster, running=RUNNING[place], pending=WAITING[place], services=SERVICES[place]
            )
        half = begin + SLOT * number + SLOT / 2
        time.sleep(max(0.0, (half - datetime.now(UTC)).total_seconds()))
        alarms.add(state_of(suite, suite["ContainerMetricsPendingAlarmName"]))
    ended = containers.ended(execution)
    yield Minute(containers, first, second, ended, moments(ended["output"]["slots"]), alarms)
    containers.close()


def state_of(suite: Suite, alarm: str) -> str:
    [found] = suite.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    return str(found["StateValue"])


@pytest.mark.timeout(180)
def test_twelve_slots_of_five_seconds_are_sampled_and_the_execution_succeeds(minute: Minute) -> None:
    assert (minute.ended["status"], minute.ended["output"]["missing"]) == ("SUCCEEDED", [])
    assert [later - earlier for earlier, later in zip(minute.slots, minute.slots[1:], strict=False)] == [
        SLOT
    ] * 11
    assert (minute.ended["output"]["skipped"], minute.ended["output"]["put"]) == (0, 12 * 9)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("metric", "counts"), [("RunningTask", RUNNING), ("PendingTask", WAITING), ("ActiveServices", SERVICES)]
)
def test_the_series_read_back_is_what_the_clusters_had(
    minute: Minute, metric: str, counts: list[int]
) -> None:
    first = minute.containers.series(minute.first, metric)
    second = minute.containers.series(minute.second, metric)
    assert first == dict(zip(minute.slots, counts, strict=True))
    assert second == dict(zip(minute.slots, reversed(counts), strict=True))


@pytest.mark.timeout(180)
def test_each_slot_has_one_sample_and_clusters_without_instances_have_zeros(minute: Minute) -> None:
    samples = minute.containers.series(minute.first, "RunningTask", statistic="SampleCount")
    assert samples == dict.fromkeys(minute.slots, 1)
    instances = minute.containers.series(minute.first, "RegisteredContainerInstances")
    assert instances == dict.fromkeys(minute.slots, 0)
    assert "MissingSamples" not in minute.containers.metrics(minute.first)


@pytest.mark.timeout(180)
def test_the_highest_of_all_clusters_is_published_for_the_stack(minute: Minute) -> None:
    stack = minute.containers.series("suite-local", "PendingTask", dimension="StackName")
    highest = [max(pair) for pair in zip(WAITING, reversed(WAITING), strict=True)]
    assert {slot: stack[slot] for slot in minute.slots} == dict(zip(minute.slots, highest, strict=True))


@pytest.mark.timeout(180)
def test_the_alarm_fires_when_tasks_are_pending_for_30_seconds(suite: Suite, minute: Minute) -> None:
    assert "ALARM" in minute.alarms
    history = suite.client("cloudwatch").describe_alarm_history(
        AlarmName=suite["ContainerMetricsPendingAlarmName"], HistoryItemType="StateUpdate"
    )["AlarmHistoryItems"]
    assert any("to ALARM" in item["HistorySummary"] for item in history)


@pytest.mark.timeout(240)
def test_the_schedule_samples_the_stacks_own_cluster_by_itself(suite: Suite, containers: Containers) -> None:
    client = suite.client("stepfunctions")
    cluster = suite["ContainerMetricsClusterNames"]

    def scheduled() -> list[dict[str, Any]]:
        pages = client.get_paginator("list_executions").paginate(
            stateMachineArn=containers.machine, statusFilter="SUCCEEDED"
        )
        every = [client.describe_execution(executionArn=each["executionArn"])
                 for page in pages for each in page["executions"]]  # fmt: skip
        return [each for each in every if cluster in each["input"] and "sources" in each["input"]]

    found = wait_until(scheduled, seconds=200, every=2, what="a scheduled execution")
    given, output = json.loads(found[0]["input"]), json.loads(found[0]["output"])
    planned = datetime.fromisoformat(given["scheduled"])
    assert (planned.second, given["sources"]) == (0, [{"source": "ecs", "targets": [cluster]}])
    assert moments(output["slots"]) == [
        planned + timedelta(seconds=60) + SLOT * number for number in range(12)
    ]
    series = containers.series(cluster, "RunningTask")
    assert set(moments(output["slots"])) & set(series)


def test_the_insights_api_answers_with_what_the_cluster_has(suite: Suite, containers: Containers) -> None:
    cluster = suite["ContainerMetricsClusterNames"]
    slot = moments(containers.sampled({"ECSClusterName": cluster})["output"]["slots"])[0]
    answer = PersonAt(suite, "operator@example.org").get("containers", cluster=cluster)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["cluster"], body["clusters"]) == (cluster, [cluster])
    rows = {row[0]: row[1:] for row in body["rows"]}
    [counts] = suite.client("ecs").describe_clusters(clusters=[cluster])["clusters"]
    assert rows[int(slot.timestamp())] == [
        counts["runningTasksCount"], counts["pendingTasksCount"], counts["activeServicesCount"], 0,
    ]  # fmt: skip


def test_the_insights_api_refuses_strangers_and_clusters_that_are_not_sampled(suite: Suite) -> None:
    person = PersonAt(suite, "operator@example.org")
    answer = person.get("containers", cluster="someone-elses")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    stranger = suite.http.get(f"{suite['InsightsApiUrl']}/v1/insights/containers")
    assert (stranger.status_code, stranger.json()["code"]) == (401, "unauthorized")


def test_an_express_execution_samples_as_well(suite: Suite, containers: Containers) -> None:
    """The same definition; `StartSyncExecution` answers with the output."""
    client = suite.client("stepfunctions")
    described = client.describe_state_machine(stateMachineArn=containers.machine)
    machine = client.create_state_machine(
        name=containers.name("express"), definition=described["definition"],
        roleArn=described["roleArn"], type="EXPRESS",
    )["stateMachineArn"]  # fmt: skip
    cluster = containers.cluster("express", running=2)
    now = datetime.now(UTC)
    scheduled = now - timedelta(seconds=now.second % 5 + 105)
    answer = client.start_sync_execution(
        stateMachineArn=machine,
        input=json.dumps({"ECSClusterName": cluster, "scheduled": scheduled.strftime("%Y-%m-%dT%H:%M:%SZ")}),
    )
    slots = moments(json.loads(answer["output"])["slots"])
    assert answer["status"] == "SUCCEEDED"
    assert containers.series(cluster, "RunningTask") == dict.fromkeys(slots, 2)
    assert slots


def test_a_minute_is_published_at_once_by_parameter(suite: Suite, containers: Containers) -> None:
    """The same definition with `Put` substituted, as the parameter does."""
    client = suite.client("stepfunctions")
    described = client.describe_state_machine(stateMachineArn=containers.machine)
    text = described["definition"]
    assert text.count('"put": "slot"') == 1
    machine = client.create_state_machine(
        name=containers.name("minute"), roleArn=described["roleArn"],
        definition=text.replace('"put": "slot"', '"put": "minute"'),
    )["stateMachineArn"]  # fmt: skip
    cluster, ghost = containers.cluster("minute", running=3, services=1), containers.name("ghost")
    execution = containers.start({"ECSClusterName": [cluster, ghost]}, slots=3, machine=machine)
    time.sleep(6)
    assert containers.series(cluster, "RunningTask") == {}, "nothing before the end"
    ended = containers.ended(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "SamplesMissing")
    running = containers.series(cluster, "RunningTask")
    assert list(running.values()) == [3, 3, 3]
    assert containers.series(cluster, "ActiveServices") == dict.fromkeys(running, 1)
    assert containers.series(ghost, "MissingSamples") == dict.fromkeys(running, 1)


def test_queue_depth_is_sampled_beside_clusters(suite: Suite, containers: Containers) -> None:
    name = containers.name("jobs")
    url = suite.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    for number in range(4):
        suite.client("sqs").send_message(QueueUrl=url, MessageBody=str(number))
    suite.client("sqs").receive_message(QueueUrl=url, VisibilityTimeout=60)
    cluster = containers.cluster("beside", running=1)
    ended = containers.sampled({"sources": [{"source": "sqs", "targets": [name]}], "ECSClusterName": cluster})
    assert (ended["status"], ended["output"]["put"]) == ("SUCCEEDED", 7)
    queue = {"namespace": "SQS", "dimension": "QueueName"}
    assert list(containers.series(name, "MessagesVisible", **queue).values()) == [3]
    assert list(containers.series(name, "MessagesInFlight", **queue).values()) == [1]
    assert list(containers.series(cluster, "RunningTask").values()) == [1]


OTHER_ACCOUNT = "444455556666"


def other(suite: Suite, service: str) -> Any:
    """A client of another account: the emulator takes twelve digits as a key for the account's number."""
    make: Any = boto3.client
    return make(
        service, endpoint_url=suite.engine.endpoint, region_name="us-east-1",
        aws_access_key_id=OTHER_ACCOUNT, aws_secret_access_key="test",
    )  # fmt: skip


def reader_role(iam: Any, name: str, *, trusted: str) -> str:
    """A role that reads one cluster, and that one role may assume; its ARN."""

    def document(**statement: Any) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | statement]})

    trust = document(Action="sts:AssumeRole", Principal={"AWS": trusted})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    reads = document(Action="ecs:DescribeClusters", Resource=f"arn:aws:ecs:*:{OTHER_ACCOUNT}:cluster/{name}")
    iam.put_role_policy(RoleName=name, PolicyName="read", PolicyDocument=reads)
    return str(role)


def test_a_cluster_of_another_region_is_told_apart_by_its_place(suite: Suite, containers: Containers) -> None:
    here = containers.cluster("twin", running=1)
    elsewhere = suite.engine.client("ecs", "us-west-2")
    arn = elsewhere.create_cluster(clusterName=here)["cluster"]["clusterArn"]
    ended = containers.sampled({"ECSClusterName": [here, arn]})
    assert ended["status"] == "SUCCEEDED"
    _, _, _, region, account, _ = arn.split(":")
    assert list(containers.series(here, "RunningTask").values()) == [1]
    assert list(containers.series(here, "RunningTask", Region=region, AccountId=account).values()) == [0]
    elsewhere.delete_cluster(cluster=here)


def test_a_cluster_of_another_account_is_read_by_its_role(suite: Suite, containers: Containers) -> None:
    name, iam = containers.name("theirs"), other(suite, "iam")
    arn = other(suite, "ecs").create_cluster(clusterName=name)["cluster"]["clusterArn"]
    assert arn.split(":")[4] == OTHER_ACCOUNT
    with containers.assuming(reader_role(iam, name, trusted=containers.role_arn)):
        ended = containers.sampled({"ECSClusterName": arn})
        assert ended["status"] == "SUCCEEDED", ended.get("cause")
        place = {"Region": arn.split(":")[3], "AccountId": OTHER_ACCOUNT}
        assert list(containers.series(name, "RunningTask", **place).values()) == [0]
        iam.delete_role_policy(RoleName=name, PolicyName="read")
        refused = containers.sampled({"ECSClusterName": arn})
    assert "AccessDeniedException" in refused["cause"]
    assert f"ecs of {OTHER_ACCOUNT}" in refused["cause"]


def test_the_example_alarm_fires_on_a_backlog(suite: Suite, containers: Containers) -> None:
    """docs/examples/scale_a_service.yaml; what it starts, Application Auto Scaling, is not on the engine."""
    name = containers.name("backlog")
    url = suite.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    for number in range(11):
        suite.client("sqs").send_message(QueueUrl=url, MessageBody=str(number))
    text = (ROOT / "docs/examples/scale_a_service.yaml").read_text()
    alarm = yaml.load(re.sub(r"!(Ref|Sub)", "", text), Loader=yaml.SafeLoader)["Resources"]["BacklogAlarm"]
    properties = alarm["Properties"] | {
        "AlarmName": name, "AlarmActions": [], "Threshold": 10,
        "Dimensions": [{"Name": "QueueName", "Value": name}],
    }  # fmt: skip
    suite.client("cloudwatch").put_metric_alarm(**properties)
    containers.sampled({"sources": [{"source": "sqs", "targets": [name]}]}, slots=7)

    def state() -> str:
        [found] = suite.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return str(found["StateValue"])

    wait_until(lambda: state() == "ALARM", seconds=30, what="the alarm")
    suite.client("cloudwatch").delete_alarms(AlarmNames=[name])
