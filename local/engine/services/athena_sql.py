"""Athena's SQL (Trino) in DuckDB's dialect, and DuckDB's values in Athena's text.

sqlglot translates; what is here is what it leaves: functions that only Trino has, and those whose answer for
an odd argument (no match, malformed JSON, index beyond the end) is NULL in Trino but not in DuckDB.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

__all__ = [
    "MACROS",
    "SqlError",
    "athena_type",
    "bind",
    "parse",
    "tables_of",
    "text",
    "to_duckdb",
]


class SqlError(ValueError):
    """A statement that Athena would refuse; the message is its state change reason."""


# Trino functions that DuckDB lacks and that need no knowledge of types.
MACROS = (
    # Of a key that comes twice, one value is kept.
    "CREATE MACRO map_agg(k, v) AS map(list_sort(list_distinct(list(k))), "
    "list_transform(list_sort(list_distinct(list(k))), lambda each: list(v)[list_position(list(k), each)]))",
    "CREATE MACRO codepoint(s) AS unicode(s)",
    "CREATE MACRO nan() AS 'nan'::DOUBLE",
    "CREATE MACRO infinity() AS 'infinity'::DOUBLE",
    "CREATE MACRO normalize(s) AS nfc_normalize(s)",
    "CREATE MACRO url_extract_host(u) AS nullif(regexp_extract(u, '^[^:/]+://([^/:?#]*)', 1), '')",
    "CREATE MACRO url_extract_path(u) AS regexp_extract(u, '^(?:[^:/]+://[^/?#]*)?([^?#]*)', 1)",
    r"CREATE MACRO url_extract_query(u) AS nullif(regexp_extract(u, '\?([^#]*)', 1), '')",
    "CREATE MACRO url_extract_parameter(u, p) AS "
    "nullif(url_decode(regexp_extract(u, '[?&]' || regexp_escape(p) || '=([^&#]*)', 1)), '')",
)

# Joda's letters, which format_datetime and parse_datetime take, as strftime's.
_JODA = {
    "yyyy": "%Y", "y": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m",
    "dd": "%d", "d": "%-d", "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M",
    "ss": "%S", "s": "%-S", "SSS": "%g", "a": "%p", "EEEE": "%A", "EEE": "%a", "E": "%a", "D": "%-j",
    "DDD": "%j", "Z": "%z", "ZZ": "%z",
}  # fmt: skip


def parse(sql: str) -> exp.Expression:
    """Parse one statement.

    Raises:
        SqlError: It is not one statement of Athena's SQL.
    """
    try:
        statements = [statement for statement in sqlglot.parse(sql, read="athena") if statement is not None]
    except sqlglot.errors.SqlglotError as error:
        raise SqlError(f"SYNTAX_ERROR: {_plain(str(error))}") from error
    if len(statements) != 1:
        raise SqlError("SYNTAX_ERROR: Only one sql statement is allowed")
    statement: exp.Expression = statements[0]
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


def to_duckdb(statement: exp.Expression, dates: set[str], *, name_columns: bool = False) -> str:
    """Translate a query.

    Args:
        statement: What ``parse`` returned; it is changed.
        dates: Names of columns of type date: an interval added to a date is a date in Trino.
        name_columns: Name unnamed results ``_col0`` and so on, as Athena does.
    """
    if name_columns:
        _name_columns(statement)
    for node in reversed(
        list(statement.walk())
    ):  # from the leaves up: an argument may need its own rewriting
        translated = _translated(node, dates)
        if translated is not node:
            node.replace(translated)
    return str(statement.sql(dialect="duckdb", identify=True))


def _name_columns(statement: exp.Expression) -> None:
    query = statement
    while isinstance(query, exp.SetOperation | exp.Subquery):
        query = query.this
    if not isinstance(query, exp.Select):
        return
    for position, selected in enumerate(list(query.selects)):
        if not selected.alias_or_name or not isinstance(
            selected, exp.Alias | exp.Column | exp.Star | exp.Dot
        ):
            selected.replace(exp.alias_(selected.copy(), f"_col{position}"))


def _translated(node: exp.Expression, dates: set[str]) -> exp.Expression:
    rewrite = _REWRITES.get(type(node))
    if rewrite is not None:
        return rewrite(node)
    if isinstance(node, exp.Anonymous):
        rewrite = _FUNCTIONS.get(str(node.name).lower())
        return rewrite(node) if rewrite else node
    if isinstance(node, exp.DateAdd | exp.DateSub | exp.Add | exp.Sub) and _is_date(node, dates):
        return exp.Cast(this=exp.Paren(this=node.copy()), to=exp.DataType.build("date"))
    return node


def _is_date(node: exp.Expression, dates: set[str]) -> bool:
    if isinstance(node, exp.Cast):
        return bool(node.to.is_type("date"))
    if isinstance(node, exp.CurrentDate | exp.Date | exp.TsOrDsToDate):
        return True
    if isinstance(node, exp.Column):
        return node.name.lower() in dates
    if isinstance(node, exp.Add | exp.Sub):
        return isinstance(node.expression, exp.Interval) and _is_date(node.this, dates)
    if isinstance(node, exp.DateAdd | exp.DateSub | exp.Paren | exp.Max | exp.Min | exp.Coalesce):
        return _is_date(node.this, dates)
    return False


def _case(condition: exp.Expression, value: exp.Expression) -> exp.Expression:
    return exp.Case().when(condition, value)


def _call(name: str, *arguments: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def _regexp_extract(node: exp.Expression) -> exp.Expression:
    """No match is NULL, not the empty string."""
    matches = _call("regexp_matches", node.this, node.expression)
    return _case(
        matches, _call("regexp_extract", node.this, node.expression, *filter(None, [node.args.get("group")]))
    )


def _regexp_replace(node: exp.Expression) -> exp.Expression:
    """Groups are written $1, not \\1; every match is replaced."""
    replacement = node.args.get("replacement") or exp.Literal.string("")
    if isinstance(replacement, exp.Literal):
        replacement = exp.Literal.string(re.sub(r"\$(\d)", r"\\\1", replacement.this))
    return _call("regexp_replace", node.this, node.expression, replacement, exp.Literal.string("g"))


def _json_scalar(node: exp.Expression) -> exp.Expression:
    """Malformed JSON has no values."""
    return _case(_call("json_valid", node.this), node.copy())


def _split_part(node: exp.Expression) -> exp.Expression:
    """Beyond the last field is NULL, not the empty string."""
    fields = _call("string_split", node.this, node.args["delimiter"])
    return _call("list_extract", fields, node.args["part_index"])


def _format_datetime(node: exp.Expression) -> exp.Expression:
    moment, pattern = node.expressions
    return _call("strftime", moment, exp.Literal.string(_strftime(pattern.name)))


def _parse_datetime(node: exp.Expression) -> exp.Expression:
    pattern = node.args.get("format")
    return _call("strptime", node.this, exp.Literal.string(_strftime(pattern.name if pattern else "")))


def _strftime(joda: str) -> str:
    def one(match: re.Match[str]) -> str:
        if match["quoted"] is not None:
            return match["quoted"].replace("''", "'") or "'"
        letters = match[0]
        if letters not in _JODA:
            raise SqlError(f"INVALID_FUNCTION_ARGUMENT: date format {letters!r} is not supported")
        return _JODA[letters]

    return re.sub(r"'(?P<quoted>[^']*)'|(?P<letter>[A-Za-z])(?P=letter)*", one, joda)


type _Rewrite = Callable[[Any], exp.Expression]

_REWRITES: dict[type[exp.Expression], _Rewrite] = {
    exp.RegexpExtract: _regexp_extract,
    exp.RegexpReplace: _regexp_replace,
    exp.JSONExtractScalar: _json_scalar,
    exp.SplitPart: _split_part,
    exp.ParseDatetime: _parse_datetime,
}
_FUNCTIONS: dict[str, _Rewrite] = {
    "format_datetime": _format_datetime,
    "every": lambda node: exp.LogicalAnd(this=node.expressions[0].copy()),
}


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


def text(value: Any, athena: str) -> str | None:
    """Return a value as Athena writes it into results."""
    if value is None:
        return None
    rendered = _text(value)
    return f"{rendered} UTC" if athena == "timestamp with time zone" else rendered


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
