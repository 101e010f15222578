"""Counters of ECS clusters every five seconds, as the page shows them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.clients import client
from shared.http import BadRequestError

from .moments import iso

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef, MetricStatTypeDef

__all__ = ["METRICS", "answer"]

NAMESPACE, DIMENSION = "ECS", "ClusterName"
METRICS = ("RunningTask", "PendingTask", "ActiveServices", "RegisteredContainerInstances")
MISSING = "MissingSamples"
PERIOD_S = 5
MINUTES = 15


def answer(clusters: Sequence[str], query: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """The panel `containers`: a row for each slot that has numbers, oldest first.

    Args:
        clusters: Names of the clusters that are sampled.
        query: The request's parameters: `cluster`, one of them; the first by default.
        now: The time.

    Raises:
        BadRequestError: There is no such cluster.
    """
    cluster = query.get("cluster", clusters[0])
    if cluster not in clusters:
        raise BadRequestError("bad_request", f"cluster must be one of {', '.join(clusters)}.")
    # A start on the grid; the end is beyond now, so that the present slot is in.
    begin = datetime.fromtimestamp(now.timestamp() // PERIOD_S * PERIOD_S, UTC) - timedelta(minutes=MINUTES)
    found = client("cloudwatch").get_metric_data(
        MetricDataQueries=[_query(place, name, cluster) for place, name in enumerate((*METRICS, MISSING))],
        StartTime=begin,
        EndTime=now + timedelta(seconds=PERIOD_S),
        ScanBy="TimestampAscending",
    )["MetricDataResults"]
    series: dict[str, dict[int, float]] = {}
    for result in found:
        times = (int(moment.timestamp()) for moment in result["Timestamps"])
        series[result["Id"]] = dict(zip(times, result["Values"], strict=True))
    numbers = [series.get(f"m{place}", {}) for place in range(len(METRICS))]
    seconds = sorted(set().union(*numbers))
    return {
        "as_of": iso(now.timestamp()),
        "cluster": cluster,
        "clusters": list(clusters),
        "since": int(begin.timestamp()),
        "missing": len(series.get(f"m{len(METRICS)}", {})),
        "columns": ["second", *METRICS],
        "rows": [[second, *(each.get(second) for each in numbers)] for second in seconds],
    }


def _query(place: int, metric: str, cluster: str) -> "MetricDataQueryTypeDef":
    stat: MetricStatTypeDef = {
        "Metric": {
            "Namespace": NAMESPACE,
            "MetricName": metric,
            "Dimensions": [{"Name": DIMENSION, "Value": cluster}],
        },
        "Period": PERIOD_S,
        "Stat": "Maximum",  # a slot may be sampled twice
    }
    return {"Id": f"m{place}", "MetricStat": stat}
