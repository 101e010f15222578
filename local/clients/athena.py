"""Runs queries of Athena on what an application of the suite keeps."""

from __future__ import annotations

import time
from typing import Any

from local.suite import Suite

__all__ = ["QueryError", "ask"]


class QueryError(RuntimeError):
    """Athena could not answer; says why."""


def ask(suite: Suite, application: str, sql: str, *parameters: str) -> list[tuple[str | None, ...]]:
    """Run a query in an application's workgroup and database.

    Args:
        suite: The deployed suite.
        application: The beginning of its outputs' names: `Ec2` for `Ec2WorkGroupName` and `Ec2DatabaseName`.
        sql: The query.
        parameters: For its question marks, as SQL writes them.

    Returns:
        The rows as texts, without the row of names; what is NULL is None.

    Raises:
        QueryError: Athena could not answer.
    """
    athena = suite.client("athena")
    settings: dict[str, Any] = {"ExecutionParameters": list(parameters)} if parameters else {}
    execution = athena.start_query_execution(
        QueryString=sql,
        QueryExecutionContext={"Database": suite[f"{application}DatabaseName"]},
        WorkGroup=suite[f"{application}WorkGroupName"],
        **settings,
    )["QueryExecutionId"]
    while True:
        status = athena.get_query_execution(QueryExecutionId=execution)["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING"):
            break
        time.sleep(0.05)
    if status["State"] != "SUCCEEDED":
        raise QueryError(f"{status.get('StateChangeReason')} in {sql}")
    pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=execution)
    rows = [row["Data"] for page in pages for row in page["ResultSet"]["Rows"]]
    return [tuple(value.get("VarCharValue") for value in row) for row in rows[1:]]
