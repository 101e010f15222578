"""The OpenSearch part of EC2's monitor: who may do what on the domain, and what alarms."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from typing import Any

import pytest

from tests.support.template import references, source, transformed

RESOURCES = transformed("aws")["Resources"]
DOMAIN = RESOURCES["Ec2SearchDomain"]["Properties"]
ARN = "arn:${AWS::Partition}:es:${AWS::Region}:${AWS::AccountId}:domain/${AWS::StackName}-search/"


def statements() -> dict[str, dict[str, Any]]:
    """The domain's access policy by Sid, those for people included."""
    found = [
        each["Fn::If"][1] if "Fn::If" in each else each for each in DOMAIN["AccessPolicies"]["Statement"]
    ]
    return {each["Sid"]: each for each in found}


def paths(statement: dict[str, Any]) -> set[str]:
    listed = statement["Resource"]
    texts = [each["Fn::Sub"] for each in (listed if isinstance(listed, list) else [listed])]
    assert all(text.startswith(ARN) for text in texts)
    return {text.removeprefix(ARN) for text in texts}


def test_domain_is_that_of_the_original_in_todays_spelling() -> None:
    cluster = DOMAIN["ClusterConfig"]
    assert cluster["InstanceCount"] == 2
    assert (cluster["DedicatedMasterEnabled"], cluster["DedicatedMasterCount"]) == (True, 3)
    assert cluster["ZoneAwarenessEnabled"]


def test_domain_costs_nothing_unless_it_is_asked_for() -> None:
    assert source()["Parameters"]["EnableOpenSearch"]["Default"] == "false"
    ours = {name: each for name, each in RESOURCES.items() if re.match("Ec2(Search|Index)", name)}
    assert len(ours) > 10
    assert {each["Condition"] for each in ours.values()} == {"Ec2Search"}


def test_domain_is_encrypted_everywhere() -> None:
    assert DOMAIN["EncryptionAtRestOptions"]["Enabled"]
    assert DOMAIN["NodeToNodeEncryptionOptions"]["Enabled"]
    assert DOMAIN["DomainEndpointOptions"]["EnforceHTTPS"]
    assert DOMAIN["DomainEndpointOptions"]["TLSSecurityPolicy"].startswith("Policy-Min-TLS-1-2")


def test_function_may_create_documents_and_put_the_template_and_nothing_else() -> None:
    policy = statements()
    role = {"AWS": {"Fn::GetAtt": ["Ec2IndexFunctionRole", "Arn"]}}
    theirs = {name: each for name, each in policy.items() if each["Principal"] == role}
    allowed = {(each["Action"], *paths(each)) for each in theirs.values()}
    assert allowed == {("es:ESHttpPost", "log/_bulk"), ("es:ESHttpPut", "_template/log")}
    [own] = RESOURCES["Ec2IndexFunctionRole"]["Properties"]["Policies"]
    own_statements = [
        each for each in own["PolicyDocument"]["Statement"] if str(each["Action"]).startswith("es:")
    ]
    assert {(each["Action"], *paths(each)) for each in own_statements} == allowed


def test_people_read_search_and_open_dashboards_from_their_addresses() -> None:
    policy = statements()
    theirs = [
        each for each in policy.values() if each["Principal"] == {"AWS": "*"} and each["Effect"] == "Allow"
    ]
    assert len(theirs) == 2
    for each in theirs:
        assert references(each["Condition"]["IpAddress"]["aws:SourceIp"], {"Ec2SearchPeople"})
    assert set(policy["AllowPeopleToRead"]["Action"]) == {"es:ESHttpGet", "es:ESHttpHead"}
    assert policy["AllowPeopleToSearch"]["Action"] == "es:ESHttpPost"
    assert paths(policy["AllowPeopleToSearch"]) == {
        "log/_search", "log/_count", "_dashboards/api/core/capabilities",
        "_dashboards/internal/search/*", "_dashboards/internal/_msearch",
        "_dashboards/api/saved_objects/*", "_dashboards/api/opensearch-dashboards/suggestions/*",
    }  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        "log/_delete_by_query", "log/_bulk", "_bulk", "log/_close", "log", "_template/log", "_reindex",
        "_dashboards/api/console/proxy", "_dashboards/api/ism/apiCaller", "_cluster/settings",
    ],
)  # fmt: skip
def test_people_can_post_nothing_that_changes_the_index(path: str) -> None:
    assert not [each for each in paths(statements()["AllowPeopleToSearch"]) if fnmatch(path, each)]


