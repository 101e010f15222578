"""Panels that Athena answers: saved queries, started with a request's parameters and waited for."""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.logging import Logger

from shared.clients import client
from shared.http import BadGatewayError, BadRequestError, NotFoundError

from .moments import iso
from .panels import Panel
from .parameters import asked

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import QueryExecutionTypeDef, RowTypeDef

__all__ = ["answer"]

logger = Logger()

REUSE_MINUTES = 5
WAIT_S = 4.0  # most queries are done by then, and need no second request
POLL_S = 0.2
ROWS = 999  # a page of results, less the row of names
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
        return _finish(started, panel, {}, time.monotonic, time.sleep)
    question = asked(panel.parameters, query, datetime.now(UTC))
    parameters = [_literal(parameter) for parameter in question.parameters]
    described = {"range": question.described(), "parameters": parameters}
    return _finish(_start(panel, parameters), panel, described, time.monotonic, time.sleep)


def _literal(text: str) -> str:
    """A text as SQL writes it: execution parameters are literals, strings in single quotes."""
    return "'" + text.replace("'", "''") + "'"


def _start(panel: Panel, parameters: list[str]) -> str:
    """Start a panel's query, or find its result of a moment ago; the execution's id.

    Args:
        panel: The panel.
        parameters: Literals for its query's question marks.

    Raises:
        BadGatewayError: Athena takes no such query: its text or its number of parameters is wrong.
    """
    athena = client("athena")
    try:
        return athena.start_query_execution(
            QueryString=panel.query,
            ExecutionParameters=parameters,
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
    query: str,
    panel: Panel,
    described: Mapping[str, Any],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> tuple[int, dict[str, Any]]:
    """Wait for a query for a while; status and body.

    Args:
        query: The execution's id.
        panel: Whose query it must be.
        described: What is known of the question: Athena does not return an execution's parameters.
        clock: Seconds that never go back.
        sleep: Waits.
    """
    end = clock() + WAIT_S
    body = {**described, "query": query, "athena": _in_athena(panel)}
    while True:
        execution = _execution(query, panel.workgroup)
        state = execution["Status"]["State"]
        if state not in ("QUEUED", "RUNNING"):
            break
        if clock() >= end:
            return 202, {**body, "message": "The query is running; ask again with its id."}
        sleep(POLL_S)
    if state != "SUCCEEDED":
        logger.warning("query", query_id=query, state=state)
        raise BadGatewayError("query_failed", "Athena could not answer the query.")
    columns, rows, more = _rows(query)
    finished = execution["Status"]["CompletionDateTime"]
    return 200, {
        **body,
        "as_of": iso(finished.timestamp()),
        "columns": columns,
        "rows": rows,
        "more": more,
        "scanned": execution.get("Statistics", {}).get("DataScannedInBytes", 0),
    }


def _in_athena(panel: Panel) -> dict[str, str]:
    """What somebody needs who runs a panel's query in Athena's console, but for the parameters."""
    return {
        "sql": panel.query,
        "database": panel.database,
        "workgroup": panel.workgroup,
        "region": client("athena").meta.region_name,
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
