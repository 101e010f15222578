"""Athena's SQL (Trino) in DuckDB's dialect, and DuckDB's values in Athena's text.

sqlglot translates; what it leaves is in ``athena_functions`` and ``athena_zones``. What it cannot translate
is refused: an argument that it would drop changes the answer.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.expressions.builders import apply_index_offset
from sqlglot.optimizer.scope import traverse_scope
from sqlglot.parsers.athena import AthenaTrinoParser

from local.engine.services import athena_functions, athena_zones
from local.engine.services.athena_errors import SqlError

__all__ = [
    "athena_type",
    "bind",
    "named_columns",
    "parse",
    "tables_of",
    "text",
    "to_duckdb",
]


def _decimal(_parser: Any, literal: exp.Expression, _type: exp.DataType) -> exp.Expression:
    """Return a literal's value: it has the digits and the scale that are written."""
    _whole, _point, after = literal.name.partition(".")
    digits = sum(character.isdigit() for character in literal.name)
    kind = exp.DataType.build(f"decimal({min(max(digits, 1), 38)}, {len(after)})")
    return exp.Cast(this=literal, to=kind)


# Else a literal looks like a cast to DECIMAL, which has no decimals.
AthenaTrinoParser.TYPE_LITERAL_PARSERS = {
    **AthenaTrinoParser.TYPE_LITERAL_PARSERS,
    exp.DType.DECIMAL: _decimal,
}


def parse(sql: str) -> exp.Expression:
    """Parse one statement.

    Raises:
        SqlError: It is not one statement of Athena's SQL.
    """
    try:
        statements = [statement for statement in sqlglot.parse(sql, read="athena") if statement is not None]
    except sqlglot.errors.ParseError as error:
        raise SqlError(f"SYNTAX_ERROR: {_place(error)}") from error
    except sqlglot.errors.SqlglotError as error:
        raise SqlError(f"SYNTAX_ERROR: {_plain(str(error))}") from error
    if len(statements) != 1:
        raise SqlError("SYNTAX_ERROR: Only one sql statement is allowed")
    statement: exp.Expression = statements[0]
    for bracket in statement.find_all(exp.Bracket):
        if not bracket.args.get("offset"):  # sqlglot counts from 0 where it knows a number
            keys = apply_index_offset(bracket.this, bracket.expressions, 1, dialect="athena")
            bracket.set("expressions", keys)
            bracket.set("offset", 1)
    return statement


def bind(statement: exp.Expression, parameters: list[str]) -> exp.Expression:
    """Put execution parameters, which are SQL literals, into the places of the question marks.

    Raises:
        SqlError: There are more or fewer parameters than places.
    """
    places = [node for node in statement.walk(bfs=False) if isinstance(node, exp.Placeholder)]
    if len(places) != len(parameters):
        raise SqlError(f"Incorrect number of parameters: expected {len(places)} but found {len(parameters)}")
    for place, parameter in zip(places, parameters, strict=True):
        place.replace(parse(f"SELECT {parameter}").selects[0].copy())
    return statement


def tables_of(statement: exp.Expression) -> Iterator[exp.Table]:
    """Yield the nodes that name a table or view of the catalog, no common table expressions."""
    for scope in traverse_scope(statement):
        for source in scope.sources.values():
            if isinstance(source, exp.Table) and source.name:
                yield source


def named_columns(statement: exp.Expression) -> exp.Expression:
    """Name unnamed results ``_col0`` and so on, as Athena does, of subqueries and of VALUES, too."""
    for values in list(statement.find_all(exp.Values)):
        alias = values.args.get("alias") or exp.TableAlias(this=exp.to_identifier("_values"))
        if not alias.columns:
            width = len(values.expressions[0].expressions)
            alias.set("columns", [exp.to_identifier(f"_col{position}") for position in range(width)])
        values.set("alias", alias)
        if isinstance(values.parent, exp.In | exp.Subquery | exp.SetOperation | exp.CTE):
            values.replace(exp.select("*").from_(values.copy()))
    if isinstance(statement, exp.Values):
        statement = exp.select("*").from_(statement)
    for query in list(statement.find_all(exp.Select)):
        for position, selected in enumerate(list(query.selects)):
            if not selected.alias_or_name or not isinstance(
                selected, exp.Alias | exp.Column | exp.Star | exp.Dot
            ):
                selected.replace(exp.alias_(selected.copy(), f"_col{position}"))
    return statement


