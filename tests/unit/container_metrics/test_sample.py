"""The function without a network: what it reads, publishes, and reports."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    InvalidRegionError,
    ReadTimeoutError,
)

from container_metrics import places, sample, sources
from container_metrics.errors import BadRequestError, UnavailableError
from container_metrics.sources import SOURCES, Describe
from ops.paths import ROOT
from shared import clients
from shared.events import ForeignEventError

COUNTS = (
    "runningTasksCount",
    "pendingTasksCount",
    "activeServicesCount",
    "registeredContainerInstancesCount",
)


CONTEXT: Any = SimpleNamespace(invoked_function_arn="arn:aws:lambda:eu-west-1:111122223333:function:sample")


def refusal(code: str, status: int = 400, operation: str = "Call") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        operation,
    )


class Services:
    """ECS, SQS and CloudWatch; `failing` has what calls raise, by name."""

    def __init__(self) -> None:
        self.clusters: dict[str, tuple[int, ...]] = {"a": (3, 1, 2, 0), "b": (0, 5, 0, 4)}
        self.states: dict[str, str] = {}
        self.queues = {"jobs": ("7", "2")}
        self.failing: dict[str, Exception] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.described: list[list[str]] = []
        self.put: list[tuple[str, list[dict[str, Any]]]] = []

    def _call(self, name: str) -> None:
        if name in self.failing:
            raise self.failing[name]

    def elsewhere(self, service: str, *, region: str, role_arn: str, **_: Any) -> Services:
        """A client of another region or account, which has other clusters and queues."""
        self.asked.append((service, region, role_arn))
        if "AssumeRole" in self.failing:
            raise self.failing["AssumeRole"]
        there = Services()
        there.clusters, there.queues = {"a": (30, 9, 1, 1)}, {"jobs": ("70", "20")}
        return there

    def describe_clusters(self, *, clusters: list[str]) -> dict[str, Any]:
        self._call("describe_clusters")
        self.described.append(clusters)
        names = [name.rpartition("/")[2] for name in clusters]
        return {
            "clusters": [
                {"clusterName": name, "status": self.states.get(name, "ACTIVE")}
                | dict(zip(COUNTS, self.clusters[name], strict=True))
                for name in reversed(names)
                if name in self.clusters
            ],
            "failures": [
                {"arn": f"arn:aws:ecs:eu-west-1:1:cluster/{name}", "reason": "MISSING"}
                for name in names
                if name not in self.clusters
            ],
        }

    def get_queue_url(self, *, QueueName: str) -> dict[str, str]:  # noqa: N803
        return {"QueueUrl": f"https://queues/{QueueName}"}

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:  # noqa: N803
        self._call("get_queue_attributes")
        name = QueueUrl.rpartition("/")[2]
        if name not in self.queues:
            raise refusal("AWS.SimpleQueueService.NonExistentQueue")
        return {"Attributes": dict(zip(AttributeNames, self.queues[name], strict=True))}

    def put_metric_data(self, *, Namespace: str, MetricData: Any) -> None:  # noqa: N803
        self._call("put_metric_data")
        self.put.append((Namespace, list(MetricData)))

    def values(self) -> dict[tuple[str, str, str], float]:
        """Return what was published, by dimension's value, namespace and metric."""
        found = {}
        for namespace, data in self.put:
            for datum in data:
                where = "/".join(dimension["Value"] for dimension in datum["Dimensions"])
                found[where, namespace, datum["MetricName"]] = datum["Value"]
        return found


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Services:
    made = Services()
    monkeypatch.setattr(clients, "_client", lambda *_, **__: made)
    monkeypatch.setattr(places, "client_elsewhere", made.elsewhere)
    monkeypatch.setenv("STACK_NAME", "stack")
    sources._queue_url.cache_clear()
    return made


def ask(*targets: str, source: str = "ecs", age: float = 1.0, **more: Any) -> dict[str, Any]:
    slot = datetime.now(UTC) - timedelta(seconds=age)
    event = {
        "slot": slot.isoformat(), "sources": [{"source": source, "targets": list(targets)}]
    } | more  # fmt: skip
    return sample.handler(event, CONTEXT)


