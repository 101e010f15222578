"""The suite at a glance: each application's alarms, dead letters, and what it did in the last hours.

Everything comes from CloudWatch, and what belongs to whom from the alarms themselves: their names begin with
the stack's name and their logical id, which begins with a prefix of the application (`PREFIXES`, as in the
contents of template.yaml); an alarm on the messages of a queue names a dead-letter queue, since every such
queue has one.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.clients import client

from .moments import iso

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricAlarmTypeDef, MetricDataQueryTypeDef

__all__ = ["ACTIVITY", "HOURS", "KEEP_S", "PREFIXES", "Overview", "owner"]

HOURS = 24
SLOT_S = 1800
KEEP_S = 30
"""For how long an overview is answered again: each asks CloudWatch for some 90 metrics, $0.0009
(https://aws.amazon.com/cloudwatch/pricing/, GetMetricData)."""

_QUEUE_MINUTES = 15
_MESSAGES, _AGE = "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"
_MAX_QUERIES = 500  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html

PREFIXES: dict[str, tuple[str, ...]] = {
    "image_resizer": ("Images", "Imaging", "Resize", "Invalidate"),
    "access_logs": ("AccessLogs", "LogsLayer", "Preprocess", "Partition"),
    "log_streaming": ("Log", "Window", "Reduce"),
    "auth": ("Auth", "CryptoLayer"),
    "social_stream": ("Social",),
    "container_metrics": ("ContainerMetrics",),
    "ec2_monitor": ("Ec2", "JsonLayer"),
    "event_hub": ("Hub", "DocumentsLayer"),
    "rides": ("Rides",),
    "api_portal": ("Portal",),
}
"""What the logical ids of each application begin with; the longest that fits counts."""


@dataclass(frozen=True)
class _Activity:
    """What an application counts.

    Attributes:
        name: For people.
        metric: The metric's name.
        namespace: Its namespace; the stack's own if empty.
        dimensions: Its dimensions; `{stack}` is the stack's name, `{cluster}` the first cluster.
        stat: What of it is added up.
        unit: `count` or `bytes`.
    """

    name: str
    metric: str
    dimensions: Mapping[str, str]
    namespace: str = ""
    stat: str = "Sum"
    unit: str = "count"


def _counted(application: str, **metrics: str) -> tuple[_Activity, ...]:
    """Counts that the functions of an application publish themselves: metric to name."""
    return tuple(
        _Activity(name, metric, {"service": application}, unit="bytes" if metric == "BytesSent" else "count")
        for metric, name in metrics.items()
    )


ACTIVITY: dict[str, tuple[_Activity, ...]] = {
    "image_resizer": _counted(
        "image_resizer", VariantsMade="Variants made", VariantsInvalidated="Variants invalidated"
    ),
    "access_logs": _counted("access_logs", RowsDelivered="Rows delivered", ObjectsTaken="Logs read"),
    "log_streaming": _counted("log_streaming", Requests="Requests counted", BytesSent="Bytes sent"),
    "auth": (
        _Activity("API requests", "Count", {"ApiName": "{stack}-auth"}, "AWS/ApiGateway"),
        _Activity("Refused requests (4xx)", "4XXError", {"ApiName": "{stack}-auth"}, "AWS/ApiGateway"),
    ),
    "social_stream": _counted("social_stream", PostsIngested="Posts taken", PostsDelivered="Posts delivered"),
    "container_metrics": (
        _Activity("Samples", "RunningTask", {"ClusterName": "{cluster}"}, "ECS", "SampleCount"),
    ),
    "ec2_monitor": _counted(
        "ec2_monitor", EventsShaped="Calls recorded", InstancesTerminated="Instances terminated"
    ),
    "event_hub": _counted("event_hub", ActionsDone="Actions done", DocumentsEncoded="Documents encoded"),
    "rides": _counted("rides", RidesRequested="Rides requested", RidesDone="Rides done"),
    "api_portal": _counted(
        "api_portal", KeysCreated="Keys created", SubscriptionsBegun="Subscriptions begun"
    ),
}


def owner(alarm: str, stack: str) -> str | None:
    """Whose an alarm is, by its name; None if it is no application's.

    >>> owner("suite-prod-AccessLogsRowsDeadLetterAlarm-1A2B3C", "suite-prod")
    'access_logs'
    """
    logical_id = alarm.removeprefix(f"{stack}-")
    fitting = [
        (len(prefix), application)
        for application, prefixes in PREFIXES.items()
        for prefix in prefixes
        if logical_id.startswith(prefix)
    ]
    return max(fitting)[1] if fitting else None


class Overview:
    """The overview of one stack, kept for `KEEP_S` seconds.

    Args:
        clock: Seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._kept: tuple[float, dict[str, Any]] | None = None

    def answer(self, stack: str, applications: Sequence[str], clusters: Sequence[str]) -> dict[str, Any]:
        """The panel `overview`: `as_of`, `hours` and the deployed `applications`.

        Args:
            stack: The stack's name.
            applications: Those that are deployed.
            clusters: Names of the ECS clusters that are sampled.

        Returns:
            For each application its `state` (`ok`, `alarm`; `unknown` if none of its alarms has ever been
            evaluated), `alarms` (with what each watches: `metric`, its `value`, `summed` over the hours or
            the newest), `queues` (dead letters and seconds since the oldest arrived) and `activity`
            (`points` are slots of half an hour, `[second, value]`, of which the last may still grow).
        """
        now = self._clock()
        if self._kept is None or not 0 <= now - self._kept[0] < KEEP_S:
            self._kept = now, _overview(stack, applications, clusters, now)
        return self._kept[1]


def _overview(stack: str, applications: Sequence[str], clusters: Sequence[str], now: float) -> dict[str, Any]:
    alarms: dict[str, list[MetricAlarmTypeDef]] = {name: [] for name in applications}
    for alarm in _alarms(stack):
        if (whose := owner(alarm["AlarmName"], stack)) in alarms:
            alarms[whose].append(alarm)
    queues = {name: sorted(filter(None, map(_queue_of, each))) for name, each in alarms.items()}
    watched = _watched([alarm for each in alarms.values() for alarm in each], now)
    dead = _dead_letters(sorted({queue for each in queues.values() for queue in each}), now)
    done = _activities(stack, applications, clusters, now)
    return {
        "as_of": iso(now),
        "hours": HOURS,
        "applications": [
            {
                "application": name,
                "state": _state(alarms[name]),
                "alarms": [_shown(alarm, stack) | watched[alarm["AlarmName"]] for alarm in alarms[name]],
                "queues": [{"name": _logical_id(queue, stack), **dead[queue]} for queue in queues[name]],
                "activity": done[name],
            }
            for name in applications
        ],
    }


def _alarms(stack: str) -> "list[MetricAlarmTypeDef]":
    pages = client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{stack}-")
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


def _state(alarms: "Sequence[MetricAlarmTypeDef]") -> str:
    states = {alarm["StateValue"] for alarm in alarms}
    if "ALARM" in states:
        return "alarm"
    return "ok" if "OK" in states else "unknown"


def _shown(alarm: "MetricAlarmTypeDef", stack: str) -> dict[str, Any]:
    return {
        "name": _logical_id(alarm["AlarmName"], stack),
        "description": alarm.get("AlarmDescription", ""),
        "state": alarm["StateValue"],
        "since": iso((alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"]).timestamp()),
    }


def _watched(alarms: "Sequence[MetricAlarmTypeDef]", now: float) -> dict[str, dict[str, Any]]:
    """What each alarm watches: its metric, and the sum of the last hours or the newest value."""
    simple = [alarm for alarm in alarms if alarm.get("MetricName")]
    queries = [
        _metric(
            alarm["Namespace"],
            alarm["MetricName"],
            {each["Name"]: each["Value"] for each in alarm["Dimensions"]},
            alarm.get("Statistic", "Maximum"),
            SLOT_S,
        )
        for alarm in simple
    ]
    start = datetime.fromtimestamp(int(now) // SLOT_S * SLOT_S, UTC) - timedelta(hours=HOURS)
    found: dict[str, dict[str, Any]] = {
        alarm["AlarmName"]: {"metric": "", "value": None, "summed": False} for alarm in alarms
    }
    for alarm, series in zip(simple, _read(queries, start, now), strict=True):
        is_sum = alarm.get("Statistic") == "Sum"
        newest = series[max(series)] if series else None
        found[alarm["AlarmName"]] = {
            "metric": alarm["MetricName"],
            "value": sum(series.values()) if is_sum else newest,
            "summed": is_sum,
        }
    return found


def _logical_id(name: str, stack: str) -> str:
    """The logical id in a name that CloudFormation made: stack, logical id and something random."""
    return name.removeprefix(f"{stack}-").partition("-")[0]


def _queue_of(alarm: "MetricAlarmTypeDef") -> str | None:
    """The dead-letter queue that an alarm watches, if it does."""
    if (alarm.get("Namespace"), alarm.get("MetricName")) != ("AWS/SQS", _MESSAGES):
        return None
    return next((each["Value"] for each in alarm["Dimensions"] if each["Name"] == "QueueName"), None)


def _dead_letters(queues: Sequence[str], now: float) -> dict[str, dict[str, int]]:
    """Messages of each queue, and the age of the oldest in seconds, as of the last minutes.

    A queue that had nothing to report has none: "A queue is considered active for up to six hours if it
    contains any messages"
    (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/monitoring-using-cloudwatch.html).
    """
    wanted = [
        _metric("AWS/SQS", metric, {"QueueName": queue}, "Maximum", 60)
        for queue in queues
        for metric in (_MESSAGES, _AGE)
    ]
    series = _read(wanted, datetime.fromtimestamp(now, UTC) - timedelta(minutes=_QUEUE_MINUTES), now)
    newest = [int(max(each.items())[1]) if each else 0 for each in series]
    return {
        queue: {"messages": newest[2 * place], "oldest_s": newest[2 * place + 1] if newest[2 * place] else 0}
        for place, queue in enumerate(queues)
    }


def _activities(
    stack: str, applications: Sequence[str], clusters: Sequence[str], now: float
) -> dict[str, list[dict[str, Any]]]:
    wanted = [
        (name, activity)
        for name in applications
        for activity in ACTIVITY[name]
        if clusters or "{cluster}" not in activity.dimensions.values()
    ]
    last = int(now) // SLOT_S * SLOT_S
    slots = range(last - HOURS * 3600 + SLOT_S, last + SLOT_S, SLOT_S)
    places = {"stack": stack, "cluster": clusters[0] if clusters else ""}
    queries = [
        _metric(
            activity.namespace or stack,
            activity.metric,
            {key: value.format_map(places) for key, value in activity.dimensions.items()},
            activity.stat,
            SLOT_S,
        )
        for _, activity in wanted
    ]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in applications}
    for (name, activity), series in zip(
        wanted, _read(queries, datetime.fromtimestamp(slots[0], UTC), now), strict=True
    ):
        points = [[slot, series.get(slot, 0)] for slot in slots]
        total = sum(value for _, value in points)
        found[name].append({"name": activity.name, "unit": activity.unit, "total": total, "points": points})
    return found


def _metric(
    namespace: str, metric: str, dimensions: Mapping[str, str], stat: str, period: int
) -> "MetricDataQueryTypeDef":
    return {
        "Id": "m",  # numbered when it is asked
        "MetricStat": {
            "Metric": {
                "Namespace": namespace,
                "MetricName": metric,
                "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            },
            "Period": period,
            "Stat": stat,
        },
    }


def _read(queries: "Sequence[MetricDataQueryTypeDef]", start: datetime, end: float) -> list[dict[int, float]]:
    """The series of each query, value by second; `end` is in seconds since the epoch."""
    series: list[dict[int, float]] = [{} for _ in queries]
    pages = client("cloudwatch").get_paginator("get_metric_data")
    for first in range(0, len(queries), _MAX_QUERIES):
        some: list[MetricDataQueryTypeDef] = [
            {**query, "Id": f"m{place}"}
            for place, query in enumerate(queries[first : first + _MAX_QUERIES], first)
        ]
        for page in pages.paginate(
            MetricDataQueries=some, StartTime=start, EndTime=datetime.fromtimestamp(end + 1, UTC)
        ):
            for result in page["MetricDataResults"]:
                seconds = (int(moment.timestamp()) for moment in result["Timestamps"])
                series[int(result["Id"][1:])].update(zip(seconds, result["Values"], strict=True))
    return series
