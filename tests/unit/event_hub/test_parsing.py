"""Members count by what they mean; what is not understood is refused by a sentence, never by a crash."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_hub.envelopes import MalformedError, unwrapped
from event_hub.facts import (
    AlarmChange,
    CacheEvent,
    DatabaseEvent,
    EnvironmentChange,
    Fact,
    Ignored,
    TaskEvent,
    VaultJob,
)
from event_hub.publishers import facts_of
from event_hub.publishers.reading import members_of_text, moment
from local.hub_messages import NAMES, bodies


def parsed(text: str) -> list[Fact]:
    return [fact for incoming in unwrapped(text, "m-1") for fact in facts_of(incoming)]


def message(name: str) -> Any:
    """The message itself, without its envelope."""
    [incoming] = unwrapped(bodies(name)[0], "m-1")
    return incoming.body


def rewritten(body: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """The same members in another order."""
    names = list(body)
    rng.shuffle(names)
    return {
        name: rewritten(body[name], rng) if isinstance(body[name], dict) else body[name] for name in names
    }


@pytest.mark.parametrize("name", [name for name in NAMES if isinstance(message(name), dict)])
def test_order_of_members_does_not_matter(name: str) -> None:
    text = bodies(name)[0]
    if "detail-type" in json.loads(text):
        body = json.loads(text)
        assert parsed(json.dumps(rewritten(body, random.Random(1)))) == parsed(text)
        return
    assert parsed(json.dumps(rewritten(message(name), random.Random(1)))) == parsed(json.dumps(message(name)))


@pytest.mark.parametrize(
    ("source_id", "event_id"),
    [
        ("SourceId", "Event ID"),
        ("Source ID", "Event ID "),
        ("source id", "EVENT ID"),
        ("Source Id", "EventID"),
    ],
)
def test_dms_may_spell_members_otherwise(source_id: str, event_id: str) -> None:
    body = message("dms_task_failed_fatal")
    body[source_id], body[event_id] = body.pop("SourceId"), body.pop("Event ID")
    [fact] = parsed(json.dumps(body))
    assert isinstance(fact, TaskEvent)
    assert (fact.task, fact.event) == ("mssql-to-mysql", "DMS-EVENT-0078")


def test_lines_of_a_text_may_stand_in_another_order() -> None:
    lines = [line for line in message("beanstalk_created_text").splitlines() if line]
    [fact] = parsed("\r\n".join(reversed(lines)))
    assert isinstance(fact, EnvironmentChange)
    assert fact.created
    assert fact.happened == datetime(2026, 11, 20, 9, 15, 38, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "text", "created"),
    [
        ("Environment creation successful", "", True),
        ("ENVIRONMENT_CREATION_SUCCESSFUL", "", True),
        ("", "Successfully launched environment: shop-staging", True),
        ("Environment creation failed", "Failed to launch environment.", False),
        ("Environment creation started", "createEnvironment is starting.", False),
        ("Environment termination successful", "terminateEnvironment completed successfully.", False),
        ("Environment update successful", "Environment update completed successfully.", False),
    ],
)
def test_environment_is_created_by_message_or_status(status: str, text: str, created: bool) -> None:
    event = json.loads(bodies("beanstalk_eventbridge_created")[0])
    event["detail"] |= {"Status": status, "Message": text}
    [fact] = parsed(json.dumps(event))
    assert isinstance(fact, EnvironmentChange)
    assert fact.created is created


def test_people_are_told_of_other_events_without_effect() -> None:
    body = message("rds_backup_0002") | {"Event Message": "As after RDS-EVENT-0007, see RDS-EVENT-0089."}
    [fact] = parsed(json.dumps(body))
    assert isinstance(fact, DatabaseEvent)
    assert fact.event == "RDS-EVENT-0002"


def test_formulas_parts_are_not_what_an_alarm_looks_at() -> None:
    body = message("alarm_metric_math")
    body["Trigger"]["Metrics"][1]["MetricStat"]["Metric"]["MetricName"] = "Latency"
    [fact] = parsed(json.dumps(body))
    assert isinstance(fact, AlarmChange)
    assert fact.metrics == ()


@pytest.mark.parametrize(
    ("text", "event", "cluster"),
    [
        ("ElastiCache:AddCacheNodeComplete : shop", "AddCacheNodeComplete", "shop"),
        ("ElastiCache:CacheClusterProvisioningComplete s-1-5", "CacheClusterProvisioningComplete", "s-1-5"),
        ("CacheClusterScalingComplete : shop", "CacheClusterScalingComplete", "shop"),
        ("SnapshotFailed : shop", "SnapshotFailed", "shop"),
    ],
)  # fmt: skip
def test_texts_of_elasticaches_user_guide_are_read(text: str, event: str, cluster: str) -> None:
    [fact] = parsed(text)
    assert isinstance(fact, CacheEvent)
    assert (fact.event, fact.cluster) == (event, cluster)


def test_event_of_elasticache_without_a_cluster_is_ignored_by_name() -> None:
    assert parsed("ElastiCache:CertificateRenewalComplete") == [
        Ignored("elasticache: CertificateRenewalComplete")
    ]


def test_launch_error_has_no_instance_and_snapshots_are_no_databases() -> None:
    body = message("autoscaling_notification_launch") | {"Event": "autoscaling:EC2_INSTANCE_LAUNCH_ERROR"}
    del body["EC2InstanceId"]
    assert parsed(json.dumps(body)) == [Ignored("autoscaling:EC2_INSTANCE_LAUNCH_ERROR")]
    snapshot = message("rds_backup_0002") | {"Event Source": "db-snapshot", "Source ID": "rds:db-2026-11-20"}
    assert parsed(json.dumps(snapshot)) == [Ignored("rds: db-snapshot")]


def test_range_of_a_vaults_job_is_its_size() -> None:
    body = message("glacier_archive_retrieved") | {"RetrievalByteRange": "1048576-2097151"}
    [fact] = parsed(json.dumps(body))
    assert isinstance(fact, VaultJob)
    assert fact.size == 1_048_576


def test_job_that_is_not_completed_is_not_fetched() -> None:
    body = message("glacier_archive_retrieved") | {"Completed": False, "StatusCode": "InProgress"}
    assert parsed(json.dumps(body)) == [Ignored("glacier: not completed")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T09:15:41.902+0000", datetime(2026, 11, 20, 9, 15, 41, 902_000, UTC)),
        ("2026-11-20T10:15:41.902+01:00", datetime(2026, 11, 20, 9, 15, 41, 902_000, UTC)),
        ("2026-11-20 09:15:38.004", datetime(2026, 11, 20, 9, 15, 38, 4_000, UTC)),
        ("2026-11-20T09:15:41.018Z", datetime(2026, 11, 20, 9, 15, 41, 18_000, UTC)),
        ("Fri Nov  6 09:15:38 UTC 2026", datetime(2026, 11, 6, 9, 15, 38, tzinfo=UTC)),
        (1795166138000, datetime(2026, 11, 20, 9, 15, 38, tzinfo=UTC)),
    ],
)
def test_time_stamps_of_every_publisher_are_read(text: object, expected: datetime) -> None:
    assert moment(text, "x") == expected


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "{}",
        "[]",
        "null",
        '{"Records": []}',
        '{"Type": "Notification", "TopicArn": "x", "Message": "y", "Records": [{"Sns": {}}]}',
        '{"AlarmName": "\\ud800", "NewStateValue": "OK", "AlarmArn": "x"}',
        '{"LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING", "AutoScalingGroupName": "\\udfff"}',
        '{"Source ID": "x", "Event ID": "RDS-EVENT-0089", "Event Time": "0001-01-01T00:00+14:00"}',
        '{"Records": [1]}',
        '{"Records": [{"Sns": null}]}',
        '{"Records": [{"eventSource": "aws:s3"}]}',
        '{"Type": "Notification", "TopicArn": "x"}',
        '{"detail-type": "x", "source": "aws.glue", "detail": 1}',
        '{"detail-type": 1, "source": ["aws.glue"], "detail": {}}',
        '{"AlarmName": "x", "NewStateValue": "MAYBE", "AlarmArn": "y"}',
        '{"ElastiCache:AddCacheNodeComplete": 1}',
        '{"ElastiCache:AddCacheNodeComplete": "../x"}',
        '{"LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING"}',
        '{"VaultARN": "x", "JobId": "y", "Completed": true}',
        '{"Event ID": "RDS-EVENT-0089"}',
        "LifecycleTransition: x",
        '{"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": '
        '{"bucket": {"name": "abc"}, "object": {"key": "%FF"}}}]}',
        "[" * 100_000,
        '{"a":' * 100_000,
    ],
    ids=lambda body: body[:40],
)
def test_what_nobody_understands_is_malformed(body: str) -> None:
    with pytest.raises(MalformedError):
        assert parsed(body)


def parsed_or_refused(text: str) -> list[Fact] | str:
    """Facts, or the sentence that says why there are none; anything else is a crash."""
    try:
        return parsed(text)
    except MalformedError as error:
        return str(error)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
NODES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(name=st.sampled_from(NAMES), data=st.data())
def test_spoilt_message_is_parsed_or_malformed(name: str, data: st.DataObject) -> None:
    """One member, at any depth, of the envelope or of the message, is anything at all, or missing."""
    document = json.loads(bodies(name)[0])
    holder, path = document, []
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        path.append(key)
        inner = holder[key]
        if isinstance(inner, str) and inner[:1] == "{" and data.draw(st.booleans()):
            nested = json.loads(inner)
            nested[data.draw(st.sampled_from(list(nested)))] = data.draw(NODES)
            holder[key] = json.dumps(nested)
            break
        if isinstance(inner, dict | list) and data.draw(st.booleans()):
            holder = inner
            continue
        if data.draw(st.booleans()) or not isinstance(holder, dict):
            holder[key] = data.draw(NODES)
        else:
            del holder[key]
        break
    assert parsed_or_refused(json.dumps(document))


@given(st.text(max_size=300))
def test_any_text_is_parsed_or_malformed(text: str) -> None:
    assert parsed_or_refused(text)


def test_members_of_a_text_are_read_in_linear_time() -> None:
    assert members_of_text("a" * 60_000 + ": x") == {}
    assert members_of_text(("a " * 40 + "\n") * 1_000) == {}
