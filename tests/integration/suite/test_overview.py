"""The suite at a glance is what CloudWatch and the queues have: health, dead letters, counts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from insights.overview import KEEP_S, Overview
from local.clients.person import PersonAt
from local.deploy import STACK
from local.feeders.logs import feed
from local.suite import Suite
from ops.applications import contents, owner
from shared import clients
from tests.support.waiting import wait_until

APPLICATIONS = [each.folder for each in contents() if each.title not in ("Shared", "Insights")]


@pytest.fixture
def look(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An application's overview, read now."""
    monkeypatch.setattr(clients, "_client", lambda service, _timeout: suite.client(service))
    clusters = suite["ContainerMetricsClusterNames"].split(",")

    def look(application: str) -> dict[str, Any]:
        answer = Overview().answer(STACK, APPLICATIONS, clusters)
        return next(each for each in answer["applications"] if each["application"] == application)

    return look


def test_operators_see_every_deployed_application(suite: Suite) -> None:
    answer = PersonAt(suite, "person@example.org").get("overview")
    assert answer.status_code == 200
    overview = answer.json()
    assert [each["application"] for each in overview["applications"]] == APPLICATIONS
    for each in overview["applications"]:
        assert each["alarms"], each["application"]
        assert all(alarm["description"] and alarm["since"] for alarm in each["alarms"])
        assert all(len(one["points"]) == 2 * overview["hours"] for one in each["activity"])


def test_who_is_no_operator_sees_no_overview(suite: Suite) -> None:
    answer = PersonAt(suite, "no-operator@example.org", operator=False).get("overview")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_every_alarm_of_an_application_is_in_its_overview(suite: Suite, look: Any) -> None:
    """Against the stack's own resources: logical ids, not names."""
    formation = suite.client("cloudformation")
    resources = formation.get_paginator("list_stack_resources").paginate(StackName=STACK)
    kinds = {
        each["LogicalResourceId"]: each["ResourceType"]
        for page in resources
        for each in page["StackResourceSummaries"]
    }
    for application in APPLICATIONS:
        own = {name for name in kinds if owner(name).folder == application}
        found = look(application)
        assert {alarm["name"] for alarm in found["alarms"]} == {
            name for name in own if kinds[name] == "AWS::CloudWatch::Alarm"
        }
        assert {queue["name"] for queue in found["queues"]} == {
            name for name in own if name.endswith("DeadLetterQueue")
        }


@pytest.fixture
def dead_letter(suite: Suite) -> Iterator[None]:
    """A message in the dead-letter queue of imports."""
    queue, sqs = suite["AuthImportDeadLetterQueueUrl"], suite.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    yield
    sqs.purge_queue(QueueUrl=queue)


@pytest.mark.timeout(300)  # queues' metrics are by the minute
def test_a_dead_letter_is_an_alarm_until_it_is_gone(suite: Suite, look: Any, dead_letter: None) -> None:
    def queue() -> dict[str, Any]:
        return next(each for each in look("auth")["queues"] if each["name"] == "AuthImportDeadLetterQueue")

    wait_until(lambda: queue()["messages"] == 1, seconds=60, every=1, what="the dead letter is seen")
    wait_until(lambda: queue()["oldest_s"] > 0, seconds=60, every=1, what="it has an age")
    wait_until(lambda: look("auth")["state"] == "alarm", seconds=60, every=1, what="the alarm fires")
    suite.client("sqs").purge_queue(QueueUrl=suite["AuthImportDeadLetterQueueUrl"])
    wait_until(
        lambda: (queue()["messages"], queue()["oldest_s"]) == (0, 0), seconds=120, every=1, what="it is gone"
    )


def test_what_alarms_watch_is_told_with_its_value(suite: Suite, look: Any) -> None:
    """A log that is none is quarantined: one more than before."""

    def quarantined() -> float:
        [alarm] = [each for each in look("access_logs")["alarms"] if each["metric"] == "ObjectsQuarantined"]
        assert alarm["summed"]
        return float(alarm["value"])

    before = quarantined()
    suite.client("s3").put_object(
        Bucket=suite["AccessLogsBucketName"], Key=f"EWATCHED.{time.time_ns()}.gz", Body=b"no log"
    )
    wait_until(lambda: quarantined() == before + 1, seconds=60, every=1, what="the quarantined object")


def test_counts_are_those_of_what_was_sent(suite: Suite, look: Any) -> None:
    def requests() -> int:
        found = next(one for one in look("log_streaming")["activity"] if one["name"] == "Requests counted")
        assert found["total"] == sum(value for _, value in found["points"])
        return int(found["total"])

    before = requests()
    sent = feed(suite.client("kinesis"), suite["LogStreamName"], rate=100, seconds=2)
    wait_until(
        lambda: requests() - before == sent.requests.total(),
        seconds=90,
        every=1,
        what="every request is counted",
    )


def test_an_overview_is_kept_for_a_while(suite: Suite, look: Any) -> None:
    now = time.time()
    moments = iter([now, now + KEEP_S - 1, now + KEEP_S + 1])
    overview = Overview(lambda: next(moments))
    first, again, later = (overview.answer(STACK, ["auth"], []) for _ in range(3))
    assert first is again
    assert later is not first