def test_counters_are_published_at_the_slot_with_a_resolution_of_a_second(
    services: Services,
) -> None:
    slot = datetime.now(UTC).replace(microsecond=0)
    event = {"slot": slot.isoformat(), "sources": [{"source": "ecs", "targets": ["a", "b"]}]}
    answer = sample.handler(event, CONTEXT)
    assert answer["put"] == 9
    assert answer["missing"] == answer["readings"] == []
    assert services.values() == {
        ("a", "ECS", "RunningTask"): 3, ("a", "ECS", "PendingTask"): 1,
        ("a", "ECS", "ActiveServices"): 2, ("a", "ECS", "RegisteredContainerInstances"): 0,
        ("b", "ECS", "RunningTask"): 0, ("b", "ECS", "PendingTask"): 5,
        ("b", "ECS", "ActiveServices"): 0, ("b", "ECS", "RegisteredContainerInstances"): 4,
        ("stack", "ECS", "PendingTask"): 5,
    }  # fmt: skip
    [(_, data)] = services.put
    assert {(d["Timestamp"], d["StorageResolution"], d["Unit"]) for d in data} == {(slot, 1, "Count")}
    assert {d["Dimensions"][0]["Name"] for d in data} == {"ClusterName", "StackName"}


def test_a_cluster_that_is_missing_or_inactive_has_no_zeros_and_is_reported(services: Services) -> None:
    services.states = {"b": "INACTIVE"}
    answer = ask("a", "b", "ghost")
    reasons = {target: each["reason"] for each in answer["missing"] for target in each["targets"]}
    assert reasons == {"b": "INACTIVE", "ghost": "MISSING"}
    values = services.values()
    assert {metric for target, _, metric in values if target in reasons} == {"MissingSamples"}
    assert values["stack", "ECS", "PendingTask"] == 1, "of those that are there"


def test_with_no_cluster_at_all_nothing_is_published_for_the_stack(services: Services) -> None:
    ask("ghost")
    assert set(services.values()) == {("ghost", "ECS", "MissingSamples")}


@pytest.mark.parametrize("code", ["ThrottlingException", "ServerException"])
def test_throttles_and_faults_are_raised_before_anything_is_published(services: Services, code: str) -> None:
    services.failing["describe_clusters"] = refusal(code, 400 if "Throttl" in code else 500)
    with pytest.raises(UnavailableError, match=code):
        ask("a", last=False)
    assert services.put == []


def test_a_call_that_is_not_answered_is_worth_another_try(services: Services) -> None:
    services.failing["describe_clusters"] = ReadTimeoutError(endpoint_url="https://ecs")
    with pytest.raises(UnavailableError, match="ReadTimeoutError"):
        ask("a", last=False)


def test_at_the_last_attempt_a_source_that_cannot_be_used_costs_the_others_nothing(
    services: Services,
) -> None:
    services.failing["describe_clusters"] = refusal("ThrottlingException")
    sources = [{"source": "ecs", "targets": ["a"]}, {"source": "sqs", "targets": ["jobs"]}]
    answer = sample.handler({"sources": sources, "last": True}, CONTEXT)
    assert [each["reason"] for each in answer["missing"]] == ["ecs: ThrottlingException"]
    assert services.values()["jobs", "SQS", "MessagesVisible"] == 7


def test_an_attempt_that_would_come_too_late_is_the_last(services: Services) -> None:
    services.failing["describe_clusters"] = refusal("ThrottlingException")
    answer = ask("a", age=3.5, last=False)
    assert [each["reason"] for each in answer["missing"]] == ["ecs: ThrottlingException"]


def test_what_is_not_allowed_is_missing_with_the_error_code(services: Services) -> None:
    services.failing["describe_clusters"] = refusal("AccessDeniedException")
    assert [each["reason"] for each in ask("a", last=False)["missing"]] == ["AccessDeniedException"]


def test_over_a_hundred_clusters_are_read_in_several_calls_and_published_in_two(services: Services) -> None:
    services.clusters = {f"c{number}": (number, 0, 0, 0) for number in range(250)}
    assert ask(*services.clusters)["put"] == 1001
    assert [len(names) for names in services.described] == [100, 100, 50]
    assert [len(data) for _, data in services.put] == [1000, 1]
    running = {
        name: value for (name, _, metric), value in services.values().items() if metric == "RunningTask"
    }
    assert running == {f"c{number}": number for number in range(250)}


def test_a_cluster_that_is_named_twice_or_by_its_arn_is_read_once(services: Services) -> None:
    answer = ask("a", "arn:aws:ecs:eu-west-1:111122223333:cluster/a", "a")
    assert answer["put"] == 5
    assert [len(names) for names in services.described] == [1]


ELSEWHERE = "arn:aws:ecs:us-west-2:111122223333:cluster/a"
OTHER_ACCOUNT = "arn:aws:ecs:eu-west-1:444455556666:cluster/a"
READER = "arn:aws:iam::444455556666:role/metrics/reader"


