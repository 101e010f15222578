"""Answers what the console asks: the suite at a glance, live traffic, traffic at rest, metrics of containers.

Trigger: API Gateway REST, proxy integration, `GET /v1/insights/{panel}`, behind the Cognito authorizer, for
    members of the group `operators`.
Input: the panel: `overview`, `live` (with `minutes`, 1 to 10), `containers` (with `cluster`), or the name of
    a saved query that declares one (see `panels`), which is started for a range of time and filters (see
    `parameters`); `query` names a query that an earlier answer started. `panels` lists those that there are.
Output: 200 with rows and `as_of`; 202 with `query` and `Retry-After` while Athena works.
On failure: JSON with a stable code (see `shared.http`); 503 is worth another try.
Idempotent: it only reads; Athena gives a recent result of the same query again instead of asking anew.
Recorded event: events/insights/api_live.json
"""

import re
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.http import (
    CROSS_ORIGIN_HEADERS,
    Answer,
    BusyError,
    Facts,
    ForbiddenError,
    NotFoundError,
    aws_errors_as_busy,
    json_answer,
    respond,
)
from shared.metrics import publishes_metrics
from shared.operators import is_operator

from . import containers, live, saved_queries
from .overview import Overview
from .panels import TRY_AGAIN_S, Catalogue
from .settings import InsightsSettings

__all__ = ["handler"]


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Answer:  # noqa: ARG001
    """Answer a request for a panel."""

    def serve(facts: Facts) -> Answer:
        panel = (event.get("pathParameters") or {}).get("panel") or "live"
        facts["panel"] = panel if re.fullmatch(r"[a-z0-9_]{1,32}", panel) else "-"
        with aws_errors_as_busy("The data cannot be read now; try again in a moment."):
            return _serve(event, panel)

    return respond("insights", event, serve, headers=CROSS_ORIGIN_HEADERS)


def _serve(event: dict[str, Any], panel: str) -> Answer:
    if not is_operator(event):
        raise ForbiddenError(
            "forbidden", "Your account is not in the group operators; an administrator can add it."
        )
    query = event.get("queryStringParameters") or {}
    settings = InsightsSettings.from_env()
    if panel == "overview":
        return json_answer(
            200, _overview().answer(settings.stack_name, settings.applications, settings.clusters)
        )
    if panel == "live" and settings.results_table:
        return json_answer(200, live.answer(settings.results_table, settings.log_window_seconds, query))
    if panel == "containers" and settings.clusters:
        return json_answer(200, containers.answer(settings.clusters, query, datetime.now(UTC)))
    declared, complete = _catalogue().panels(settings.workgroups)
    if panel == "panels":
        return json_answer(200, {"panels": [each.look for each in declared.values()], "complete": complete})
    if panel not in declared:  # to another instance of this function it may be known already
        declared, complete = _catalogue().panels(settings.workgroups, TRY_AGAIN_S)
    if panel not in declared:
        if not complete:
            raise BusyError("busy", "The panels cannot be listed now; try again in a moment.")
        raise NotFoundError("unknown_panel", "There is no such panel in this deployment.")
    status, body = saved_queries.answer(declared[panel], query)
    return json_answer(status, body, {"Retry-After": "1"} if status == 202 else None)


@cache
def _catalogue() -> Catalogue:
    return Catalogue()


@cache
def _overview() -> Overview:
    return Overview()
