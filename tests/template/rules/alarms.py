"""Alarms: they look at a metric that exists, fire when they should, and somebody hears of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

from ops.paths import ROOT
from ops.template import Resource, Stack

from . import Verdict, rule
from .delivery import source_of

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


# The highest threshold that makes sense, and the dimensions that the metric has. Sources: the services' pages
# on metrics, such as https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
METRICS: dict[tuple[str, str], tuple[set[str], Bound]] = {
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): ({"QueueName"}, _first),
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): ({"QueueName"}, _retention),
    ("AWS/Lambda", "Errors"): ({"FunctionName"}, _first),
    ("AWS/Lambda", "IteratorAge"): ({"FunctionName"}, _record_age),
    ("AWS/Lambda", "OnFailureDestinationDeliveredEventCount"): ({"EventSourceMappingUUID"}, _first),
    ("AWS/ApiGateway", "5XXError"): ({"ApiName"}, _fraction),
    ("AWS/Firehose", "DeliveryToS3.DataFreshness"): ({"DeliveryStreamName"}, _retry_of_firehose),
    ("AWS/DynamoDB", "WriteThrottleEvents"): ({"TableName"}, _first),
    ("AWS/States", "ExecutionsFailed"): ({"StateMachineArn"}, _first),
    ("AWS/ES", "ClusterStatus.red"): ({"DomainName", "ClientId"}, _first),
    ("AWS/ES", "FreeStorageSpace"): ({"DomainName", "ClientId"}, _volume),
    ("ECS", "PendingTask"): ({"StackName"}, _first),
}
# Own metrics whose threshold is a parameter.
CHOSEN = {"InstancesTerminated"}


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
        yield Verdict(alarm.name, _unreachable(stack, alarm))


def _unreachable(stack: Stack, alarm: Resource) -> str:
    properties = alarm.properties
    name, threshold = properties["MetricName"], float(properties["Threshold"])
    if properties["Namespace"] == stack.place.stack:
        highest = float("inf") if name in CHOSEN else 0.0
    elif (properties["Namespace"], name) in METRICS:
        highest = METRICS[properties["Namespace"], name][1](stack, alarm)
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
        period, count = int(alarm.properties["Period"]), int(alarm.properties["EvaluationPeriods"])
        fits = (period in (10, 20, 30) or period % 60 == 0) and period * count <= DAY
        # The services publish once a minute; only own metrics can be of high resolution.
        fits = fits and (period >= 60 or not alarm.properties["Namespace"].startswith("AWS/"))
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
        if properties["Namespace"] == stack.place.stack:
            known = properties["MetricName"] in _emitted() and dimensions.get("service") in services
            yield Verdict(
                alarm.name, "" if known else f"looks at {properties['MetricName']}, which no function emits"
            )
            continue
        documented, _ = METRICS.get(
            (properties["Namespace"], properties["MetricName"]), (set(dimensions), _first)
        )
        if set(dimensions) != documented:
            yield Verdict(
                alarm.name, f"has the dimensions {sorted(dimensions)}; the metric has {sorted(documented)}"
            )
        for name, value in dimensions.items():
            yield Verdict(
                alarm.name,
                "" if _there(stack, name, value) else f"looks at {name} {value}, which is not here",
            )


def _there(stack: Stack, name: str, value: str) -> bool:
    if name == "ApiName":
        return any(api.properties.get("Name") == value for api in stack.of("AWS::ApiGateway::RestApi"))
    if name == "QueueName":
        return any(queue.identifier.endswith(f"/{value}") for queue in stack.of("AWS::SQS::Queue"))
    return value in (stack.place.account, stack.place.stack) or stack.at(value) is not None
