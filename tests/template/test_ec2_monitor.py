"""The EC2 monitor's part of the template, and the SQL that it takes from queries/ec2_monitor/."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from datagen.ec2_calls import CALLS
from ec2_monitor.documents import COLUMNS
from ops.template import deployed
from queries import EC2, EC2_VIEWS, SAVED, SOCIAL, sql
from tests.support.template import references, source, transformed

RESOURCES = transformed("aws")["Resources"]
RESOLVED = deployed().resources
EC2_RESOURCES = {  # but for the index, which test_ec2_search.py looks at
    name: resource
    for name, resource in RESOURCES.items()
    if name.startswith("Ec2") and resource["Condition"] != "Ec2Search"
}
RULES = ("Ec2CallsRule", "Ec2WatchedRule", "Ec2WorldOpenRule", "Ec2RootRule", "Ec2SignInRule")
ALERTING = ("Ec2WorldOpenRule", "Ec2RootRule", "Ec2SignInRule")


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {name: each["Properties"] for name, each in EC2_RESOURCES.items() if each["Type"] == kind}


def test_the_rule_of_calls_has_the_contracts_pattern() -> None:
    """The article's list of 19 calls, and the 7 further ones that its prose names."""
    pattern = RESOLVED["Ec2CallsRule"].properties["EventPattern"]
    assert len(CALLS) == 19 + 7
    assert pattern == {
        "source": ["aws.ec2"],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {"eventSource": ["ec2.amazonaws.com"], "eventName": list(CALLS)},
    }


def test_what_one_rule_records_the_other_leaves_out() -> None:
    alternatives = RESOLVED["Ec2WatchedRule"].properties["EventPattern"]["$or"]
    [groups] = [each["detail"]["eventName"] for each in alternatives if each.get("source") == ["aws.ec2"]]
    [left_out] = [
        each["detail"]["eventName"][0]["anything-but"]
        for each in alternatives
        if "anything-but" in str(each.get("detail", {}).get("eventName"))
    ]
    assert left_out == [*CALLS, *groups]


def test_calls_are_a_parameter_of_both_rules() -> None:
    resources = deployed({"Ec2Calls": "RunInstances,MonitorInstances"}).resources
    assert resources["Ec2CallsRule"].properties["EventPattern"]["detail"]["eventName"] == [
        "RunInstances",
        "MonitorInstances",
    ]
    assert '"MonitorInstances", "AuthorizeSecurityGroupIngress"' in json.dumps(
        resources["Ec2WatchedRule"].properties["EventPattern"]
    )


def test_root_alert_leaves_out_what_services_do() -> None:
    """CIS AWS Foundations Benchmark: Root, no invokedBy, no AwsServiceEvent.

    https://docs.aws.amazon.com/securityhub/latest/userguide/cloudwatch-controls.html
    """
    assert RESOLVED["Ec2RootRule"].properties["EventPattern"]["detail"] == {
        "userIdentity": {"type": ["Root"], "invokedBy": [{"exists": False}]},
        "eventType": [{"anything-but": "AwsServiceEvent"}],
    }


@pytest.mark.parametrize("name", RULES)
def test_a_rule_fits_retries_for_a_day_and_sends_what_it_cannot_deliver(name: str) -> None:
    rule = RESOURCES[name]["Properties"]
    pattern = RESOLVED[name].properties["EventPattern"]
    assert len(json.dumps(pattern, separators=(",", ":"))) <= 2048, "EventBridge takes no more"
    target = rule["Targets"][0]
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}
    assert references(target["DeadLetterConfig"], {"Ec2DeadLetterQueue"})
    wanted = "Ec2AlertsTopic" if name in ALERTING else "Ec2CallStream"
    assert references(target["Arn"], {wanted})


