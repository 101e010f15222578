"""What Amazon CloudWatch writes about an alarm that changes its state: SNS message, event, reason.

Shapes: recorded messages, and "Alarm events and EventBridge",
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html.
SNS messages name dimensions in a list of ``value`` and ``name``, events in an object.
"""

from __future__ import annotations

import json
import re
import time
from functools import cache
from typing import Any

from botocore.loaders import Loader
from ministack.core.arn import parse_arn

__all__ = ["ACTIONS", "event_detail", "reason", "reason_data", "sns_message", "subject", "timestamp"]

type Alarm = dict[str, Any]

ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}
_WORDS = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}


def timestamp(seconds: float) -> str:
    """Return a time as alarms write it: 2026-11-20T09:15:41.902+0000."""
    milliseconds = round(seconds * 1000)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000))
    return f"{whole}.{milliseconds % 1000:03d}+0000"


@cache
def region_name(region: str) -> str:
    """Return a region's name as alarms write it: EU (Ireland), where botocore says Europe (Ireland)."""
    partitions = Loader().load_data("endpoints")["partitions"]
    names = {code: each["description"] for part in partitions for code, each in part["regions"].items()}
    return str(names.get(region, region)).replace("Europe (", "EU (")


def subject(alarm: Alarm, state: str) -> str:
    """Return the subject of an alarm's message; SNS takes 100 characters."""
    region = region_name(parse_arn(alarm["AlarmArn"]).region)
    return f'{state}: "{alarm["AlarmName"]}" in {region}'[:100]


# ------------------------------------------------------------------------------------------------- messages


def _pairs(dimensions: list[dict[str, str]] | None) -> list[dict[str, str]]:
    return [{"value": each["Value"], "name": each["Name"]} for each in dimensions or []]


def _query(query: dict[str, Any]) -> dict[str, Any]:
    """Return a query of metric math as `Trigger.Metrics` has it."""
    shown = {name: query[name] for name in ("Id", "Expression", "Label", "Period") if query.get(name)}
    if query.get("MetricStat"):
        metric = query["MetricStat"]["Metric"]
        shown["MetricStat"] = query["MetricStat"] | {
            "Metric": {
                "Dimensions": _pairs(metric.get("Dimensions")),
                "MetricName": metric["MetricName"],
                "Namespace": metric["Namespace"],
            }
        }
    return shown | {"ReturnData": query.get("ReturnData", True)}


def _trigger(alarm: Alarm, period: float) -> dict[str, Any]:
    """Return what is evaluated, and how."""
    trigger: dict[str, Any] = {}
    if not alarm.get("Metrics"):
        extended = alarm.get("ExtendedStatistic")
        statistic = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", alarm.get("Statistic") or "").upper()
        trigger = {
            "MetricName": alarm["MetricName"],
            "Namespace": alarm["Namespace"],
            "StatisticType": "ExtendedStatistic" if extended else "Statistic",
            "Statistic": None if extended else statistic,
            "Unit": alarm.get("Unit"),
            "Dimensions": _pairs(alarm.get("Dimensions")),
        }
        if extended:
            trigger["ExtendedStatistic"] = extended
    trigger |= {"Period": int(period), "EvaluationPeriods": alarm["EvaluationPeriods"]}
    for name in ("DatapointsToAlarm", "ThresholdMetricId"):
        if alarm.get(name):
            trigger[name] = alarm[name]
    trigger |= {
        "ComparisonOperator": alarm["ComparisonOperator"],
        "TreatMissingData": alarm.get("TreatMissingData") or "missing",
        "EvaluateLowSampleCountPercentile": alarm.get("EvaluateLowSampleCountPercentile") or "",
    }
    if not alarm.get("ThresholdMetricId"):
        trigger["Threshold"] = float(alarm["Threshold"])
    if alarm.get("Metrics"):
        trigger["Metrics"] = [_query(query) for query in alarm["Metrics"]]
    return trigger


def sns_message(alarm: Alarm, before: str, *, changed: float, period: float) -> dict[str, Any]:
    """Return the message to a topic about an alarm in its new state.

    Args:
        alarm: As the emulator keeps it.
        before: The old state.
        changed: When the state changed, in seconds since 1970.
        period: Of the alarm's metric or metric math, in seconds; composite alarms have none.
    """
    composite = "AlarmRule" in alarm
    arn = parse_arn(alarm["AlarmArn"])
    message: dict[str, Any] = {
        "AlarmName": alarm["AlarmName"],
        "AlarmDescription": alarm.get("AlarmDescription") or ("" if composite else None),
        "AWSAccountId": arn.account_id,
        "NewStateValue": alarm["StateValue"],
        "NewStateReason": alarm["StateReason"],
        "StateChangeTime": timestamp(changed),
        "Region": region_name(arn.region),
        "AlarmArn": alarm["AlarmArn"],
        "OldStateValue": before,
    }
    message |= {name: alarm.get(name) or [] for name in ACTIONS.values()}
    if composite:
        children = json.loads(alarm.get("StateReasonData") or "{}").get("triggeringAlarms") or []
        message["AlarmRule"] = alarm["AlarmRule"]
        message["TriggeringChildren"] = [
            {
                "Arn": child["arn"],
                "State": {"Value": child["state"]["value"], "Timestamp": child["state"]["timestamp"]},
            }
            for child in children
        ]
    else:
        message["AlarmConfigurationUpdatedTimestamp"] = timestamp(alarm["AlarmConfigurationUpdatedTimestamp"])
        message["Trigger"] = _trigger(alarm, period)
    return message


