"""Metrics are one line of the log, in the embedded metric format."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_lambda_powertools.metrics import MetricUnit

from shared.metrics import count, count_for, publishes_metrics


def published(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_counts_of_an_invocation_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    @publishes_metrics
    def handler() -> str:
        count("Posts", 3)
        count("Refusals")
        return "done"

    assert handler() == "done"
    [line] = published(capsys)
    assert (line["Posts"], line["Refusals"]) == ([3.0], [1.0])
    assert handler() == "done"
    [line] = published(capsys)
    assert line["Posts"] == [3.0]


def test_counts_are_published_when_the_handler_raises(capsys: pytest.CaptureFixture[str]) -> None:
    @publishes_metrics
    def handler() -> None:
        count("Posts")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        handler()
    [line] = published(capsys)
    assert line["Posts"] == [1.0]


def test_nothing_counted_is_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    publishes_metrics(lambda: None)()
    assert published(capsys) == []


def test_count_for_another_service_is_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    @publishes_metrics
    def handler() -> None:
        count("Posts")
        count_for("another", "CallsUncounted")

    handler()
    theirs, ours = published(capsys)
    assert (theirs["service"], theirs["CallsUncounted"], "Posts" in theirs) == ("another", [1.0], False)
    assert (ours["Posts"], "CallsUncounted" in ours) == ([1.0], False)
    aws: Any = theirs["_aws"]
    assert aws["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]


def test_unit_is_published(capsys: pytest.CaptureFixture[str]) -> None:
    publishes_metrics(lambda: count("Sent", 5, unit=MetricUnit.Bytes))()
    [line] = published(capsys)
    aws: Any = line["_aws"]
    assert aws["CloudWatchMetrics"][0]["Metrics"] == [{"Name": "Sent", "Unit": "Bytes"}]
