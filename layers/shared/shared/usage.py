"""Counts the calls that a function served for an API key: what AWS Marketplace is told is summed from this.

A usage plan of API Gateway is no meter: "Usage plan throttling and quotas are not hard limits, and are
applied on a best-effort basis"
(https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html). So the
function itself counts, once it has made an answer::

    answer = json_answer(200, body)
    count_call(settings.portal_usage_table, event)

An item has the key `key` (API Gateway's id of the key, never its value) and `hour` (`2026-11-28T03`, UTC, in
which API Gateway took the request), the number `calls`, and that of each minute, `m00` to `m59`, for an hour
in which a subscription ends; `expires` is 40 days later.
"""

from datetime import UTC, datetime

from aws_lambda_powertools.logging import Logger
from botocore.exceptions import BotoCoreError, ClientError

from .clients import client_without_retries
from .events import Event
from .metrics import count, count_for

__all__ = ["HOUR", "KEPT_S", "MINUTE", "count_call"]

logger = Logger()

HOUR = "%Y-%m-%dT%H"
"""The format of an hour."""
MINUTE = "m%M"
"""The format of a minute of it."""
KEPT_S = 40 * 86_400
"""Seconds for which a count is kept: longer than a month, of which the portal shows the calls."""


def count_call(table: str, event: Event) -> None:
    """Count a call with an API key that has been answered well.

    A call is counted at most once: a write that may have happened is not tried again, so nobody is billed
    twice. One that cannot be counted is served all the same, and is the portal's metric `CallsUncounted`.

    Args:
        table: Name of the table; empty where the API portal is not deployed, and nothing is counted.
        event: API Gateway's event of the request; without a key there is nothing to count.
    """
    context = event.get("requestContext") or {}
    key = (context.get("identity") or {}).get("apiKeyId")
    if not table or not key:
        return
    seconds = context["requestTimeEpoch"] // 1000
    moment = datetime.fromtimestamp(seconds, UTC)
    try:
        client_without_retries("dynamodb").update_item(
            TableName=table,
            Key={"key": {"S": key}, "hour": {"S": moment.strftime(HOUR)}},
            UpdateExpression="ADD calls :one, #minute :one SET expires = :expires",
            ExpressionAttributeNames={"#minute": moment.strftime(MINUTE)},
            ExpressionAttributeValues={":one": {"N": "1"}, ":expires": {"N": str(seconds + KEPT_S)}},
        )
    except (ClientError, BotoCoreError):
        logger.exception("a call could not be counted", key=key, request_id=context.get("requestId"))
        count_for("api_portal", "CallsUncounted")
    else:
        count("CallsCounted")