def test_clusters_of_one_name_in_several_places_are_told_apart(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("READER_ROLES", f"arn:aws:iam::777788889999:role/other,{READER}")
    answer = ask("a", ELSEWHERE, OTHER_ACCOUNT)
    assert answer["missing"] == []
    assert services.asked == [("ecs", "us-west-2", ""), ("ecs", "eu-west-1", READER)]
    values = services.values()
    running = {where: value for (where, _, metric), value in values.items() if metric == "RunningTask"}
    assert running == {"a": 3, "a/us-west-2/111122223333": 30, "a/eu-west-1/444455556666": 30}
    highest = [
        datum["Value"] for _, data in services.put for datum in data
        if datum["MetricName"] == "PendingTask" and datum["Dimensions"][0]["Name"] == "StackName"
    ]  # fmt: skip
    assert highest == [9], "one value a slot: the alarm may take the minimum of a minute"


def test_a_queue_elsewhere_is_looked_up_there(services: Services) -> None:
    ask("jobs", "arn:aws:sqs:us-west-2:111122223333:jobs", source="sqs")
    values = services.values()
    assert values["jobs", "SQS", "MessagesVisible"] == 7
    assert values["jobs/us-west-2/111122223333", "SQS", "MessagesVisible"] == 70


def test_a_role_that_may_not_be_assumed_costs_the_others_nothing(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("READER_ROLES", READER)
    services.failing["AssumeRole"] = refusal("AccessDenied", 403, "AssumeRole")
    [missing] = ask("a", OTHER_ACCOUNT)["missing"]
    assert missing["source"] == "ecs of 444455556666 in eu-west-1"
    assert (missing["targets"], missing["reason"]) == (["a"], "AssumeRole: AccessDenied")
    values = services.values()
    assert values["a", "ECS", "RunningTask"] == 3
    assert values["a/eu-west-1/444455556666", "ECS", "MissingSamples"] == 1


def test_another_account_without_a_role_is_missing_and_nobody_is_asked(services: Services) -> None:
    [missing] = ask("a", OTHER_ACCOUNT)["missing"]
    assert (missing["targets"], missing["reason"]) == (["a"], "NO_ROLE")
    assert services.asked == []
    assert services.values()["a", "ECS", "RunningTask"] == 3


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (EndpointConnectionError(endpoint_url="https://ecs"), "ecs: EndpointConnectionError"),
        (ConnectTimeoutError(endpoint_url="https://ecs"), "ecs: ConnectTimeoutError"),
        (InvalidRegionError(region_name="eu_west"), "InvalidRegionError"),
    ],
)
def test_a_region_that_is_none_costs_the_others_nothing(
    services: Services, raised: Exception, reason: str
) -> None:
    services.failing["AssumeRole"] = raised  # of whoever makes a client elsewhere
    [missing] = ask("a", ELSEWHERE)["missing"]
    assert (missing["targets"], missing["reason"]) == (["a"], reason)
    assert services.values()["a", "ECS", "RunningTask"] == 3


def test_places_survive_the_way_through_the_state_machine(services: Services) -> None:
    readings = json.loads(json.dumps(ask("a", ELSEWHERE, put="minute")["readings"]))
    sample.handler({"readings": readings}, CONTEXT)
    assert services.values()["a/us-west-2/111122223333", "ECS", "RunningTask"] == 30
    assert services.values()["stack", "ECS", "PendingTask"] == 9


def test_queue_depth_is_a_source(services: Services) -> None:
    answer = ask("jobs", "gone", source="sqs")
    assert services.values() == {
        ("jobs", "SQS", "MessagesVisible"): 7, ("jobs", "SQS", "MessagesInFlight"): 2,
        ("gone", "SQS", "MissingSamples"): 1,
    }  # fmt: skip
    assert [each["reason"] for each in answer["missing"]] == ["MISSING"]


def test_a_number_that_is_not_there_is_missing_and_never_zero(services: Services) -> None:
    services.queues["jobs"] = ("", "2")
    answer = ask("jobs", source="sqs")
    assert [each["reason"] for each in answer["missing"]] == ["no number for MessagesVisible"]