# --------------------------------------------------------------------------------------------------- events


def _event_metric(query: dict[str, Any]) -> dict[str, Any]:
    names = {"Id": "id", "Expression": "expression", "Label": "label"}
    shown: dict[str, Any] = {new: query[old] for old, new in names.items() if query.get(old)}
    if query.get("MetricStat"):
        stat = query["MetricStat"]
        dimensions = {each["Name"]: each["Value"] for each in stat["Metric"].get("Dimensions") or []}
        shown["metricStat"] = {
            "metric": {
                "namespace": stat["Metric"]["Namespace"],
                "name": stat["Metric"]["MetricName"],
                "dimensions": dimensions,
            },
            "period": stat["Period"],
            "stat": stat["Stat"],
        }
    return shown | {"returnData": query.get("ReturnData", True)}


def event_detail(
    alarm: Alarm, queries: list[dict[str, Any]], previous: dict[str, str], *, changed: float
) -> dict[str, Any]:
    """Return the detail of an event `CloudWatch Alarm State Change`.

    Args:
        alarm: As the emulator keeps it.
        queries: What the alarm evaluates, as metric math; nothing for composite alarms.
        previous: `state` of the event before.
        changed: When the state changed, in seconds since 1970.
    """
    state = {"value": alarm["StateValue"], "reason": alarm["StateReason"], "timestamp": timestamp(changed)}
    if alarm.get("StateReasonData"):
        state["reasonData"] = alarm["StateReasonData"]
    configuration: dict[str, Any] = {}
    if alarm.get("AlarmDescription"):
        configuration["description"] = alarm["AlarmDescription"]
    if "AlarmRule" in alarm:
        configuration["alarmRule"] = alarm["AlarmRule"]
    else:
        configuration["metrics"] = [_event_metric(query) for query in queries]
    return {
        "alarmName": alarm["AlarmName"],
        "state": state,
        "previousState": previous,
        "configuration": configuration,
    }


# -------------------------------------------------------------------------------------------------- reasons


def _counted(number: int, noun: str, verb: str = "") -> str:
    """Return a number and a noun, in singular or plural as is the verb `was`."""
    if verb:
        verb = " was" if number == 1 else " were"
    return f"{number} {noun}{'' if number == 1 else 's'}{verb}"


def reason(alarm: Alarm, before: str, state: str, points: list[tuple[float, float | None]]) -> str:
    """Return the reason of a new state, in CloudWatch's words.

    Args:
        alarm: As the emulator keeps it.
        before: The old state.
        state: The new one.
        points: Start and value of each period, oldest first; None where there was no data.
    """
    shown = [(begin, value) for begin, value in points if value is not None]
    missing = len(points) - len(shown)
    if state == "INSUFFICIENT_DATA":
        return f"Insufficient Data: {_counted(missing, 'datapoint', 'was')} unknown."
    if not shown:
        treated = "Breaching" if alarm.get("TreatMissingData") == "breaching" else "NonBreaching"
        return (
            f"Threshold Crossed: no datapoints were received for {_counted(missing, 'period')} and "
            f"{_counted(missing, 'missing datapoint', 'was')} treated as [{treated}]."
        )
    values = ", ".join(
        f"{value} ({time.strftime('%d/%m/%y %H:%M:%S', time.gmtime(begin))})"
        for begin, value in reversed(shown)
    )
    verb = ("was" if len(shown) == 1 else "were") + ("" if state == "ALARM" else " not")
    needed = _counted(int(alarm.get("DatapointsToAlarm") or len(points)), "datapoint")
    return (
        f"Threshold Crossed: {len(shown)} out of the last {len(points)} datapoints [{values}] "
        f"{verb} {_WORDS[alarm['ComparisonOperator']]} the threshold ({float(alarm['Threshold'])}) "
        f"(minimum {needed} for {before} -> {state} transition)."
    )


def reason_data(alarm: Alarm, period: float, points: list[tuple[float, float | None]]) -> str:
    """Return the data of the reason, as JSON text; arguments as of :func:`reason`."""
    shown = [value for _, value in points if value is not None]
    document: dict[str, Any] = {"version": "1.0", "queryDate": timestamp(points[-1][0] + period)}
    if shown:
        document["startDate"] = timestamp(points[0][0])
    if not alarm.get("Metrics"):
        document["statistic"] = alarm.get("ExtendedStatistic") or alarm.get("Statistic")
    document |= {"period": int(period), "recentDatapoints": shown, "threshold": float(alarm["Threshold"])}
    return json.dumps(document, separators=(",", ":"))
