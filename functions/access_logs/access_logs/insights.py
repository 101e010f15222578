"""Answers what the insights page asks: live traffic from the table of results, traffic at rest from Athena.

Trigger: API Gateway REST, proxy integration, `GET /v1/insights/{panel}`, behind the Cognito authorizer.
Input: the panel: `live` (with `minutes`, 1 to 10), or the name of a saved query, which is started for the
    requests of the dates `from` to `to` (the last seven days by default), or for the posts of a `window`
    (`hour`, `day`, `week`); `query` names a query that an earlier answer started.
Output: 200 with rows and `as_of`; 202 with `query` and `Retry-After` while Athena works.
On failure: JSON with a stable code (see `InsightsError`); 503 is worth another try.
Idempotent: it only reads; Athena gives a recent result of the same query again instead of asking anew.
Recorded event: events/access_logs/insights_live.json
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from shared.clients import client
from shared.settings import SettingsError

from . import results
from .streaming_settings import InsightsSettings

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import QueryExecutionTypeDef, RowTypeDef

__all__ = ["InsightsError", "handler", "live"]

logger = Logger()

REUSE_MINUTES = 5
WAIT_S = 4.0  # most queries are done by then, and need no second request
POLL_S = 0.2
ROWS = 999  # a page of results, less the row of names
BOT_ROWS = 50
MAX_MINUTES = 10
DAYS = 7  # that a panel at rest shows by default
MAX_DAYS = 92
WINDOWS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
_MINUTE = 60
_QUERY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NUMERIC = {"tinyint", "smallint", "integer", "bigint", "float", "real", "double", "decimal"}
_HEADERS = {
    "Access-Control-Allow-Origin": "*",  # a token, not a cookie, says who asks
    "Cache-Control": "no-store",
    "Content-Type": "application/json",
}

type Answer = dict[str, Any]


class InsightsError(Exception):
    """Why there is no answer; code and message go to the caller as they are.

    Codes: bad_request 400, unknown_panel, unknown_query 404, query_failed 502, misconfigured 500, busy 503.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code, message)
        self.status, self.code, self.message = status, code, message


def handler(event: dict[str, Any], context: LambdaContext) -> Answer:  # noqa: ARG001
    """Answer a request for a panel."""
    started = time.monotonic()
    panel = (event.get("pathParameters") or {}).get("panel") or "live"
    try:
        status, body = _serve(panel, event.get("queryStringParameters") or {})
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


def _serve(panel: str, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
    settings = InsightsSettings.from_env()
    if panel == "live" and settings.results_table:
        minutes = query.get("minutes", "3")
        if not re.fullmatch(r"[1-9]|10", minutes):
            raise InsightsError(400, "bad_request", f"minutes must be 1 to {MAX_MINUTES}.")
        now = int(time.time())
        newest = now - now % _MINUTE
        wanted = [newest - _MINUTE * age for age in range(-1, int(minutes))]  # viewers' clocks may be ahead
        return 200, live(results.read(settings.results_table, wanted), now)
    saved, workgroup = (settings.queries or {}).get(panel), settings.workgroup
    parameters = _dates
    if saved is None:
        saved, workgroup = (settings.social_queries or {}).get(panel), settings.social_workgroup
        parameters = _window
    if saved is None:
        raise InsightsError(404, "unknown_panel", "There is no such panel in this deployment.")
    if started := query.get("query"):
        if not _QUERY_ID.fullmatch(started):
            raise InsightsError(400, "bad_request", "query must be what an earlier answer named.")
    else:
        started = _start(saved, workgroup, parameters(query, datetime.now(UTC)))
    return _finish(started, workgroup, time.monotonic, time.sleep)


def live(minutes: Iterable[results.Minute], now: int) -> dict[str, Any]:
    """Live traffic as the page shows it.

    Args:
        minutes: The latest minutes, in the order of time.
        now: Seconds since the epoch.
    """
    minutes = list(minutes)
    seconds: dict[int, list[int]] = {}
    by_distribution: _Sums = {}
    by_location: _Sums = {}
    by_bot: _Sums = {}
    for minute in minutes:
        for second, distribution, location, requests, sent in minute.traffic:
            _sum(seconds, second, requests, sent, 0)
            _sum(by_distribution, (distribution,), requests, sent)
            _sum(by_location, (location,), requests, sent)
        for second, address, location, distribution, requests, sent in minute.bots:
            _sum(seconds, second, 0, 0, requests)
            _sum(by_bot, (address, location, distribution), requests, sent)
    totals = Counter[str]()
    for minute in minutes:
        for name in ("requests", "sent", "bot_requests", "late", "duplicates"):
            totals[name] += getattr(minute, name)
    shown = [minute for minute in minutes if minute.viewers]
    latest = shown[-1] if shown else None
    return {
        "as_of": _iso(now),
        "totals": {name: totals[name] for name in ("requests", "sent", "bot_requests", "late", "duplicates")},
        "seconds": {
            "columns": ["second", "requests", "sent", "bot_requests"],
            "rows": [[second, *values] for second, values in sorted(seconds.items())],
        },
        "distributions": _table(["distribution"], by_distribution),
        "locations": _table(["location"], by_location),
        "bots": _table(["address", "location", "distribution"], by_bot),
        "viewers": {
            "minute": latest.minute if latest else None,
            "error": latest.viewers_error if latest else 0,
            "columns": ["address", "requests"],
            "rows": latest.viewers if latest else [],
        },
    }


type _Sums = dict[tuple[str, ...], list[int]]


def _sum[K](table: dict[K, list[int]], key: K, *values: int) -> None:
    table[key] = [old + new for old, new in zip(table.get(key, [0] * len(values)), values, strict=True)]


def _table(names: list[str], sums: _Sums) -> dict[str, Any]:
    heaviest = sorted(sums.items(), key=lambda item: (-item[1][0], item[0]))[:BOT_ROWS]
    return {"columns": [*names, "requests", "sent"], "rows": [[*key, *values] for key, values in heaviest]}


def _dates(query: dict[str, str], now: datetime) -> list[str]:
    """The parameters of a query about requests: first and last date."""
    today = now.date()
    try:
        last = date.fromisoformat(query["to"]) if "to" in query else today
        first = date.fromisoformat(query["from"]) if "from" in query else last - timedelta(days=DAYS - 1)
    except ValueError:
        raise InsightsError(400, "bad_request", "from and to must be dates such as 2026-11-22.") from None
    if not first <= last <= first + timedelta(days=MAX_DAYS):
        raise InsightsError(400, "bad_request", f"from must be before to, by at most {MAX_DAYS} days.")
    return [f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}"]


def _window(query: dict[str, str], now: datetime) -> list[str]:
    """The parameters of a query about posts: years and hours of their delivery, and since when."""
    length = WINDOWS.get(query.get("window", "day"))
    if length is None:
        raise InsightsError(400, "bad_request", f"window must be one of {', '.join(WINDOWS)}.")
    since, last = now - length, now + timedelta(hours=1)
    return [
        f"{since:%Y}",
        f"{last:%Y}",
        f"{since:%Y%m%d%H}",
        f"{last:%Y%m%d%H}",
        f"{since:%Y-%m-%d %H:%M:%S}",
    ]


def _start(saved: str, workgroup: str, parameters: list[str]) -> str:
    """Start a saved query, or find its result of a moment ago; the execution's id."""
    athena = client("athena")
    text = athena.get_named_query(NamedQueryId=saved)["NamedQuery"]
    return athena.start_query_execution(
        QueryString=text["QueryString"],
        ExecutionParameters=[f"'{parameter}'" for parameter in parameters],
        QueryExecutionContext={"Database": text["Database"]},
        WorkGroup=workgroup,
        ResultReuseConfiguration={
            "ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": REUSE_MINUTES}
        },
    )["QueryExecutionId"]


