"""Roles of services: each allows what the service does for this stack, and nothing else.

What functions' own code calls is tested on the local engine, with enforcement on. The services are not: what
each needs is worked out here from its configuration, by the lists in its documentation.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ops.paths import ROOT
from ops.template import Resource, Stack

from . import Verdict, rule
from ._iam import allows, statements
from .delivery import FUNCTION, QUEUE, failure_destination, mappings, rule_targets, source_of

type Need = tuple[str, str, str]  # role, action, resource

_READ_STREAM = ("DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards")


def _firehose(stack: Stack) -> Iterator[Need]:
    """https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3"""
    for stream in stack.of("AWS::KinesisFirehose::DeliveryStream"):
        settings = stream.properties["ExtendedS3DestinationConfiguration"]
        role, bucket = settings["RoleARN"], settings["BucketARN"]
        for action in ("GetBucketLocation", "ListBucket", "ListBucketMultipartUploads"):
            yield role, f"s3:{action}", bucket
        for prefix in (settings["Prefix"], settings.get("ErrorOutputPrefix", "")):
            key = re.sub(r"!\{timestamp:[^}]*\}", "2026/11/27/05", prefix)
            key = re.sub(r"!\{firehose:[^}]*\}", "processing-failed", key)
            for action in ("PutObject", "AbortMultipartUpload"):
                yield role, f"s3:{action}", f"{bucket}/{key}stream-1-2026-11-27-05-00-00-id.gz"
        logs = settings.get("CloudWatchLoggingOptions", {})
        if logs.get("Enabled"):
            place = stack.place
            yield (
                role,
                "logs:PutLogEvents",
                f"arn:{place.partition}:logs:{place.region}:{place.account}:log-group:{logs['LogGroupName']}"
                f":log-stream:{logs['LogStreamName']}",
            )
        for processor in settings.get("ProcessingConfiguration", {}).get("Processors", []):
            for parameter in processor["Parameters"]:
                if parameter["ParameterName"] == "LambdaArn":
                    yield role, "lambda:InvokeFunction", parameter["ParameterValue"]
                    yield role, "lambda:GetFunctionConfiguration", parameter["ParameterValue"]


def _rules(stack: Stack) -> Iterator[Need]:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-iam-roles.html"""
    actions = {
        "AWS::KinesisFirehose::DeliveryStream": ("firehose:PutRecord", "firehose:PutRecordBatch"),
        "AWS::Kinesis::Stream": ("kinesis:PutRecord", "kinesis:PutRecords"),
        "AWS::StepFunctions::StateMachine": ("states:StartExecution",),
    }
    for _, target in rule_targets(stack):
        to = stack.at(target["Arn"])
        for action in actions.get(to.kind, ()) if to else ():
            yield target.get("RoleArn", ""), action, target["Arn"]


def _schedules(stack: Stack) -> Iterator[Need]:
    """https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html#setting-up-execution-role"""
    actions = {"AWS::StepFunctions::StateMachine": "states:StartExecution", FUNCTION: "lambda:InvokeFunction"}
    for schedule in stack.of("AWS::Scheduler::Schedule"):
        target = schedule.properties["Target"]
        if to := stack.at(target["Arn"]):
            yield target["RoleArn"], actions[to.kind], target["Arn"]
        if "DeadLetterConfig" in target:
            yield target["RoleArn"], "sqs:SendMessage", target["DeadLetterConfig"]["Arn"]


# https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html: they know no resource
_LOG_DELIVERY = (
    "CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries",
    "PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups",
)  # fmt: skip


def _state_machines(stack: Stack) -> Iterator[Need]:
    """https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html"""
    for machine in stack.of("AWS::StepFunctions::StateMachine"):
        role, given = machine.properties["RoleArn"], machine.properties.get("DefinitionSubstitutions", {})
        text = (ROOT / "statemachines" / f"{_definition_of(machine)}.asl.json").read_text()
        for name in set(re.findall(r'"FunctionName": "\$\{(\w+)\}"', text)):
            yield role, "lambda:InvokeFunction", given[name]
        if machine.properties.get("LoggingConfiguration", {}).get("Level", "OFF") != "OFF":
            for action in _LOG_DELIVERY:
                yield role, f"logs:{action}", "*"


def _definition_of(machine: Resource) -> str:
    """`ContainerMetricsStateMachine` is defined in `container_metrics.asl.json`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", machine.name.removesuffix("StateMachine")).lower()


def _realtime_logs(stack: Stack) -> Iterator[Need]:
    """https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/real-time-logs.html#understand-real-time-log-config-iam-role"""
    for config in stack.of("AWS::CloudFront::RealtimeLogConfig"):
        for endpoint in config.properties["EndPoints"]:
            settings = endpoint["KinesisStreamConfig"]
            for action in ("DescribeStreamSummary", "DescribeStream", "PutRecord", "PutRecords"):
                yield settings["RoleArn"], f"kinesis:{action}", settings["StreamArn"]


