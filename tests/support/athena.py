"""Queries of the access logs by Athena."""

from __future__ import annotations

from local.clients import athena
from local.suite import Suite

__all__ = ["ask", "saved"]


def ask(suite: Suite, sql: str, *parameters: str) -> list[tuple[str | None, ...]]:
    """Run a query in the access logs' workgroup and return its rows as texts."""
    return athena.ask(suite, "AccessLogs", sql, *parameters)


def saved(suite: Suite) -> dict[str, str]:
    """Return the text of the saved queries by name, as Athena has them."""
    client = suite.client("athena")
    listed = client.list_named_queries(WorkGroup=suite["AccessLogsWorkGroupName"])["NamedQueryIds"]
    queries = client.batch_get_named_query(NamedQueryIds=listed)["NamedQueries"]
    return {query["Name"]: query["QueryString"] for query in queries}
