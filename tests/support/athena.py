"""Asking Athena, and waiting for what a test delivered."""

from __future__ import annotations

import time
from typing import Any

from local.suite import Suite

__all__ = ["ask", "ask_in", "saved"]


def ask(suite: Suite, sql: str, *parameters: str) -> list[tuple[str | None, ...]]:
    """Run a query in the access logs' workgroup and return its rows as texts.

    Raises:
        AssertionError: It failed; says why.
    """
    return ask_in(suite, "AccessLogs", sql, *parameters)


def ask_in(suite: Suite, application: str, sql: str, *parameters: str) -> list[tuple[str | None, ...]]:
    """Run a query in an application's workgroup and database, and return its rows as texts.

    Raises:
        AssertionError: It failed; says why.
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
        if status["State"] == "SUCCEEDED":
            break
        if status["State"] not in ("QUEUED", "RUNNING"):
            raise AssertionError(f"{status.get('StateChangeReason')} in {sql}")
        time.sleep(0.05)
    pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=execution)
    rows = [row["Data"] for page in pages for row in page["ResultSet"]["Rows"]]
    return [tuple(value.get("VarCharValue") for value in row) for row in rows[1:]]


def saved(suite: Suite) -> dict[str, str]:
    """Return the text of the saved queries by name, as Athena has them."""
    athena = suite.client("athena")
    listed = athena.list_named_queries(WorkGroup=suite["AccessLogsWorkGroupName"])["NamedQueryIds"]
    queries = athena.batch_get_named_query(NamedQueryIds=listed)["NamedQueries"]
    return {query["Name"]: query["QueryString"] for query in queries}