def _finish(
    query: str, workgroup: str, clock: Callable[[], float], sleep: Callable[[float], None]
) -> tuple[int, dict[str, Any]]:
    """Wait for a query for a while; status and body.

    Args:
        query: The execution's id.
        workgroup: Where it must have been started.
        clock: Seconds that never go back.
        sleep: Waits.
    """
    end = clock() + WAIT_S
    while True:
        execution = _execution(query, workgroup)
        state = execution["Status"]["State"]
        if state not in ("QUEUED", "RUNNING"):
            break
        if clock() >= end:
            return 202, {"query": query, "message": "The query is running; ask again with its id."}
        sleep(POLL_S)
    if state != "SUCCEEDED":
        logger.warning("query", query_id=query, state=state)
        raise InsightsError(502, "query_failed", "Athena could not answer the query.")
    columns, rows, more = _rows(query)
    finished = execution["Status"]["CompletionDateTime"]
    return 200, {
        "as_of": _iso(finished.timestamp()),
        "columns": columns,
        "rows": rows,
        "more": more,
        "scanned": execution.get("Statistics", {}).get("DataScannedInBytes", 0),
    }


def _execution(query: str, workgroup: str) -> "QueryExecutionTypeDef":
    """An execution, if it is one of the suite's: ids of others are none of the caller's business."""
    athena = client("athena")
    try:
        execution = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
    except athena.exceptions.InvalidRequestException:
        execution = {}
    if execution.get("WorkGroup") != workgroup:
        raise InsightsError(404, "unknown_query", "There is no such query any more; ask without it.")
    return execution


def _rows(query: str) -> tuple[list[str], list[list[Any]], bool]:
    """Columns, the first rows, and whether there are more."""
    answer = client("athena").get_query_results(QueryExecutionId=query, MaxResults=ROWS + 1)
    result = answer["ResultSet"]
    information = result["ResultSetMetadata"]["ColumnInfo"]
    kinds = [column["Type"].partition("(")[0] for column in information]
    rows = [_values(row, kinds) for row in result["Rows"][1:]]
    return [column["Name"] for column in information], rows, "NextToken" in answer


def _values(row: "RowTypeDef", kinds: Sequence[str]) -> list[Any]:
    values: list[Any] = []
    for datum, kind in zip(row["Data"], kinds, strict=True):
        text = datum.get("VarCharValue")
        values.append(json.loads(text) if text is not None and kind in _NUMERIC else text)
    return values


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
