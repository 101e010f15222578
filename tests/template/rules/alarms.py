"""Alarms: they look at a metric that exists, fire when they should, and somebody hears of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from ops.paths import ROOT
from ops.template import Resource, Stack

from . import Verdict, rule
from ._iam import Statement, statements
from .delivery import rule_targets, source_of

ALARM = "AWS::CloudWatch::Alarm"
DAY = 86_400

type Bound = Callable[[Stack, Resource], float]


def _first(_stack: Stack, _alarm: Resource) -> float:
    return 0.0


def _fraction(_stack: Stack, _alarm: Resource) -> float:
    return 0.5


def _retry_of_firehose(_stack: Stack, _alarm: Resource) -> float:
    # "If data delivery fails for 24 hours it is lost":
    # https://docs.aws.amazon.com/firehose/latest/dev/retry.html
    return DAY / 2


def _record_age(stack: Stack, alarm: Resource) -> float:
    """Milliseconds; older records are discarded before the alarm could see them."""
    name = alarm.properties["Dimensions"][0]["Value"]
    ages = [
        int(mapping.properties.get("MaximumRecordAgeInSeconds", DAY))
        for mapping in stack.of("AWS::Lambda::EventSourceMapping")
        if (function := stack.at(mapping.properties["FunctionName"])) and function.identifier == name
        if source_of(stack, mapping)
    ]
    return 1000.0 * min(ages, default=0) / 2


def _retention(stack: Stack, alarm: Resource) -> float:
    name = alarm.properties["Dimensions"][0]["Value"]
    queue = next(each for each in stack.of("AWS::SQS::Queue") if each.identifier.endswith(f"/{name}"))
    return float(queue.properties.get("MessageRetentionPeriod", 345_600)) / 2


def _volume(stack: Stack, _alarm: Resource) -> float:
    [domain] = stack.of("AWS::OpenSearchService::Domain")
    return 1024.0 * float(domain.properties["EBSOptions"]["VolumeSize"]) / 2


class Metric(NamedTuple):
    """A metric of AWS's, as alarms look at it.

    Attributes:
        dimensions: Those that it has, and the type of resource that each names.
        statistics: Those that say what the alarm is about.
        highest: The highest threshold that makes sense.
    """

    dimensions: dict[str, str]
    statistics: set[str]
    highest: Bound


QUEUE, FUNCTION = "AWS::SQS::Queue", "AWS::Lambda::Function"
_DOMAIN = {"DomainName": "AWS::OpenSearchService::Domain", "ClientId": ""}
# Sources: the services' pages on metrics, such as
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
METRICS: dict[tuple[str, str], Metric] = {
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): Metric(
        {"QueueName": QUEUE}, {"Maximum", "Sum"}, _first
    ),
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): Metric({"QueueName": QUEUE}, {"Maximum"}, _retention),
    ("AWS/Lambda", "Errors"): Metric({"FunctionName": FUNCTION}, {"Sum"}, _first),
    ("AWS/Lambda", "IteratorAge"): Metric({"FunctionName": FUNCTION}, {"Maximum"}, _record_age),
    ("AWS/Lambda", "OnFailureDestinationDeliveredEventCount"): Metric(
        {"EventSourceMappingUUID": "AWS::Lambda::EventSourceMapping"}, {"Sum"}, _first
    ),
    ("AWS/ApiGateway", "5XXError"): Metric({"ApiName": "AWS::ApiGateway::RestApi"}, {"Average"}, _fraction),
    ("AWS/Firehose", "DeliveryToS3.DataFreshness"): Metric(
        {"DeliveryStreamName": "AWS::KinesisFirehose::DeliveryStream"}, {"Maximum"}, _retry_of_firehose
    ),
    ("AWS/DynamoDB", "WriteThrottleEvents"): Metric({"TableName": "AWS::DynamoDB::Table"}, {"Sum"}, _first),
    ("AWS/States", "ExecutionsFailed"): Metric(
        {"StateMachineArn": "AWS::StepFunctions::StateMachine"}, {"Sum"}, _first
    ),
    ("AWS/States", "ExecutionsTimedOut"): Metric(
        {"StateMachineArn": "AWS::StepFunctions::StateMachine"}, {"Sum"}, _first
    ),
    ("AWS/ES", "ClusterStatus.red"): Metric(_DOMAIN, {"Maximum"}, _first),
    ("AWS/ES", "FreeStorageSpace"): Metric(_DOMAIN, {"Minimum"}, _volume),
    ("ECS", "PendingTask"): Metric({"StackName": ""}, {"Maximum", "Minimum"}, _first),
}


def _chosen(_stack: Stack, _alarm: Resource) -> float:
    return float("inf")


def _retention_of_writes(stack: Stack, _alarm: Resource) -> float:
    return float(stack.resources["AuthWritesQueue"].properties["MessageRetentionPeriod"]) / 2


# Own metrics that are no counts of failures: the statistic that says what the alarm is about, and the highest
# threshold that makes sense.
OWN: dict[str, tuple[str, Bound]] = {
    "InstancesTerminated": ("Sum", _chosen),  # a parameter's
    "ReplicationWaits": ("Maximum", _retention_of_writes),  # seconds, of each message that was tried in vain
}


@rule
def alarms_tell_somebody(stack: Stack) -> Iterator[Verdict]:
    """Every alarm's action is a topic of this stack, and is enabled."""
    for alarm in stack.of(ALARM):
        actions = alarm.properties.get("AlarmActions", [])
        heard = bool(actions) and all(stack.at(action, "AWS::SNS::Topic") for action in actions)
        enabled = str(alarm.properties.get("ActionsEnabled", "true")).lower() == "true"
        yield Verdict(
            alarm.name, "" if heard and enabled else "tells nobody: add a topic to its AlarmActions"
        )


