from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from container_metrics.sources import SOURCES
from insights import containers
from insights.api import handler
from shared import clients
from shared.http import BadRequestError

NOW = datetime(2026, 11, 25, 12, 0, 3, tzinfo=UTC)


class MemoryCloudWatch:
    """Answers with one series for each metric: `points` by metric, as (seconds ago, value)."""

    def __init__(self) -> None:
        self.points: dict[str, list[tuple[int, float]]] = {}
        self.asked: dict[str, Any] = {}
        self.now = NOW

    def get_metric_data(self, **request: Any) -> dict[str, Any]:
        self.asked = request
        grid = self.now.replace(second=self.now.second // 5 * 5, microsecond=0)
        results = []
        for query in request["MetricDataQueries"]:
            points = sorted(self.points.get(query["MetricStat"]["Metric"]["MetricName"], []), reverse=True)
            results.append({
                "Id": query["Id"],
                "Timestamps": [grid - timedelta(seconds=age) for age, _ in points],
                "Values": [value for _, value in points],
            })  # fmt: skip
        return {"MetricDataResults": results}


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> MemoryCloudWatch:
    made = MemoryCloudWatch()
    monkeypatch.setattr(clients, "_client", lambda service, _timeout: {"cloudwatch": made}[service])
    return made


def test_metrics_are_those_that_the_function_publishes() -> None:
    ecs = SOURCES["ecs"]
    assert tuple(ecs.metrics) == containers.METRICS
    assert (ecs.namespace, ecs.dimension) == (containers.NAMESPACE, containers.DIMENSION)


def test_slots_have_a_row_each_and_gaps_have_none(cloudwatch: MemoryCloudWatch) -> None:
    cloudwatch.points = {"RunningTask": [(0, 3), (5, 2), (20, 1)], "PendingTask": [(0, 1), (20, 0)]}
    body = containers.answer(["a", "b"], {}, NOW)
    second = int(NOW.timestamp()) - 3
    assert body["columns"] == ["second", *containers.METRICS]
    assert body["rows"] == [
        [second - 20, 1, 0, None, None], [second - 5, 2, None, None, None], [second, 3, 1, None, None],
    ]  # fmt: skip
    assert (body["cluster"], body["clusters"], body["missing"]) == ("a", ["a", "b"], 0)
    assert body["since"] == second - 900


def test_the_last_15_minutes_are_asked_at_five_seconds(cloudwatch: MemoryCloudWatch) -> None:
    containers.answer(["a", "b"], {"cluster": "b"}, NOW)
    assert NOW - cloudwatch.asked["StartTime"] == timedelta(minutes=15, seconds=3)
    assert cloudwatch.asked["EndTime"] > NOW
    for query in cloudwatch.asked["MetricDataQueries"]:
        stat = query["MetricStat"]
        assert (stat["Period"], stat["Stat"]) == (5, "Maximum")
        assert stat["Metric"]["Dimensions"] == [{"Name": "ClusterName", "Value": "b"}]


def test_missing_samples_are_counted(cloudwatch: MemoryCloudWatch) -> None:
    cloudwatch.points = {"MissingSamples": [(0, 1), (5, 1)]}
    body = containers.answer(["a"], {}, NOW)
    assert (body["rows"], body["missing"]) == ([], 2)


def test_a_cluster_that_is_not_sampled_is_refused(cloudwatch: MemoryCloudWatch) -> None:
    with pytest.raises(BadRequestError, match="one of a, b"):
        containers.answer(["a", "b"], {"cluster": "c"}, NOW)
    assert cloudwatch.asked == {}


def test_the_panel_is_there_with_the_first_cluster_and_unknown_without(
    cloudwatch: MemoryCloudWatch,
    monkeypatch: pytest.MonkeyPatch,
    recorded: Callable[..., Any],
    context: SimpleNamespace,
) -> None:
    event = recorded("api_containers")
    assert json.loads(handler(event, context)["body"])["code"] == "unknown_panel"  # type: ignore[arg-type]
    monkeypatch.setenv("CLUSTERS", "other,suite-local-containers")
    answer = handler(event, context)  # type: ignore[arg-type]
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["cluster"] == "suite-local-containers"
