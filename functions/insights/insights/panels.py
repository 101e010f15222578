"""Panels that saved queries declare: whoever saves a query with a declaration in a workgroup has a panel.

The leading comment of the query ends with the declaration, a JSON object behind `Panel:`::

    -- Requests of bots by viewer address and edge location, most first.
    -- Panel: {"title": "Bots by edge location", "parameters": "dates", "chart": "bars",
    --   "bar": ["location", "ct"], "columns": {"location": "Edge location", "ct": "Requests"}}
    SELECT ...

docs/insights.md has the members. The panel's name is the query's. A declaration that is wrong is logged, and
costs no other panel anything; nor does a workgroup that cannot be read.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.logging import Logger
from botocore.exceptions import BotoCoreError, ClientError

from shared import strict_json
from shared.clients import client

from .parameters import PARAMETERS

if TYPE_CHECKING:
    from mypy_boto3_athena.type_defs import NamedQueryTypeDef

__all__ = [
    "CHARTS",
    "RESERVED",
    "TRY_AGAIN_S",
    "Catalogue",
    "DeclarationError",
    "Panel",
    "panel_of",
]

logger = Logger()

CHARTS = ("bars", "lines", "stacks", "table")
RESERVED = ("live", "containers", "panels", "overview")
"""What the API answers itself."""

MAX_PANELS = 50
"""Of a workgroup; more are left out."""

LOOK_AGAIN_S = 60
TRY_AGAIN_S = 5
_MAX_TEXT = 100
_MAX_COLUMNS = 20
_MAX_LINES = 4
_MAX_BATCH = 50  # https://docs.aws.amazon.com/athena/latest/APIReference/API_BatchGetNamedQuery.html
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_MARK = "-- Panel:"


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
        parameters: What the query is asked for, one of `parameters.PARAMETERS`.
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
        DeclarationError: What stands behind `Panel:` is not a declaration, or the name is not a panel's.
    """
    text = _declaration(query)
    if text is None:
        return None
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise DeclarationError("the query's name must be a panel's: [a-z][a-z0-9_]{0,31}, and not taken")
    try:
        look = strict_json.parse(text)
    except ValueError as error:
        raise DeclarationError(f"no JSON behind {_MARK}") from error
    _check(look)
    return Panel(name, workgroup, database, query, look["parameters"], {**look, "panel": name})


def _declaration(query: str) -> str | None:
    """What stands behind `Panel:` in the leading comment, its lines joined."""
    found: list[str] | None = None
    for line in query.splitlines():
        if not line.startswith("--"):
            break
        if line.startswith(_MARK):
            found = [line.removeprefix(_MARK)]
        elif found is not None:
            found.append(line.removeprefix("--"))
    return None if found is None else " ".join(found)


def _check(look: Any) -> None:
    if not isinstance(look, dict) or not strict_json.is_shallow(look):
        raise DeclarationError("it must be an object")
    if unknown := look.keys() - _MEMBERS.keys():
        raise DeclarationError(f"no member {min(unknown)!r} is known")
    if missing := {"title", "parameters", "chart", "columns"} - look.keys():
        raise DeclarationError(f"{min(missing)} is missing")
    for name, value in look.items():
        is_right, what = _MEMBERS[name]
        if not is_right(value):
            raise DeclarationError(f"{name} must be {what}")
    if look["chart"] in ("bars", "stacks") and "bar" not in look:
        raise DeclarationError("bar is missing")
    if look["chart"] == "lines" and "lines" not in look:
        raise DeclarationError("lines is missing")
    if look["chart"] in ("lines", "stacks") and (
        "time" not in look or not PARAMETERS[look["parameters"]].slots
    ):
        raise DeclarationError(f"{look['chart']} need time, and parameters by slot")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_TEXT


def _are_headings(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and 0 < len(value) <= _MAX_COLUMNS
        and all(map(_is_text, (*value, *value.values())))
    )