def _flink(stack: Stack) -> Iterator[Need]:
    """https://docs.aws.amazon.com/managed-flink/latest/java/get-started-exercise.html#get-started-exercise-7-cli-policy"""
    for application in stack.of("AWS::KinesisAnalyticsV2::Application"):
        settings = application.properties["ApplicationConfiguration"]
        role = application.properties["ServiceExecutionRole"]
        code = settings["ApplicationCodeConfiguration"]["CodeContent"]["S3ContentLocation"]
        for action in ("GetObject", "GetObjectVersion"):
            yield role, f"s3:{action}", f"{code['BucketARN']}/{code['FileKey']}"
        groups = settings["EnvironmentProperties"]["PropertyGroups"]
        [suite] = [each["PropertyMap"] for each in groups if each["PropertyGroupId"] == "suite"]
        for action in _READ_STREAM:
            yield role, f"kinesis:{action}", suite["stream"]
        bucket = f"arn:{stack.place.partition}:s3:::{suite['results'].removeprefix('s3://')}"
        for action in ("ListBucket", "GetBucketLocation", "ListBucketMultipartUploads"):
            yield role, f"s3:{action}", bucket
        for action in (
            "GetObject",
            "PutObject",
            "DeleteObject",
            "AbortMultipartUpload",
            "ListMultipartUploadParts",
        ):
            yield role, f"s3:{action}", f"{bucket}/bots/part-0"
        for option in stack.of("AWS::KinesisAnalyticsV2::ApplicationCloudWatchLoggingOption"):
            stream = option.properties["CloudWatchLoggingOption"]["LogStreamARN"]
            yield role, "logs:PutLogEvents", stream
            yield role, "logs:DescribeLogStreams", stream.partition(":log-stream:")[0] + ":log-stream:"
            yield role, "logs:DescribeLogGroups", "*"


def needs(stack: Stack) -> dict[str, set[tuple[str, str]]]:
    """What services do in the name of their roles."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for source in _PRINCIPALS:
        for role, action, resource in source(stack):
            found[role].add((action, resource))
    return found


_PRINCIPALS = {
    _firehose: "firehose.amazonaws.com",
    _rules: "events.amazonaws.com",
    _schedules: "scheduler.amazonaws.com",
    _state_machines: "states.amazonaws.com",
    _realtime_logs: "cloudfront.amazonaws.com",
    _flink: "kinesisanalytics.amazonaws.com",
}


@rule
def roles_are_assumed_by_who_uses_them(stack: Stack) -> Iterator[Verdict]:
    """The service that uses a role may assume it, and no other."""
    users = [(role, service) for source, service in _PRINCIPALS.items() for role, _, _ in source(stack)]
    users += [(function.properties["Role"], "lambda.amazonaws.com") for function in stack.of(FUNCTION)]
    for arn, service in dict.fromkeys(users):
        role = stack.at(arn, "AWS::IAM::Role")
        trusting = [
            (statement.actions, statement.services)
            for statement in statements(stack, "trust")
            if statement.policy.owner is role
        ]
        fits = trusting == [(["sts:AssumeRole"], [service])]
        yield Verdict(
            role.name if role else "A service", "" if fits else f"cannot be assumed by {service} alone"
        )


@rule
def services_may_do_what_they_do(stack: Stack) -> Iterator[Verdict]:
    """A service's role allows each of its calls, and no action beyond them."""
    for arn, calls in needs(stack).items():
        role = stack.at(arn, "AWS::IAM::Role")
        if role is None:
            yield Verdict("A service", f"uses the role {arn or 'of nobody'}, which is not in this stack")
            continue
        for action, resource in sorted(calls):
            yield Verdict(
                role.name, "" if allows(stack, arn, action, resource) else f"lacks {action} on {resource}"
            )
        allowed = {
            action
            for statement in statements(stack, "identity")
            if statement.policy.owner is role
            for action in statement.actions
        }
        beyond = ", ".join(sorted(allowed - {action for action, _ in calls}))
        yield Verdict(role.name, f"allows {beyond}, which the service does not call" if beyond else "")