@pytest.mark.parametrize(
    "ranges", ["0.0.0.0/0", "10.0.0.0/8", "203.0.113.0/24,0.0.0.0/0", "everybody", "203.0.113.7", "/24"]
)
def test_ranges_of_addresses_that_are_none_or_too_wide_are_refused(ranges: str) -> None:
    assert not re.fullmatch(source()["Parameters"]["Ec2SearchPeople"]["AllowedPattern"], ranges)


@pytest.mark.parametrize("ranges", ["", "203.0.113.0/24", "203.0.113.7/32,198.51.100.0/24"])
def test_ranges_of_addresses_by_commas_are_taken(ranges: str) -> None:
    assert re.fullmatch(source()["Parameters"]["Ec2SearchPeople"]["AllowedPattern"], ranges)
    assert source()["Parameters"]["Ec2SearchPeople"]["Default"] == "", "nobody unless somebody is named"


def test_the_rules_of_the_record_feed_the_index_too() -> None:
    for rule in ("Ec2CallsRule", "Ec2WatchedRule"):
        record, search = source()["Resources"][rule]["Properties"]["Targets"]
        assert record["Id"] == "record"
        condition, target, nothing = search["Fn::If"]
        assert (condition, nothing) == ("Ec2Search", {"Ref": "AWS::NoValue"})
        assert references(target, {"Ec2SearchQueue", "Ec2SearchDeadLetterQueue"}) == {
            "Ec2SearchQueue", "Ec2SearchDeadLetterQueue",
        }  # fmt: skip


@pytest.mark.parametrize("policy", ["Ec2SearchQueuePolicy", "Ec2SearchDeadLetterPolicy"])
def test_queues_take_events_of_the_records_rules_alone(policy: str) -> None:
    [statement] = RESOURCES[policy]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == "sqs:SendMessage"
    rules = {name for name, each in RESOURCES.items() if each["Type"] == "AWS::Events::Rule"}
    assert references(statement["Condition"], rules) == {"Ec2CallsRule", "Ec2WatchedRule"}


def test_queue_waits_as_long_as_lambda_asks_for_and_outlives_hours_without_a_domain() -> None:
    queue, function = RESOURCES["Ec2SearchQueue"]["Properties"], RESOURCES["Ec2IndexFunction"]["Properties"]
    seconds = queue["VisibilityTimeout"]["Fn::If"][1]
    assert seconds >= 6 * function["Timeout"]
    assert seconds * queue["RedrivePolicy"]["maxReceiveCount"]["Fn::If"][1] >= 6 * 3600
    assert queue["MessageRetentionPeriod"] == 14 * 86_400
    [mapping] = [
        each["Properties"]
        for each in RESOURCES.values()
        if each["Type"] == "AWS::Lambda::EventSourceMapping" and references(each, {"Ec2SearchQueue"})
    ]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"]["MaximumConcurrency"] >= 2


def test_alarm_of_a_late_index_fires_before_sqs_leaves_its_messages_out() -> None:
    """A message that was received three times is not part of the metric, though it is still there."""
    again = RESOURCES["Ec2SearchQueue"]["Properties"]["VisibilityTimeout"]["Fn::If"][1]
    alarm = RESOURCES["Ec2SearchAgeAlarm"]["Properties"]
    assert again < alarm["Threshold"], "one try may fail"
    assert alarm["Threshold"] <= 2 * again - 3 * 60, "three samples of the metric are left"


def test_alarm_fires_when_a_quarter_of_the_storage_is_left() -> None:
    free = source()["Mappings"]["Ec2SearchFree"]
    assert {size: entry["MiB"] for size, entry in free.items()} == {
        size: int(size) * 1024 // 4 for size in source()["Parameters"]["Ec2SearchVolumeGiB"]["AllowedValues"]
    }


def test_a_red_domain_full_storage_a_late_index_and_errors_alarm() -> None:
    alarms = {
        name: each["Properties"]
        for name, each in RESOURCES.items()
        if each["Type"] == "AWS::CloudWatch::Alarm" and name.startswith("Ec2Search")
    }
    assert {each["MetricName"] for each in alarms.values()} == {
        "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage", "ClusterStatus.red",
        "FreeStorageSpace", "Errors",
    }  # fmt: skip
    assert all(each["AlarmActions"] == [{"Ref": "OperationsTopic"}] for each in alarms.values())
