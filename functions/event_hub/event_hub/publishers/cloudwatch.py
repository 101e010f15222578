"""CloudWatch: alarms with one metric, with several, composite ones.

Shapes: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-SNS.html and
cloudwatch-and-eventbridge.html. Dimensions are a list of `{"name", "value"}` by SNS, an object by
EventBridge.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..envelopes import MalformedError
from ..facts import AlarmChange, Fact, Ignored, Metric
from .reading import identifier, moment, required

__all__ = ["from_event", "from_message"]

ARN = re.compile(r"arn:[a-z0-9-]+:cloudwatch:[a-z0-9-]+:\d{12}:alarm:[^\x00-\x1f]{1,255}")
_STATES = {"OK", "ALARM", "INSUFFICIENT_DATA"}


def from_message(body: Mapping[str, Any]) -> Fact | None:
    """A message of SNS, if it is about an alarm.

    Raises:
        MalformedError: It is, but lacks what it needs.
    """
    if "AlarmName" not in body or "NewStateValue" not in body:
        return None
    trigger = body.get("Trigger")
    return _change(
        required(body, "AlarmArn"),
        required(body, "AlarmName"),
        required(body, "NewStateValue"),
        body.get("StateChangeTime"),
        tuple(_metrics(trigger)) if isinstance(trigger, dict) else (),
    )


def from_event(event: Mapping[str, Any]) -> Fact:
    """An event of EventBridge whose source is `aws.cloudwatch`.

    Raises:
        MalformedError: It lacks what it needs.
    """
    if event["detail-type"] != "CloudWatch Alarm State Change":
        return Ignored(f"aws.cloudwatch: {event['detail-type']}")
    detail, arns = event["detail"], event.get("resources")
    state, configuration = detail.get("state"), detail.get("configuration")
    if not isinstance(state, dict) or not isinstance(arns, list) or not arns:
        raise MalformedError("an alarm without a state or an ARN")
    return _change(
        str(arns[0]),
        required(detail, "alarmName"),
        required(state, "value"),
        state.get("timestamp"),
        tuple(_metrics(configuration)) if isinstance(configuration, dict) else (),
    )


def _change(arn: str, name: str, state: str, changed: Any, metrics: tuple[Metric, ...]) -> AlarmChange:
    if state not in _STATES:
        raise MalformedError("the state of an alarm is none")
    return AlarmChange(
        identifier(arn, ARN, "the ARN of an alarm"),
        name,
        state,  # type: ignore[arg-type]
        moment(changed, "StateChangeTime"),
        metrics,
    )


def _metrics(trigger: Mapping[str, Any]) -> Iterator[Metric]:
    """What an alarm looks at: its one metric, or those of several that are returned; no formula's parts."""
    if isinstance(trigger.get("MetricName"), str):
        yield from _metric(trigger)
    several = trigger.get("Metrics", trigger.get("metrics"))
    for each in several if isinstance(several, list) else ():
        if not isinstance(each, dict) or each.get("ReturnData", each.get("returnData", True)) is False:
            continue
        statistic = each.get("MetricStat", each.get("metricStat"))
        if isinstance(statistic, dict):
            yield from _metric(statistic.get("Metric", statistic.get("metric")))


def _metric(metric: Any) -> Iterator[Metric]:
    if not isinstance(metric, dict):
        return
    namespace = metric.get("Namespace", metric.get("namespace"))
    name = metric.get("MetricName", metric.get("name"))
    if isinstance(namespace, str) and isinstance(name, str):
        yield Metric(namespace, name, _dimensions(metric.get("Dimensions", metric.get("dimensions"))))


def _dimensions(dimensions: Any) -> dict[str, str]:
    if isinstance(dimensions, dict):
        return {name: value for name, value in dimensions.items() if isinstance(value, str)}
    found = {}
    for each in dimensions if isinstance(dimensions, list) else ():
        if isinstance(each, dict):
            name, value = each.get("name", each.get("Name")), each.get("value", each.get("Value"))
            if isinstance(name, str) and isinstance(value, str):
                found[name] = value
    return found
