"""Panels that saved queries declare: whoever saves a query with a declaration in a workgroup has a panel.

The leading comment of the query ends with the declaration, a JSON object behind `Panel:`::

    -- Requests of bots by viewer address and edge location, most first.
    -- Panel: {"title": "Bots by edge location", "parameters": "dates", "chart": "bars",
    --   "bar": ["location", "ct"], "columns": {"location": "Edge location", "ct": "Requests"}}
    SELECT ...

docs/insights.md has the members. The panel's name is the query's.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from aws_lambda_powertools.logging import Logger

from shared.clients import client

__all__ = ["CHARTS", "PARAMETERS", "DeclarationError", "Panel", "declared", "panel_of"]

logger = Logger()

PARAMETERS = ("dates", "posts", "calls", "calls_by_slot")
CHARTS = ("bars", "stacks", "table")
LOOK_AGAIN_S = 60
_MAX_BATCH = 50  # https://docs.aws.amazon.com/athena/latest/APIReference/API_BatchGetNamedQuery.html
_MARK = "Panel:"


class DeclarationError(ValueError):
    """The declaration of a panel is wrong; says what about it."""


@dataclass(frozen=True)
class Panel:
    """A panel.

    Attributes:
        name: Its name, the saved query's.
        workgroup: Where the query is saved and run.
        database: The query's database.
        query: The query's text.
        parameters: What the query is asked for, one of `PARAMETERS`.
        look: The declaration, as the page draws it.
    """

    name: str
    workgroup: str
    database: str
    query: str
    parameters: str
    look: dict[str, Any] = field(hash=False)


def panel_of(name: str, workgroup: str, database: str, query: str) -> Panel | None:
    """The panel that a saved query declares; None if it declares none.

    Args:
        name: The saved query's name.
        workgroup: Where it is saved.
        database: Its database.
        query: Its text.

    Raises:
        DeclarationError: What stands behind `Panel:` is not a declaration.
    """
    comment = []
    for line in query.splitlines():
        if not line.startswith("--"):
            break
        comment.append(line.removeprefix("--").strip())
    _, mark, text = " ".join(comment).partition(_MARK)
    if not mark:
        return None
    try:
        look = json.loads(text)
    except ValueError as error:
        raise DeclarationError(f"no JSON behind {_MARK}") from error
    _check(look)
    return Panel(name, workgroup, database, query, look["parameters"], {"panel": name, **look})


def _check(look: Any) -> None:
    if not isinstance(look, dict) or not isinstance(look.get("title"), str):
        raise DeclarationError("title is missing")
    if look.get("parameters") not in PARAMETERS:
        raise DeclarationError(f"parameters must be one of {', '.join(PARAMETERS)}")
    if look.get("chart") not in CHARTS:
        raise DeclarationError(f"chart must be one of {', '.join(CHARTS)}")
    if not isinstance(look.get("columns"), dict) or not look["columns"]:
        raise DeclarationError("columns must be headings by column")
    bar = look.get("bar")
    if look["chart"] != "table" and not (isinstance(bar, list) and len(bar) == 2):
        raise DeclarationError("bar must be a column of names and one of numbers")
    if look["chart"] == "stacks" and (
        not isinstance(look.get("time"), str) or look["parameters"] != "calls_by_slot"
    ):
        raise DeclarationError("stacks need time, and parameters calls_by_slot")


def declared(workgroups: Sequence[str], clock: Callable[[], float] = time.monotonic) -> dict[str, Panel]:
    """The panels of the workgroups, by name, in the order of the page; as they were up to a minute ago.

    Args:
        workgroups: Names of workgroups.
        clock: Seconds that never go back.
    """
    return _declared(tuple(workgroups), int(clock() / LOOK_AGAIN_S))


@lru_cache(maxsize=1)
def _declared(workgroups: tuple[str, ...], _period: int) -> dict[str, Panel]:
    found = [panel for workgroup in workgroups for panel in _saved(workgroup)]
    found.sort(key=lambda panel: (workgroups.index(panel.workgroup), _place(panel), panel.name))
    return {panel.name: panel for panel in found}


def _place(panel: Panel) -> float:
    place = panel.look.get("place")
    return place if isinstance(place, int | float) else float("inf")


def _saved(workgroup: str) -> Iterator[Panel]:
    """The panels of a workgroup; a wrong declaration is logged, and costs no other panel."""
    athena = client("athena")
    pages = athena.get_paginator("list_named_queries").paginate(
        WorkGroup=workgroup, PaginationConfig={"PageSize": _MAX_BATCH}
    )
    for page in pages:
        if not page["NamedQueryIds"]:
            continue
        answer = athena.batch_get_named_query(NamedQueryIds=page["NamedQueryIds"])
        for left in answer["UnprocessedNamedQueryIds"]:
            logger.warning("query not read", workgroup=workgroup, reason=left.get("ErrorCode"))
        for saved in answer["NamedQueries"]:
            try:
                panel = panel_of(saved["Name"], workgroup, saved["Database"], saved["QueryString"])
            except DeclarationError as error:
                logger.warning("no panel", query=saved["Name"], workgroup=workgroup, reason=str(error))
                continue
            if panel is not None:
                yield panel