def test_rules_may_send_to_the_dlq_and_alert_and_the_alarm_may_alert() -> None:
    [queue] = of_type("AWS::SQS::QueuePolicy").values()
    [topic] = of_type("AWS::SNS::TopicPolicy").values()
    [sends] = queue["PolicyDocument"]["Statement"]
    rules, alarm = topic["PolicyDocument"]["Statement"]
    every = set(EC2_RESOURCES)
    assert references(sends["Condition"], every) == set(RULES)
    assert references(alarm["Condition"], every) == {"Ec2TerminationsAlarm"}
    assert "Condition" not in rules, "EventBridge publishes to no topic whose policy sets it conditions"
    assert [each["Principal"]["Service"] for each in (sends, rules, alarm)] == [
        "events.amazonaws.com", "events.amazonaws.com", "cloudwatch.amazonaws.com",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ALERTING)
def test_an_alert_has_no_text_that_a_caller_can_write_freely(name: str) -> None:
    [target] = RESOURCES[name]["Properties"]["Targets"]
    transformer = target["InputTransformer"]
    lines = transformer["InputTemplate"].splitlines()
    assert len(lines) == 3
    assert all(line.startswith('"') and line.endswith('"') for line in lines)
    used = set(re.findall("<([a-z]+)>", transformer["InputTemplate"]))
    assert used <= set(transformer["InputPathsMap"])
    # A quotation mark in one of these would break the text that EventBridge makes.
    free = {"userAgent", "errorMessage", "requestParameters", "description"}
    paths = {transformer["InputPathsMap"][each] for each in used}
    assert not {path.rpartition(".")[2] for path in paths} & free


def test_sign_ins_that_succeeded_alert_unless_only_failed_ones_are_wanted() -> None:
    detail = source()["Resources"]["Ec2SignInRule"]["Properties"]["EventPattern"]["detail"]
    assert detail["responseElements"] == {
        "Fn::If": ["Ec2FailedSignInsOnly", {"ConsoleLogin": ["Failure"]}, {"Ref": "AWS::NoValue"}]
    }
    assert detail["userIdentity"] == {"type": [{"anything-but": "Root"}]}, (
        "the root user has a rule of its own"
    )
    assert source()["Parameters"]["Ec2SignInAlerts"]["Default"] == "all"


def test_firehose_invokes_shape_and_no_more_than_may_come_back() -> None:
    [stream] = of_type("AWS::KinesisFirehose::DeliveryStream").values()
    destination = stream["ExtendedS3DestinationConfiguration"]
    [processor] = destination["ProcessingConfiguration"]["Processors"]
    parameters = {each["ParameterName"]: each["ParameterValue"] for each in processor["Parameters"]}
    assert references(parameters["LambdaArn"], {"Ec2ShapeFunction"})
    assert parameters["BufferSizeInMBs"] == "1"
    assert destination["ErrorOutputPrefix"].startswith("errors/!{firehose:error-output-type}/")