_TEXT = (_is_text, f"a text of at most {_MAX_TEXT} characters")
_FLAG = (lambda value: isinstance(value, bool), "true or false")
_MEMBERS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "title": _TEXT,
    "place": (lambda value: type(value) in (int, float), "a number"),
    "parameters": (
        lambda value: isinstance(value, str) and value in PARAMETERS,
        f"one of {', '.join(PARAMETERS)}",
    ),
    "chart": (lambda value: value in CHARTS, f"one of {', '.join(CHARTS)}"),
    "bar": (
        lambda value: isinstance(value, list) and len(value) == 2 and all(map(_is_text, value)),
        "a column of names and one of numbers",
    ),
    "lines": (
        lambda value: isinstance(value, list) and 0 < len(value) <= _MAX_LINES and all(map(_is_text, value)),
        f"columns of numbers, at most {_MAX_LINES}",
    ),
    "of": _TEXT,
    "rank": _FLAG,
    "time": _TEXT,
    "columns": (_are_headings, f"headings by column, at most {_MAX_COLUMNS}"),
    "empty": _TEXT,
}


class Catalogue:
    """The panels of workgroups, each workgroup as it was up to a minute ago.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[str, list[Panel]] = {}
        self._looks: dict[str, tuple[float, bool]] = {}  # when, and whether it went well

    def panels(
        self, workgroups: Sequence[str], max_age: float = LOOK_AGAIN_S
    ) -> tuple[dict[str, Panel], bool]:
        """The panels by name, in the order of the page, and whether that is all of them.

        Of two panels of one name the one of the first workgroup is shown. A workgroup that cannot be read has
        the panels that it had before; if none are known, they are not all.

        Args:
            workgroups: Names of workgroups.
            max_age: Seconds; a workgroup that was read longer ago is read again.
        """
        found: dict[str, Panel] = {}
        for workgroup in workgroups:
            for panel in self._panels_of(workgroup, max_age):
                if panel.name in found:
                    logger.warning("no panel", query=panel.name, workgroup=workgroup, reason="name is taken")
                found.setdefault(panel.name, panel)
        return found, all(workgroup in self._kept for workgroup in workgroups)

    def _panels_of(self, workgroup: str, max_age: float) -> list[Panel]:
        now = self._clock()
        looked, well = self._looks.get(workgroup, (-inf, True))
        if now - looked >= (max_age if well else TRY_AGAIN_S):
            try:
                panels = sorted(_declared(workgroup), key=lambda panel: (_place(panel), panel.name))
            except (ClientError, BotoCoreError, _UnreadError) as error:
                logger.warning("saved queries not read", workgroup=workgroup, reason=type(error).__name__)
                self._looks[workgroup] = (now, False)
            else:
                if len(panels) > MAX_PANELS:
                    logger.warning("too many panels", workgroup=workgroup, left_out=len(panels) - MAX_PANELS)
                self._kept[workgroup] = panels[:MAX_PANELS]
                self._looks[workgroup] = (now, True)
        return self._kept.get(workgroup, [])


class _UnreadError(Exception):
    """Athena left saved queries out, twice."""


def _place(panel: Panel) -> float:
    return float(panel.look.get("place", inf))


def _declared(workgroup: str) -> Iterator[Panel]:
    """The panels of a workgroup; a wrong declaration is logged."""
    pages = (
        client("athena")
        .get_paginator("list_named_queries")
        .paginate(WorkGroup=workgroup, PaginationConfig={"PageSize": _MAX_BATCH})
    )
    for page in pages:
        for saved in _read(page["NamedQueryIds"]):
            try:
                panel = panel_of(saved["Name"], workgroup, saved["Database"], saved["QueryString"])
            except DeclarationError as error:
                logger.warning("no panel", query=saved["Name"], workgroup=workgroup, reason=str(error))
                continue
            if panel is not None:
                yield panel


def _read(queries: Iterable[str]) -> "Iterator[NamedQueryTypeDef]":
    """Saved queries by their ids, all of them or an error."""
    left = list(queries)
    for _ in range(2):
        if not left:
            return
        answer = client("athena").batch_get_named_query(NamedQueryIds=left)
        yield from answer["NamedQueries"]
        # What was deleted meanwhile is INVALID_INPUT; what was throttled is worth another call.
        left = [
            each["NamedQueryId"]
            for each in answer["UnprocessedNamedQueryIds"]
            if each.get("ErrorCode") != "INVALID_INPUT"
        ]
    if left:
        raise _UnreadError