@rule
def alarms_can_fire(stack: Stack) -> Iterator[Verdict]:
    """Every threshold is reached before data is lost; counts of failures fire at the first."""
    for alarm in stack.of(ALARM):
        math = "MetricName" not in alarm.properties
        yield Verdict(
            alarm.name,
            "has an expression: teach alarms.py to judge it" if math else _unreachable(stack, alarm),
        )


def _unreachable(stack: Stack, alarm: Resource) -> str:
    properties = alarm.properties
    name, threshold = properties["MetricName"], float(properties["Threshold"])
    if properties["Namespace"] == stack.place.stack:
        highest = OWN.get(name, ("", _first))[1](stack, alarm)
    elif (properties["Namespace"], name) in METRICS:
        highest = METRICS[properties["Namespace"], name].highest(stack, alarm)
    else:
        return f"looks at {properties['Namespace']} {name}: add to METRICS what its threshold may be"
    upward = properties["ComparisonOperator"] in ("GreaterThanThreshold", "GreaterThanOrEqualToThreshold")
    if upward != (name != "FreeStorageSpace"):
        return f"fires in the wrong direction, {properties['ComparisonOperator']}"
    if threshold > highest:
        return f"fires above {threshold:g} only, which {name} reaches too late or never; at most {highest:g}"
    if properties["ComparisonOperator"] == "GreaterThanOrEqualToThreshold" and threshold <= 0:
        return "fires always: its threshold is reached by nothing"
    return ""


@rule
def alarms_have_periods_that_exist(stack: Stack) -> Iterator[Verdict]:
    """Periods are 10, 20, 30 or a multiple of 60 seconds, and at most one day is looked at.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    for alarm in stack.of(ALARM):
        period, count = int(alarm.properties.get("Period", 60)), int(alarm.properties["EvaluationPeriods"])
        fits = (period in (10, 20, 30) or period % 60 == 0) and period * count <= DAY
        fits = fits and 1 <= int(alarm.properties.get("DatapointsToAlarm", count)) <= count
        # The services publish once a minute; only own metrics can be of high resolution.
        fits = fits and (period >= 60 or not alarm.properties.get("Namespace", "").startswith("AWS/"))
        yield Verdict(
            alarm.name, "" if fits else f"has {count} periods of {period} s, which CloudWatch does not take"
        )


@cache
def _emitted() -> frozenset[str]:
    """Names of the metrics that the functions' code emits."""
    sources = [*(ROOT / "functions").rglob("*.py"), *(ROOT / "layers/shared").rglob("*.py")]
    text = "\n".join(path.read_text() for path in sources)
    return frozenset(re.findall(r'name="([A-Za-z]+)"', text)) | frozenset(
        re.findall(r'"([A-Z][A-Za-z]+)"', text)
    )