def test_partitions_are_projected_where_firehose_writes_and_as_long_as_calls_are_kept() -> None:
    [stream] = of_type("AWS::KinesisFirehose::DeliveryStream").values()
    assert stream["ExtendedS3DestinationConfiguration"]["Prefix"] == "calls/!{timestamp:yyyy/MM/dd/HH}/"
    table = RESOURCES["Ec2CallsTable"]["Properties"]["TableInput"]
    parameters = table["Parameters"]
    assert parameters["storage.location.template"] == {"Fn::Sub": "s3://${Ec2CallsBucket}/calls/${!hour}/"}
    assert parameters["projection.hour.format"] == "yyyy/MM/dd/HH"
    assert parameters["projection.hour.range"] == {"Fn::Sub": "NOW-${Ec2RecordDays}DAYS,NOW+1HOURS"}
    rules = RESOURCES["Ec2CallsBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    [calls] = [rule for rule in rules if rule.get("Prefix") == "calls/"]
    assert calls["ExpirationInDays"] == {"Ref": "Ec2RecordDays"}


def test_table_and_view_have_a_documents_columns() -> None:
    table = RESOURCES["Ec2CallsTable"]["Properties"]["TableInput"]["StorageDescriptor"]
    assert {column["Name"]: column["Type"] for column in table["Columns"]} == COLUMNS
    assert table["SerdeInfo"]["Parameters"] == {"mapping.event_time": "@timestamp"}
    view = RESOURCES["Ec2CallsView"]["Properties"]["TableInput"]
    assert [column["Name"] for column in view["StorageDescriptor"]["Columns"]] == [*COLUMNS, "hour"]
    definition = json.loads(view["ViewOriginalText"]["Fn::Join"][1][1]["Fn::Base64"]["Fn::Sub"])
    assert "PARTITION BY delivered.event_id" in definition["originalSql"]


def test_every_saved_query_is_a_resource_in_the_workgroup() -> None:
    queries = of_type("AWS::Athena::NamedQuery")
    assert {query["Name"]: query["QueryString"] for query in queries.values()} == {
        name: sql(name) for name in EC2
    }
    assert {query["WorkGroup"]["Ref"] for query in queries.values()} == {"Ec2WorkGroup"}
    assert EC2_VIEWS == ["calls"]


@pytest.mark.parametrize("name", EC2)
def test_saved_queries_see_each_call_once_and_look_at_few_partitions(name: str) -> None:
    text = re.sub("--.*", "", sql(name))
    assert "DISTINCT" in text
    assert re.search(r"(WHERE|AND) hour BETWEEN \? AND \?", text)


@pytest.mark.parametrize("name", [*EC2, *SAVED, *SOCIAL])
def test_saved_queries_have_parameters_in_their_condition_alone(name: str) -> None:
    """https://docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements.html"""
    before, _, after = re.sub("--.*", "", sql(name)).partition("WHERE")
    condition, *rest = re.split("GROUP BY|ORDER BY|LIMIT", after)
    assert "?" in condition
    assert "?" not in "".join([before, *rest])


def test_firehose_may_write_calls_and_errors_and_invoke_shape_and_nothing_else() -> None:
    """The local engine does not enforce Firehose's and EventBridge's roles, so they are looked at here."""
    [policy] = RESOURCES["Ec2DeliveryRole"]["Properties"]["Policies"]
    statements = {each["Sid"]: each for each in policy["PolicyDocument"]["Statement"]}
    assert {name: each["Action"] for name, each in statements.items()} == {
        "WriteObjects": ["s3:PutObject", "s3:AbortMultipartUpload"],
        "ListBucket": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
        "InvokeShape": ["lambda:InvokeFunction", "lambda:GetFunctionConfiguration"],
        "WriteLogs": "logs:PutLogEvents",
    }
    assert [each["Fn::Sub"] for each in statements["WriteObjects"]["Resource"]] == [
        "${Ec2CallsBucket.Arn}/calls/*", "${Ec2CallsBucket.Arn}/errors/*",
    ]  # fmt: skip
    [policy] = RESOURCES["Ec2DeliverRole"]["Properties"]["Policies"]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["firehose:PutRecord", "firehose:PutRecordBatch"]
    assert references(statement["Resource"], set(EC2_RESOURCES)) == {"Ec2CallStream"}


def test_shape_may_write_its_logs_and_nothing_else() -> None:
    [policy] = RESOURCES["Ec2ShapeFunctionRole"]["Properties"]["Policies"]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]


def test_a_burst_of_terminations_alerts_and_everything_else_is_operations() -> None:
    alarms = of_type("AWS::CloudWatch::Alarm")
    topics = {name: alarm["AlarmActions"] for name, alarm in alarms.items()}
    assert topics.pop("Ec2TerminationsAlarm") == [{"Ref": "Ec2AlertsTopic"}]
    assert set(topics) == {f"Ec2{name}Alarm" for name in ("DeadLetter", "Malformed", "Shape", "Freshness")}
    assert all(actions == [{"Ref": "OperationsTopic"}] for actions in topics.values())
    burst = alarms["Ec2TerminationsAlarm"]
    assert (burst["MetricName"], burst["Period"]) == ("InstancesTerminated", 300)
    assert source()["Parameters"]["Ec2TerminationBurst"]["Default"] == 10


def test_it_is_on_by_default_and_makes_no_trail() -> None:
    assert source()["Parameters"]["EnableEc2Monitor"]["Default"] == "true"
    assert not [each for each in RESOURCES.values() if each["Type"].startswith("AWS::CloudTrail")]
