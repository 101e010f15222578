"""Time zones: a moment with a zone is a moment here, and the zone is known from the query.

DuckDB has one zone for all moments, Trino one for each. A zone that a query names goes with what is made of
the moment: functions of the clock on the wall (``hour``, ``date_trunc``, a cast to text) get the wall's time,
results are written in the zone; whatever compares moments needs none.
"""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from local.engine.services.athena_errors import SqlError
from local.engine.services.athena_functions import call

__all__ = ["mark", "on_the_wall", "rewritten"]

_ZONE = "zone"
# What keeps the zone of its first argument.
_KEEPING = (
    exp.Alias, exp.Paren, exp.Min, exp.Max, exp.AnyValue, exp.DateAdd, exp.DateSub, exp.Add, exp.Sub,
    exp.TimestampTrunc, exp.DateTrunc, exp.Coalesce, exp.ArgMax, exp.ArgMin, exp.Lag, exp.Lead,
    exp.FirstValue, exp.LastValue, exp.Window, exp.Subquery, exp.Ordered,
)  # fmt: skip
_WALL = (
    exp.Year, exp.Month, exp.Day, exp.Hour, exp.Minute, exp.Second, exp.DayOfWeek, exp.DayOfWeekIso,
    exp.DayOfYear, exp.DayOfMonth, exp.WeekOfYear, exp.Week, exp.YearOfWeek, exp.Quarter, exp.TimeToStr,
    exp.Date, exp.LastDay, exp.Cast, exp.TryCast, exp.TimestampTrunc, exp.DateTrunc,
)  # fmt: skip
_WALL_FUNCTIONS = {"format_datetime", "day_of_week", "day_of_year", "year_of_week", "dow", "doy", "yow"}
_SET_BY_FUNCTION = {"at_timezone", "with_timezone"}


def mark(statement: exp.Expression) -> dict[str, str]:
    """Note at each node of a query the zone of its moment; return the zones of its result columns by name.

    Raises:
        SqlError: A zone is not written in the query, but computed.
    """
    outputs: dict[int, dict[str, str]] = {}
    found: dict[str, str] = {}
    for scope in traverse_scope(statement):
        for column in scope.columns:
            zone = _zone_of_column(scope, column, outputs)
            if zone:
                column.meta[_ZONE] = zone
        for node in reversed(list(scope.expression.walk())):
            zone = _zone(node)
            if zone:
                node.meta[_ZONE] = zone
        found = _outputs(scope, outputs)
        outputs[id(scope.expression)] = found
    return found


def _sources(scope: Scope, table: str) -> list[Any]:
    return [each for name, each in scope.sources.items() if not table or name.lower() == table.lower()]


def _zone_of_column(scope: Scope, column: exp.Column, outputs: dict[int, dict[str, str]]) -> str | None:
    for source in _sources(scope, column.table):
        if isinstance(source, Scope):
            zone = outputs.get(id(source.expression), {}).get(column.name.lower())
            if zone:
                return zone
    return None


def _outputs(scope: Scope, outputs: dict[int, dict[str, str]]) -> dict[str, str]:
    query = scope.expression
    while isinstance(query, exp.SetOperation | exp.Subquery):
        query = query.this
    found: dict[str, str] = {}
    if not isinstance(query, exp.Select):
        return found
    for position, selected in enumerate(query.selects):
        if isinstance(selected, exp.Star) or (isinstance(selected, exp.Column) and selected.name == "*"):
            for source in _sources(scope, getattr(selected, "table", "")):
                if isinstance(source, Scope):
                    found |= outputs.get(id(source.expression), {})
        elif zone := selected.meta.get(_ZONE):
            found[(selected.alias_or_name or f"_col{position}").lower()] = zone
    return found


def _zone(node: exp.Expression) -> str | None:
    if isinstance(node, exp.AtTimeZone):
        return _literal(node.args["zone"])
    if isinstance(node, exp.UnixToTime) and node.args.get("zone"):
        return _literal(node.args["zone"])
    if isinstance(node, exp.Anonymous) and node.name.lower() in _SET_BY_FUNCTION:
        return _literal(node.expressions[1])
    if isinstance(node, exp.Cast) and node.to.is_type("timestamptz"):
        return _of_literal(node) or node.this.meta.get(_ZONE)
    if isinstance(node, exp.If):
        return _first(node.args.get("true"), node.args.get("false"))
    if isinstance(node, exp.Case):
        return _first(*(each.args.get("true") for each in node.args.get("ifs", [])))
    if isinstance(node, _KEEPING):
        return _first(node.this)
    found: str | None = node.meta.get(_ZONE)
    return found


