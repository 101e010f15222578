"""Panels that Athena answers: saved queries, started with a request's parameters and waited for."""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.logging import Logger

from shared.clients import client
from shared.http import BadGatewayError, BadRequestError, NotFoundError

from .moments import iso
from .panels import Panel

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import QueryExecutionTypeDef, RowTypeDef

__all__ = ["answer"]

logger = Logger()

REUSE_MINUTES = 5
WAIT_S = 4.0  # most queries are done by then, and need no second request
POLL_S = 0.2
ROWS = 999  # a page of results, less the row of names
DAYS = 7  # that a panel of dates shows by default
MAX_DAYS = 92
WINDOWS = {
    "hour": timedelta(hours=1), "half_day": timedelta(hours=12), "day": timedelta(days=1),
    "week": timedelta(days=7),
}  # fmt: skip
# An object is under the hour of its oldest record, and a buffer is filled for up to 15 minutes:
# https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
FIREHOSE_BUFFER = timedelta(hours=1)
# How many characters of a time make a slot of a chart: ten minutes, an hour, a day.
SLOTS = {"hour": "15", "half_day": "13", "day": "13", "week": "10"}
_QUERY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NUMERIC = {"tinyint", "smallint", "integer", "bigint", "float", "real", "double", "decimal"}


def answer(panel: Panel, query: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """The answer of a panel, or the name of its query while that runs; status and body.

    Args:
        panel: The panel.
        query: The request's parameters: what the query needs, or `query`, which an earlier answer named.

    Raises:
        HttpError: 400 the parameters are wrong, 404 the query is not known, 502 it could not be answered.
    """
    if started := query.get("query"):
        if not _QUERY_ID.fullmatch(started):
            raise BadRequestError("bad_request", "query must be what an earlier answer named.")
    else:
        started = _start(panel, PARAMETERS[panel.parameters](query, datetime.now(UTC)))
    return _finish(started, panel.workgroup, time.monotonic, time.sleep)


def _dates(query: Mapping[str, str], now: datetime) -> list[str]:
    """The parameters of a query about dates: the first and the last."""
    today = now.date()
    try:
        last = date.fromisoformat(query["to"]) if "to" in query else today
        first = date.fromisoformat(query["from"]) if "from" in query else last - timedelta(days=DAYS - 1)
    except (ValueError, OverflowError):  # no date, or a week before the first that there is
        raise BadRequestError("bad_request", "from and to must be dates such as 2026-11-22.") from None
    if not 0 <= (last - first).days <= MAX_DAYS:
        raise BadRequestError("bad_request", f"from must be before to, by at most {MAX_DAYS} days.")
    return [first.isoformat(), last.isoformat()]


def _window(query: Mapping[str, str], now: datetime) -> list[str]:
    """The parameters of a query about posts: years and hours of their delivery, and since when."""
    since, last = now - WINDOWS[_chosen(query, "day")], now + timedelta(hours=1)
    first = since - FIREHOSE_BUFFER
    return [
        f"{first:%Y}",
        f"{last:%Y}",
        f"{first:%Y%m%d%H}",
        f"{last:%Y%m%d%H}",
        f"{since:%Y-%m-%d %H:%M:%S}",
    ]


def _calls(query: Mapping[str, str], now: datetime) -> list[str]:
    """The parameters of a query about EC2's calls: hours of their delivery, and since when.

    The same ones for a minute, so that a result can be used again.
    """
    now = now.replace(second=0)
    since, last = now - WINDOWS[_chosen(query, "half_day")], now + timedelta(hours=1)
    return [f"{since - FIREHOSE_BUFFER:%Y/%m/%d/%H}", f"{last:%Y/%m/%d/%H}", f"{since:%Y-%m-%dT%H:%M:%SZ}"]


def _calls_by_slot(query: Mapping[str, str], now: datetime) -> list[str]:
    """The same, after what makes a slot."""
    return [SLOTS[_chosen(query, "half_day")], *_calls(query, now)]


def _chosen(query: Mapping[str, str], default: str) -> str:
    """The window that was asked for."""
    window = query.get("window", default)
    if window not in WINDOWS:
        raise BadRequestError("bad_request", f"window must be one of {', '.join(WINDOWS)}.")
    return window


PARAMETERS: dict[str, Callable[[Mapping[str, str], datetime], list[str]]] = {
    "dates": _dates,
    "posts": _window,
    "calls": _calls,
    "calls_by_slot": _calls_by_slot,
}


def _start(panel: Panel, parameters: list[str]) -> str:
    """Start a panel's query, or find its result of a moment ago; the execution's id.

    Raises:
        BadGatewayError: Athena takes no such query: its text or its number of parameters is wrong.
    """
    athena = client("athena")
    try:
        return athena.start_query_execution(
            QueryString=panel.query,
            ExecutionParameters=[f"'{parameter}'" for parameter in parameters],
            QueryExecutionContext={"Database": panel.database},
            WorkGroup=panel.workgroup,
            ResultReuseConfiguration={
                "ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": REUSE_MINUTES}
            },
        )["QueryExecutionId"]
    except athena.exceptions.InvalidRequestException as error:
        logger.warning("query", panel=panel.name, state="REFUSED")
        raise BadGatewayError("query_failed", "Athena does not take the saved query.") from error


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
        raise BadGatewayError("query_failed", "Athena could not answer the query.")
    columns, rows, more = _rows(query)
    finished = execution["Status"]["CompletionDateTime"]
    return 200, {
        "as_of": iso(finished.timestamp()),
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
        raise NotFoundError("unknown_query", "There is no such query any more; ask without it.")
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
