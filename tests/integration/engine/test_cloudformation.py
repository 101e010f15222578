"""CloudFormation: properties that the bare emulator drops, types that it refuses, changes that it misses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.cloud import Cloud


def _template(outputs: dict[str, Any] | None = None, **resources: dict[str, Any]) -> dict[str, Any]:
    template: dict[str, Any] = {"Resources": resources}
    if outputs:
        template["Outputs"] = {name: {"Value": value} for name, value in outputs.items()}
    return template


def _update(cloud: Cloud, stack: str, template: dict[str, Any]) -> None:
    formation = cloud.client("cloudformation")
    formation.update_stack(
        StackName=stack,
        TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
    )
    formation.get_waiter("stack_update_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )


def _bucket(**properties: Any) -> dict[str, Any]:
    return _template(
        {"Name": {"Ref": "Bucket"}}, Bucket={"Type": "AWS::S3::Bucket", "Properties": properties}
    )


def test_generated_names_differ_between_regions(cloud: Cloud) -> None:
    """A role is of the account: two stacks of one name in two regions have two.

    "If you don't specify a name, CloudFormation generates a unique physical ID and uses that ID for the role
    name": https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html
    """
    name, regions = cloud.name("stack"), ("us-east-1", "eu-west-1")

    def role(region: str) -> dict[str, Any]:
        denied = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{region}/*"}
        policy = {"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [denied]}}
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        return {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
                "Policies": [policy],
            },
        }

    made = {}
    for region in regions:
        formation = cloud.client("cloudformation", region)
        formation.create_stack(
            StackName=name,
            TemplateBody=json.dumps(_template(Role=role(region))),
            Capabilities=["CAPABILITY_IAM"],
        )
        formation.get_waiter("stack_create_complete").wait(
            StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
        )
        [found] = formation.describe_stack_resources(StackName=name)["StackResources"]
        made[region] = found["PhysicalResourceId"]
    assert len({*made.values()}) == 2, made
    for region, found in made.items():
        policy = cloud.client("iam").get_role_policy(RoleName=found, PolicyName="p")["PolicyDocument"]
        assert policy["Statement"][0]["Resource"] == f"arn:aws:s3:::{region}/*"
    cloud.client("cloudformation", "eu-west-1").delete_stack(StackName=name)
    assert cloud.client("iam").get_role(RoleName=made["us-east-1"])["Role"]["RoleName"] == made["us-east-1"]


def test_lifecycle_rules_are_kept_and_updated(cloud: Cloud) -> None:
    rules = [
        {
            "Id": "temporary",
            "Status": "Enabled",
            "Prefix": "tmp/",
            "TagFilters": [{"Key": "keep", "Value": "no"}],
            "ExpirationInDays": 7,
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
        },
        {
            "Id": "cold",
            "Status": "Enabled",
            "TagFilters": [{"Key": "cold", "Value": "yes"}],
            "Transitions": [{"StorageClass": "STANDARD_IA", "TransitionInDays": 30}],
        },
        {"Id": "once", "Status": "Disabled", "ExpirationDate": "2030-01-01T00:00:00Z"},
    ]
    stack = cloud.deploy(_bucket(LifecycleConfiguration={"Rules": rules}))
    s3 = cloud.client("s3")
    first, second, third = s3.get_bucket_lifecycle_configuration(Bucket=stack["Name"])["Rules"]
    both = first["Filter"]["And"]
    assert (both["Prefix"], both["Tags"]) == ("tmp/", [{"Key": "keep", "Value": "no"}])
    assert first["Expiration"] == {"Days": 7}
    assert first["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert first["NoncurrentVersionExpiration"] == {"NoncurrentDays": 3}
    assert second["Filter"] == {"Tag": {"Key": "cold", "Value": "yes"}}
    assert second["Transitions"] == [{"Days": 30, "StorageClass": "STANDARD_IA"}]
    assert third["Status"] == "Disabled"
    assert third["Expiration"]["Date"].year == 2030
    _update(cloud, stack["StackName"], _bucket(LifecycleConfiguration={"Rules": rules[:1]}))
    assert len(s3.get_bucket_lifecycle_configuration(Bucket=stack["Name"])["Rules"]) == 1


def test_bucket_encryption_and_tags_are_kept(cloud: Cloud) -> None:
    default = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/aws/s3"}}
    encryption = {"ServerSideEncryptionConfiguration": [default | {"BucketKeyEnabled": True}]}
    stack = cloud.deploy(_bucket(BucketEncryption=encryption, Tags=[{"Key": "app", "Value": "test"}]))
    s3 = cloud.client("s3")
    answer = s3.get_bucket_encryption(Bucket=stack["Name"])["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert answer["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert answer["BucketKeyEnabled"] is True
    tags = s3.get_bucket_tagging(Bucket=stack["Name"])["TagSet"]
    assert {"Key": "app", "Value": "test"} in tags


@pytest.mark.ours_only
def test_bucket_cors_is_kept_and_notifications_reach_eventbridge(cloud: Cloud) -> None:
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.com"]}
    stack = cloud.deploy(
        _bucket(
            CorsConfiguration={"CorsRules": [rule]},
            NotificationConfiguration={"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
        )
    )
    s3, events, name = cloud.client("s3"), cloud.client("events"), cloud.name("rule")
    assert rule.items() <= s3.get_bucket_cors(Bucket=stack["Name"])["CORSRules"][0].items()
    url, arn = cloud.queue()
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [stack["Name"]]}}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": arn}])
    s3.put_object(Bucket=stack["Name"], Key="a.txt", Body=b"x")
    event = json.loads(cloud.messages(url)[0])
    assert (event["detail-type"], event["detail"]["object"]["key"]) == ("Object Created", "a.txt")


def _table(**properties: Any) -> dict[str, Any]:
    table = {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    }
    resource = {"Type": "AWS::DynamoDB::Table", "Properties": table | properties}
    return _template({"Name": {"Ref": "Table"}}, Table=resource)


def test_a_tables_time_to_live_and_recovery_are_applied_and_updated(cloud: Cloud) -> None:
    recovery = {"PointInTimeRecoveryEnabled": True}
    stack = cloud.deploy(
        _table(
            TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True},
            PointInTimeRecoverySpecification=recovery,
        )
    )
    dynamodb = cloud.client("dynamodb")

    def attribute() -> str | None:
        answer = dynamodb.describe_time_to_live(TableName=stack["Name"])["TimeToLiveDescription"]
        name: str | None = answer.get("AttributeName")
        return name if answer["TimeToLiveStatus"] == "ENABLED" else None

    assert attribute() == "ttl"
    backups = dynamodb.describe_continuous_backups(TableName=stack["Name"])["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    _update(cloud, stack["StackName"], _table(PointInTimeRecoverySpecification=recovery))
    assert attribute() is None


def _function(**properties: Any) -> dict[str, Any]:
    code = {"ZipFile": "def handler(event, context): return 1"}
    base = {
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Code": code,
        "Role": "arn:aws:iam::0:role/any",
    }
    return {"Type": "AWS::Lambda::Function", "Properties": base | properties}


def test_a_functions_dead_letter_queue_and_reserved_concurrency_are_applied(cloud: Cloud) -> None:
    _, arn = cloud.queue()
    outputs = {"Name": {"Ref": "Function"}}
    wanted = _function(DeadLetterConfig={"TargetArn": arn}, ReservedConcurrentExecutions=3)
    stack = cloud.deploy(_template(outputs, Function=wanted))
    service, name = cloud.client("lambda"), stack["Name"]
    assert service.get_function_configuration(FunctionName=name).get("DeadLetterConfig") == {"TargetArn": arn}
    assert service.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 3
    _update(cloud, stack["StackName"], _template(outputs, Function=_function(ReservedConcurrentExecutions=5)))
    assert not service.get_function_configuration(FunctionName=name).get("DeadLetterConfig")
    assert service.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 5


def test_a_mappings_tumbling_window_and_defaults_are_applied(cloud: Cloud) -> None:
    def template(**settings: Any) -> dict[str, Any]:
        mapping = {
            "FunctionName": {"Ref": "Function"},
            "EventSourceArn": {"Fn::GetAtt": ["Stream", "Arn"]},
            "StartingPosition": "LATEST",
        }
        return _template(
            {"Id": {"Ref": "Mapping"}},
            Function=_function(),
            Stream={"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1}},
            Mapping={"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping | settings},
        )

    stack = cloud.deploy(template(TumblingWindowInSeconds=30, MaximumRetryAttempts=2))
    service = cloud.client("lambda")
    mapping = service.get_event_source_mapping(UUID=stack["Id"])
    expected = {"TumblingWindowInSeconds": 30, "MaximumRetryAttempts": 2, "BatchSize": 100}
    assert expected.items() <= mapping.items()
    _update(cloud, stack["StackName"], template(TumblingWindowInSeconds=60, BatchSize=7))
    mapping = service.get_event_source_mapping(UUID=stack["Id"])
    expected = {"TumblingWindowInSeconds": 60, "MaximumRetryAttempts": -1, "BatchSize": 7}
    assert expected.items() <= mapping.items()


def test_named_queries_composite_alarms_and_inert_types_are_accepted(cloud: Cloud) -> None:
    def template(query: str) -> dict[str, Any]:
        named = {"Name": "q", "Database": "default", "QueryString": query}
        alarm = {
            "Namespace": "Test",
            "MetricName": "m",
            "Threshold": 1,
            "EvaluationPeriods": 1,
            "Period": 60,
            "Statistic": "Sum",
            "ComparisonOperator": "GreaterThanThreshold",
        }
        both = {
            "AlarmName": {"Fn::Sub": "${AWS::StackName}-both"},
            "AlarmRule": {"Fn::Sub": "ALARM(${Alarm})"},
        }
        group = {"GroupName": "g", "FilterExpression": f'service("{len(query)}")'}
        return _template(
            {"Query": {"Ref": "Query"}, "Both": {"Ref": "Both"}},
            Query={"Type": "AWS::Athena::NamedQuery", "Properties": named},
            Alarm={"Type": "AWS::CloudWatch::Alarm", "Properties": alarm},
            Both={"Type": "AWS::CloudWatch::CompositeAlarm", "Properties": both},
            Traces={"Type": "AWS::XRay::Group", "Properties": group},
        )

    stack = cloud.deploy(template("SELECT 1"))
    athena = cloud.client("athena")
    query = athena.get_named_query(NamedQueryId=stack["Query"])["NamedQuery"]
    assert query["QueryString"] == "SELECT 1"
    found = cloud.client("cloudwatch").describe_alarms(
        AlarmNames=[stack["Both"]], AlarmTypes=["CompositeAlarm"]
    )
    assert len(found["CompositeAlarms"]) == 1
    _update(cloud, stack["StackName"], template("SELECT 22"))
    updated = cloud.outputs(stack["StackName"])["Query"]
    assert athena.get_named_query(NamedQueryId=updated)["NamedQuery"]["QueryString"] == "SELECT 22"
    cloud.client("cloudformation").delete_stack(StackName=stack["StackName"])


def test_change_set_switches_resources_on_and_off_by_a_parameter(cloud: Cloud) -> None:
    """Which `sam deploy` makes of another `--parameter-overrides`: the template is the same."""
    queue = {"Type": "AWS::SQS::Queue"}
    template = _template(Switched=queue | {"Condition": "On"}, Always=queue) | {
        "Parameters": {"Switch": {"Type": "String", "Default": "true"}},
        "Conditions": {"On": {"Fn::Equals": [{"Ref": "Switch"}, "true"]}},
    }
    stack = cloud.deploy(template)["StackName"]
    formation = cloud.client("cloudformation")
    before = {each["LogicalResourceId"] for each in _resources(cloud, stack)}
    assert before == {"Switched", "Always"}
    for switch, action, after in (("false", "Remove", {"Always"}), ("true", "Add", {"Switched", "Always"})):
        formation.create_change_set(
            StackName=stack, ChangeSetName=f"to-{switch}", TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": "Switch", "ParameterValue": switch}],
        )  # fmt: skip
        made = formation.describe_change_set(StackName=stack, ChangeSetName=f"to-{switch}")
        changes = [each["ResourceChange"] for each in made["Changes"]]
        assert [(each["Action"], each["LogicalResourceId"]) for each in changes] == [(action, "Switched")]
        formation.execute_change_set(StackName=stack, ChangeSetName=f"to-{switch}")
        formation.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 0.1})
        assert {each["LogicalResourceId"] for each in _resources(cloud, stack)} == after


def _resources(cloud: Cloud, stack: str) -> list[dict[str, Any]]:
    """What a stack has now."""
    listed = cloud.client("cloudformation").list_stack_resources(StackName=stack)["StackResourceSummaries"]
    return [each for each in listed if each["ResourceStatus"] != "DELETE_COMPLETE"]