def test_a_third_source_is_one_entry(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {"orders": {"TableStatus": "ACTIVE", "ItemCount": 12, "TableSizeBytes": 3456}}
    services.describe_table = lambda TableName: {"Table": tables[TableName]}  # type: ignore[attr-defined]  # noqa: N803
    table = Describe(
        service="dynamodb",
        operation="describe_table",
        arguments=lambda _, names: {"TableName": names[0]},
        state="Table.TableStatus",
        metrics={"Items": "Table.ItemCount", "Bytes": "Table.TableSizeBytes"},
        namespace="DynamoDB",
        dimension="TableName",
    )
    monkeypatch.setitem(SOURCES, "dynamodb", table)
    ask("orders", source="dynamodb")
    assert services.values() == {
        ("orders", "DynamoDB", "Items"): 12, ("orders", "DynamoDB", "Bytes"): 3456
    }  # fmt: skip


def test_a_slot_that_is_past_is_not_sampled_with_numbers_of_a_later_one(services: Services) -> None:
    answer = ask("a", "b", age=30)
    assert {each["reason"] for each in answer["missing"]} == {"LATE"}
    assert services.described == []
    assert {metric for _, _, metric in services.values()} == {"MissingSamples"}


def test_without_a_slot_the_present_one_is_sampled(services: Services) -> None:
    event = json.loads((ROOT / "events/container_metrics/sample_now.json").read_text())
    services.clusters["suite-local-containers"] = (1, 1, 1, 1)
    answer = sample.handler(event, CONTEXT)
    slot = datetime.fromisoformat(answer["slot"])
    assert slot.second % 5 == 0
    assert timedelta() <= datetime.now(UTC) - slot < timedelta(seconds=7)


def test_by_the_minute_readings_are_returned_and_published_together(services: Services) -> None:
    first = ask("a", "ghost", put="minute", age=2)
    second = ask("a", put="minute", age=1)
    assert services.put == []
    assert first["put"] == 0
    readings = json.loads(json.dumps([*first["readings"], *second["readings"]]))
    answer = sample.handler({"readings": readings}, CONTEXT)
    assert answer == {"put": 11}
    [(namespace, data)] = services.put
    assert namespace == "ECS"
    assert len({datum["Timestamp"] for datum in data}) == 2
    assert sum(datum["MetricName"] == "MissingSamples" for datum in data) == 1


def test_a_minute_of_four_hundred_clusters_fits_into_the_state_machines_state(services: Services) -> None:
    services.clusters = {f"cluster-{number:04d}": (100, 10, 10, 10) for number in range(400)}
    answer = ask(*services.clusters, put="minute")
    assert 12 * len(json.dumps(answer["readings"])) < 256 * 1024


@pytest.mark.parametrize("put", ["slot", "minute"])
def test_a_minute_in_which_two_hundred_clusters_are_missing_fits_too(services: Services, put: str) -> None:
    """It would end in States.DataLimitExceeded, which nothing can catch, and which says of no cluster why."""
    services.failing["describe_clusters"] = refusal("AccessDeniedException")
    answer = ask(*(f"a-cluster-of-some-name-{number:04d}" for number in range(200)), put=put)
    [row] = answer["missing"]
    assert (len(row["targets"]), row["reason"]) == (200, "AccessDeniedException")
    assert 12 * len(json.dumps(answer)) < 256 * 1024


def test_cloudwatch_that_throttles_is_worth_another_try_and_one_that_refuses_is_not(
    services: Services,
) -> None:
    services.failing["put_metric_data"] = refusal("Throttling")
    with pytest.raises(UnavailableError, match="PutMetricData"):
        ask("a")
    services.failing["put_metric_data"] = refusal("AccessDenied", 403)
    with pytest.raises(BadRequestError, match="AccessDenied"):
        ask("a")


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({}, "sources must be a list"),
        ({"sources": "a"}, "sources must be a list"),
        ({"sources": ["a"]}, "no source"),
        ({"sources": [{"source": "rds", "targets": ["a"]}]}, "no source 'rds': there are ecs, sqs"),
        ({"sources": [{"source": "ecs", "targets": []}]}, "no targets"),
        ({"sources": [{"source": "ecs", "targets": ["a", " "]}]}, "no name"),
        ({"sources": [{"source": "ecs", "targets": [None]}]}, "no name"),
        ({"sources": [{"source": "ecs", "targets": ["arn:aws:ecs"]}]}, "is none"),
        ({"slot": "soon", "sources": [{"source": "ecs", "targets": ["a"]}]}, "not an ISO 8601 time"),
        ({"slot": "2026-11-25T12:00:00", "sources": []}, "no offset"),
        ({"slot": "2199-11-25T12:00:00Z", "sources": []}, "in the future"),
        ({"put": "hour", "sources": []}, "neither slot nor minute"),
        ({"readings": "all"}, "must be a list"),
        ({"readings": [{}]}, "no reading"),
        ({"readings": [{"slot": "2026-11-25T12:00Z", "source": "ecs", "values": {"a": [1]}, "missing": {}}]},
         "known"),
    ],
)  # fmt: skip
def test_a_wrong_event_is_refused_with_its_reason(services: Services, event: Any, why: str) -> None:
    with pytest.raises(ForeignEventError, match=why):
        sample.handler(event, CONTEXT)
    assert services.put == []