@rule
def alarms_look_at_what_is_there(stack: Stack) -> Iterator[Verdict]:
    """Every alarm's metric is of a resource of this stack, or is emitted by its functions."""
    services = {
        each.properties.get("Environment", {}).get("Variables", {}).get("POWERTOOLS_SERVICE_NAME")
        for each in stack.of("AWS::Lambda::Function")
    }
    for alarm in stack.of(ALARM):
        properties = alarm.properties
        dimensions = {each["Name"]: each["Value"] for each in properties.get("Dimensions", [])}
        if "MetricName" not in properties:
            continue
        if properties["Namespace"] == stack.place.stack:
            known = properties["MetricName"] in _emitted() and dimensions.get("service") in services
            yield Verdict(
                alarm.name, "" if known else f"looks at {properties['MetricName']}, which no function emits"
            )
            statistic = OWN.get(properties["MetricName"], ("Sum", _first))[0]
            taken = properties.get("Statistic")
            yield Verdict(alarm.name, "" if taken == statistic else f"takes the {taken}, and not {statistic}")
            continue
        metric = METRICS.get((properties["Namespace"], properties["MetricName"]))
        if metric is None:
            continue
        if set(dimensions) != set(metric.dimensions):
            wanted = sorted(metric.dimensions)
            yield Verdict(alarm.name, f"has the dimensions {sorted(dimensions)}, and not {wanted}")
            continue
        if properties.get("Statistic") not in metric.statistics:
            wanted = sorted(metric.statistics)
            yield Verdict(alarm.name, f"takes the {properties.get('Statistic')}, and not {wanted}")
        for name, value in dimensions.items():
            there = _there(stack, metric.dimensions[name], value)
            yield Verdict(alarm.name, "" if there else f"looks at {name} {value}, which is not here")


def _there(stack: Stack, kind: str, value: str) -> bool:
    """Whether a dimension names a resource of that type, or this account or stack."""
    if not kind:
        return value in (stack.place.account, stack.place.stack)
    names = {each.properties.get("Name") for each in stack.of(kind)}
    names |= {each.identifier.rpartition("/")[2] for each in stack.of(kind)}
    return value in names


def _publishers(stack: Stack) -> Iterator[tuple[str, str, str]]:
    """Service, ARN of its resource, and the topic that it publishes to."""
    for alarm in stack.of(ALARM):
        for action in alarm.properties.get("AlarmActions", []):
            yield "cloudwatch.amazonaws.com", alarm.arn, action
    for found, target in rule_targets(stack):
        yield "events.amazonaws.com", found.arn, target["Arn"]


@rule
def topics_take_what_is_published(stack: Stack) -> Iterator[Verdict]:
    """A topic's policy and key let in the alarms and rules that publish to it.

    Without a policy a topic takes what its own account publishes, alarms too, but not rules:
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions.
    AWS's own key `alias/aws/sns` lets neither in:
    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    """
    for service, arn, published_to in _publishers(stack):
        topic = stack.at(published_to, "AWS::SNS::Topic")
        if topic is None:
            continue
        key = topic.properties.get("KmsMasterKeyId")
        if key and stack.at(key, "AWS::KMS::Key") is None:
            yield Verdict(topic.name, f"has a key, {key}, which {service} may not use: make one of its own")
        policies = [
            statement
            for statement in statements(stack, "resource")
            if topic.identifier in statement.policy.owner.properties.get("Topics", [])
        ]
        let_in = any(_publishes(statement, service, arn, topic) for statement in policies)
        let_in = let_in or (not policies and service == "cloudwatch.amazonaws.com")
        yield Verdict(topic.name, "" if let_in else f"refuses {arn}: add {service} to the topic's policy")


def _publishes(statement: Statement, service: str, arn: str, topic: Resource) -> bool:
    allowed = "sns:Publish" in statement.actions and topic.identifier in statement.resources
    return service in statement.services and allowed and arn in (statement.sources or [arn])