def _first(*nodes: Any) -> str | None:
    found = (node.meta.get(_ZONE) for node in nodes if isinstance(node, exp.Expression))
    return next(filter(None, found), None)


def _of_literal(node: exp.Cast) -> str | None:
    """Return the zone that a literal ends with."""
    text = node.this.name if isinstance(node.this, exp.Literal) else ""
    match = re.search(r"\d ?(?P<zone>[+-]\d\d:\d\d|[A-Za-z][\w/+-]*)$", text)
    return None if match is None or match["zone"] in ("UTC", "Z", "z") else match["zone"]


def _literal(node: exp.Expression) -> str:
    if not (isinstance(node, exp.Literal) and node.is_string):
        raise SqlError(
            "NOT_SUPPORTED: the local engine takes time zones that the query names, none that it computes"
        )
    return str(node.this)


def _named(zone: str) -> exp.Expression:
    """Return a zone as DuckDB writes it: an offset needs the GMT before it."""
    return exp.Literal.string(f"GMT{zone}" if zone[:1] in "+-" else zone)


def _on_the_wall(moment: exp.Expression, zone: str) -> exp.Expression:
    return call("timezone", _named(zone), moment)


def on_the_wall(column: str, zone: str) -> str:
    """Return DuckDB's SQL for the wall's time in a zone at the moment of a column."""
    return str(_on_the_wall(exp.column(column), zone).sql(dialect="duckdb"))


def _moment(node: exp.Expression) -> exp.Expression:
    """Return a moment; a time without zone is taken for UTC's, as in a session of Athena."""
    return exp.Cast(this=node.copy(), to=exp.DataType.build("timestamptz"))


def rewritten(node: exp.Expression) -> exp.Expression | None:
    """Return what stands for a node that is about zones, None for others; its arguments are rewritten."""
    if isinstance(node, exp.AtTimeZone):
        return _checked(_moment(node.this), node.meta[_ZONE])
    if isinstance(node, exp.Anonymous) and node.name.lower() in _SET_BY_FUNCTION:
        if node.name.lower() == "with_timezone":
            wall = exp.Cast(this=node.expressions[0].copy(), to=exp.DataType.build("timestamp"))
            return call("timezone", _named(node.meta[_ZONE]), wall)
        return _checked(_moment(node.expressions[0]), node.meta[_ZONE])
    if isinstance(node, exp.UnixToTime) and node.args.get("zone"):
        return _checked(exp.UnixToTime(this=node.this.copy()), node.meta[_ZONE])
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal) and node.meta.get(_ZONE):
        return _moment_of_literal(node)
    return _rewritten_of_wall(node)


def _checked(moment: exp.Expression, zone: str) -> exp.Expression:
    """Return the moment; the other branch, never taken, has DuckDB look the zone up."""
    lookup = exp.Is(this=_on_the_wall(moment, zone), expression=exp.Null())
    return exp.Case().when(lookup, exp.Null()).else_(moment.copy())


def _moment_of_literal(node: exp.Cast) -> exp.Expression | None:
    zone = node.meta[_ZONE]
    wall = node.this.name.removesuffix(zone).rstrip()
    stamp = exp.Cast(this=exp.Literal.string(wall), to=exp.DataType.build("timestamp"))
    return call("timezone", _named(zone), stamp) if node.to.is_type("timestamptz") else None


def _rewritten_of_wall(node: exp.Expression) -> exp.Expression | None:
    if isinstance(node, exp.Anonymous) and node.name.lower() in _WALL_FUNCTIONS:
        zone = node.expressions[0].meta.get(_ZONE)
        if zone:
            node.set("expressions", [_on_the_wall(node.expressions[0], zone), *node.expressions[1:]])
        return None
    field = "expression" if isinstance(node, exp.Extract) else "this"
    moment = node.args.get(field)
    zone = moment.meta.get(_ZONE) if isinstance(moment, exp.Expression) else None
    if not zone or not isinstance(node, (*_WALL, exp.Extract)):
        return None
    if isinstance(node, exp.Cast) and node.to.is_type("timestamptz"):
        return None
    wall = _on_the_wall(moment, zone)
    if isinstance(node, exp.Cast) and node.to.is_type(*exp.DataType.TEXT_TYPES):
        written = call("strftime", wall, exp.Literal.string(f"%Y-%m-%d %H:%M:%S.%g {zone}"))
        return exp.Cast(this=written, to=node.to.copy())
    node.set(field, wall)
    if isinstance(node, exp.TimestampTrunc | exp.DateTrunc):
        truncated = call("trino_date_trunc", exp.Literal.string(node.args["unit"].name.lower()), wall)
        return call("timezone", _named(zone), truncated)
    return None