def _for_lambda(stack: Stack, function: Resource) -> Iterator[tuple[str, str]]:
    """What Lambda itself does in the name of a function's role.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html,
    .../services-sqs-configure.html, .../services-kinesis-create.html,
    .../services-dynamodb-eventsourcemapping.html and .../kinesis-on-failure-destination.html
    """
    place, properties = stack.place, function.properties
    group = properties.get("LoggingConfig", {}).get("LogGroup", "")
    logs = f"arn:{place.partition}:logs:{place.region}:{place.account}:log-group:{group}"
    yield "logs:CreateLogStream", f"{logs}:log-stream:x"
    yield "logs:PutLogEvents", f"{logs}:log-stream:x"
    destinations = [properties.get("DeadLetterConfig", {}).get("TargetArn")]
    destinations += [
        failure_destination(each)
        for each in stack.of("AWS::Lambda::EventInvokeConfig")
        if stack.at(each.properties["FunctionName"]) is function
    ]
    for mapping, reader, queue in mappings(stack, "queue"):
        if reader is function:
            for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"):
                yield f"sqs:{action}", queue.arn
            destinations.append(failure_destination(mapping))
    for mapping, reader, _ in mappings(stack, "stream"):
        if reader is function:
            source, arn = source_of(stack, mapping), mapping.properties["EventSourceArn"]
            if source and source.kind == "AWS::Kinesis::Stream":
                yield from ((f"kinesis:{action}", arn) for action in _READ_STREAM)
            else:
                yield from (
                    (f"dynamodb:{action}", arn)
                    for action in ("DescribeStream", "GetRecords", "GetShardIterator")
                )
                yield "dynamodb:ListStreams", f"{arn.partition('/stream/')[0]}/stream/*"
            destinations.append(failure_destination(mapping))
    for destination in destinations:
        if stack.at(destination, QUEUE):
            yield "sqs:SendMessage", str(destination)
        elif stack.at(destination, "AWS::S3::Bucket"):
            yield "s3:ListBucket", str(destination)
            yield "s3:PutObject", f"{destination}/aws/lambda/mapping/shard/2026/11/27/name"


def _for_athena(stack: Stack, role: str) -> Iterator[tuple[str, str]]:
    """What Athena does in the name of who starts a query in a workgroup.

    https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html ("Access policy
    for the default database and catalog per AWS Region") and .../s3-permissions.html
    """
    place = stack.place
    for group in stack.of("AWS::Athena::WorkGroup"):
        arn = f"arn:{place.partition}:athena:{place.region}:{place.account}:workgroup/{group.identifier}"
        if not allows(stack, role, "athena:StartQueryExecution", arn):
            continue
        glue = f"arn:{place.partition}:glue:{place.region}:{place.account}:"
        yield "glue:GetDatabase", f"{glue}database/default"
        for action in ("GetDatabase", "GetTable", "GetPartition", "GetPartitions", "BatchGetPartition"):
            yield f"glue:{action}", f"{glue}catalog"
        settings = group.properties["WorkGroupConfiguration"]["ResultConfiguration"]
        bucket, _, prefix = settings["OutputLocation"].removeprefix("s3://").partition("/")
        results = f"arn:{place.partition}:s3:::{bucket}"
        yield "s3:GetBucketLocation", results
        for action in ("GetObject", "PutObject", "AbortMultipartUpload", "ListMultipartUploadParts"):
            yield f"s3:{action}", f"{results}/{prefix}query.csv"


@rule
def lambda_may_do_what_it_does(stack: Stack) -> Iterator[Verdict]:
    """A function's role lets Lambda write its logs, read its sources and set failures aside."""
    for function in stack.of(FUNCTION):
        role = function.properties["Role"]
        for action, resource in (*_for_lambda(stack, function), *_for_athena(stack, role)):
            allowed = allows(stack, role, action, resource)
            yield Verdict(function.name, "" if allowed else f"has a role that lacks {action} on {resource}")


@rule
def state_machines_are_well_formed(stack: Stack) -> Iterator[Verdict]:
    """A definition's transitions lead to states that are there, each is reached, and substitutions are given.

    https://states-language.net/spec.html
    """
    for machine in stack.of("AWS::StepFunctions::StateMachine"):
        text = (ROOT / "statemachines" / f"{_definition_of(machine)}.asl.json").read_text()
        missing = set(re.findall(r"\$\{(\w+)\}", text)) - set(
            machine.properties.get("DefinitionSubstitutions", {})
        )
        if missing:
            yield Verdict(machine.name, f"lacks the substitution {', '.join(sorted(missing))}")
        yield Verdict(machine.name, _broken(json.loads(text)))


def _broken(definition: dict[str, Any]) -> str:
    states = definition["States"]
    nexts = {
        name: {each.get("Next") for each in (state, *state.get("Choices", []), *state.get("Catch", []))}
        | {state.get("Default")}
        for name, state in states.items()
    }
    targets = {target for found in nexts.values() for target in found if target} | {definition["StartAt"]}
    if lost := targets - set(states):
        return f"goes to {', '.join(sorted(lost))}, which is not a state"
    if unreached := set(states) - targets:
        return f"never reaches {', '.join(sorted(unreached))}"
    for name, state in states.items():
        ends = state.get("End") or state["Type"] in ("Succeed", "Fail", "Choice") or "Next" in state
        if not ends:
            return f"has the state {name} with neither Next nor End"
        for inner in (state.get("ItemProcessor"), *state.get("Branches", [])):
            if inner and (problem := _broken(inner)):
                return problem
    return ""
