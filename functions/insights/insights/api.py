"""Answers what the insights page asks: live traffic, traffic at rest from Athena, metrics of containers.

Trigger: API Gateway REST, proxy integration, `GET /v1/insights/{panel}`, behind the Cognito authorizer, for
    members of the group `operators`.
Input: the panel: `live` (with `minutes`, 1 to 10), `containers` (with `cluster`), or the name of a saved
    query, which is started for the requests of the dates `from` to `to` (the last seven days by default), or
    for the posts or calls of a `window` (`hour`, `half_day`, `day`, `week`); `query` names a query that an
    earlier answer started.
Output: 200 with rows and `as_of`; 202 with `query` and `Retry-After` while Athena works.
On failure: JSON with a stable code (see `InsightsError`); 503 is worth another try.
Idempotent: it only reads; Athena gives a recent result of the same query again instead of asking anew.
Recorded event: events/insights/api_live.json
"""

import json
import re
import time
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from shared.operators import is_operator
from shared.settings import SettingsError

from . import containers, live, saved_queries
from .errors import InsightsError
from .settings import InsightsSettings

__all__ = ["handler"]

logger = Logger()

_HEADERS = {
    "Access-Control-Allow-Origin": "*",  # a token, not a cookie, says who asks
    "Cache-Control": "no-store",
    "Content-Type": "application/json",
}

_FORBIDDEN = "Your account is not in the group operators; an administrator can add it."

type Answer = dict[str, Any]


def handler(event: dict[str, Any], context: LambdaContext) -> Answer:  # noqa: ARG001
    """Answer a request for a panel."""
    started = time.monotonic()
    panel = (event.get("pathParameters") or {}).get("panel") or "live"
    try:
        status, body = _serve(event, panel)
    except InsightsError as error:
        status, body = error.status, {"code": error.code, "message": error.message}
    except SettingsError:
        logger.exception("settings")
        status, body = 500, {"code": "misconfigured", "message": "The function's settings are wrong."}
    except (ClientError, BotoCoreError) as error:
        code = error.response["Error"].get("Code") if isinstance(error, ClientError) else None
        logger.warning("call failed", reason=code or type(error).__name__)
        status, body = 503, {"code": "busy", "message": "The data cannot be read now; try again in a moment."}
    known = panel if re.fullmatch(r"[a-z_]{1,32}", panel) else "-"
    duration = round(1000 * (time.monotonic() - started))
    logger.info("insights", panel=known, status=status, duration_ms=duration)
    headers = _HEADERS | ({"Retry-After": "1"} if status in (202, 503) else {})
    return {"statusCode": status, "headers": headers, "body": json.dumps(body, separators=(",", ":"))}


def _serve(event: dict[str, Any], panel: str) -> tuple[int, dict[str, Any]]:
    if not is_operator(event):
        raise InsightsError(403, "forbidden", _FORBIDDEN)
    query = event.get("queryStringParameters") or {}
    settings = InsightsSettings.from_env()
    if panel == "live" and settings.results_table:
        return 200, live.answer(settings.results_table, query)
    if panel == "containers" and settings.clusters:
        return 200, containers.answer(settings.clusters, query, datetime.now(UTC))
    saved = settings.queries.get(panel)
    if saved is None:
        raise InsightsError(404, "unknown_panel", "There is no such panel in this deployment.")
    return saved_queries.answer(panel, saved, query)