def to_duckdb(statement: exp.Expression) -> str:
    """Translate a query that ``named_columns`` and ``athena_zones.mark`` have been over; it is changed.

    Raises:
        SqlError: It has something that DuckDB lacks.
    """
    for node in reversed(
        list(statement.walk())
    ):  # from the leaves up: an argument may need its own rewriting
        translated = athena_zones.rewritten(node) or athena_functions.rewritten(node)
        if translated is not node:
            translated.meta.update(node.meta)
            node.replace(translated)
    for node in statement.find_all(exp.Try, exp.TryCast):
        athena_functions.forgive(node)
    try:
        strict = sqlglot.ErrorLevel.RAISE
        return str(statement.sql(dialect="duckdb", identify=True, unsupported_level=strict))
    except sqlglot.errors.UnsupportedError as error:
        raise SqlError(f"NOT_SUPPORTED: {error}") from error


def _place(error: sqlglot.errors.ParseError) -> str:
    """Say where a statement is malformed, as Athena's parser does."""
    found = error.errors[0] if error.errors else {}
    token, line, column = found.get("highlight"), found.get("line"), found.get("col")
    if line is None or column is None:
        return _plain(str(error))
    start = max(1, int(column) - len(token or "") + 1)
    return f"line {line}:{start}: mismatched input '{token or '<EOF>'}'"


def _plain(message: str) -> str:
    """Drop the marks with which sqlglot underlines the place of an error."""
    return re.sub(r"\x1b\[\d+m", "", message).strip()


_ATHENA_TYPES = {
    "HUGEINT": "bigint",
    "UBIGINT": "bigint",
    "INT": "integer",
    "REAL": "float",
    "BLOB": "varbinary",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "JSON": "json",
    "UUID": "varchar",
    "INTERVAL": "interval day to second",
    '"NULL"': "unknown",
}


def athena_type(duckdb_type: str) -> str:
    """Return the name that Athena gives a result column of a DuckDB type."""
    upper = duckdb_type.upper()
    if upper.endswith("]"):
        return "array"
    base = upper.partition("(")[0]
    if base in ("STRUCT", "MAP"):
        return {"STRUCT": "row", "MAP": "map"}[base]
    if base in ("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"):
        return "timestamp"
    return _ATHENA_TYPES.get(base, base.lower())


def text(value: Any, athena: str, zone: str = "UTC") -> str | None:
    """Return a value as Athena writes it into results; a moment with the zone that it is given in."""
    if value is None:
        return None
    rendered = _text(value)
    return f"{rendered} {zone}" if athena == "timestamp with time zone" else rendered


def _text(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return _double(value)
        case Decimal():
            return f"{value:f}"
        case dt.datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03d}"
        case dt.timedelta():
            sign, span = ("-", -value) if value < dt.timedelta(0) else ("", value)
            clock = str(dt.datetime(1970, 1, 1) + span)[11:19]  # noqa: DTZ001 - a span has no zone
            return f"{sign}{span.days} {clock}.{span.microseconds // 1000:03d}"
        case bytes():
            return value.hex(" ")
        case list() | tuple():
            return "[" + ", ".join(map(_text, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{_text(key)}={_text(each)}" for key, each in value.items()) + "}"
        case _:
            return str(value)


def _double(value: float) -> str:
    """Write a double as Java does: plain from 0.001 to 10,000,000, else with an exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        plain = f"{Decimal(repr(value)):f}"
        return plain if "." in plain else f"{plain}.0"
    digits, _, exponent = f"{Decimal(repr(value)).normalize():E}".partition("E")
    return f"{digits if '.' in digits else digits + '.0'}E{int(exponent)}"
