"""What Athena calls errors: by name, and by line and column where it knows the place."""

from __future__ import annotations

import re

__all__ = ["SqlError", "named", "position"]


class SqlError(ValueError):
    """A statement that Athena would refuse; the message is its state change reason."""


# DuckDB's messages, and what Athena's engine says instead; {at} is where the first group is in the query.
_UNRESOLVED = (
    "COLUMN_NOT_FOUND: {at}Column '{0}' cannot be resolved or requester is not authorized to access "
    "requested resources"
)
_MESSAGES = (
    (r'Referenced column "(?P<name>[^"]+)"', _UNRESOLVED),
    (r'Referenced table "(?P<name>[^"]+)"', _UNRESOLVED),
    (r'does not have a column named "(?P<name>[^"]+)"', _UNRESOLVED),
    (r'Could not find key "(?P<name>[^"]+)" in struct', _UNRESOLVED),
    (
        r'Ambiguous reference to column name "(?P<name>[^"]+)"',
        "AMBIGUOUS_NAME: {at}Column '{0}' is ambiguous",
    ),
    (
        r"Function with name \"?(?P<name>\w+)\"? does not exist",
        "FUNCTION_NOT_FOUND: {at}Function '{0}' not registered",
    ),
    (
        r"name and argument types '(?:trino_)?(?P<name>\w+)\((?P<types>.*?)\)'\. You might",
        "FUNCTION_NOT_FOUND: {at}Unexpected parameters ({1}) for function {0}",
    ),
    (
        r"Macro \"?(?:trino_)?(?P<name>\w+)\"?\(\) does not support the supplied arguments",
        "FUNCTION_NOT_FOUND: {at}Unexpected parameters for function {0}",
    ),
    (
        r'function call "(?P<name>\w+)\((?P<types>.*?)\)"',
        "FUNCTION_NOT_FOUND: {at}Unexpected parameters ({1}) for function {0}",
    ),
    (
        r'function call "(?P<name>\W+)\((?P<types>.*?)\)"',
        "TYPE_MISMATCH: {at}Cannot apply operator: {0} ({1})",
    ),
    (r"Cannot compare values of type (?P<name>.+?) and", "TYPE_MISMATCH: {at}Cannot apply operator"),
    (
        r'column "(?P<name>[^"]+)" must appear in the GROUP BY',
        "EXPRESSION_NOT_AGGREGATE: {at}'{0}' must be an aggregate expression or appear in GROUP BY clause",
    ),
    (
        r"WHERE clause cannot contain aggregates",
        "EXPRESSION_NOT_SCALAR: WHERE clause cannot contain aggregations, window functions or grouping "
        "operations",
    ),
    (
        r"Could not convert string '(?P<name>.*?)' to (?P<types>\w+)",
        "INVALID_CAST_ARGUMENT: Cannot cast '{0}' to {1}",
    ),
    (
        r'(?:invalid|out of range)?.*(?P<types>date|timestamp) field.*?: "(?P<name>.*?)"',
        "INVALID_CAST_ARGUMENT: Value cannot be cast to {1}: {0}",
    ),
    (
        r"Type (?P<types>\w+) with value (?P<name>\S+) can't be cast because the value is out of range .* "
        r"(?P<to>\w+)$",
        "NUMERIC_VALUE_OUT_OF_RANGE: Out of range for {2}: {0}",
    ),
    (r"Overflow in (?P<name>\w+) of (?P<types>\w+)", "NUMERIC_VALUE_OUT_OF_RANGE: {1} {0} overflow"),
    (r"Division by zero", "DIVISION_BY_ZERO: Division by zero"),
    (
        r"More than one row returned by a subquery",
        "SUBQUERY_MULTIPLE_ROWS: Scalar sub-query has returned multiple rows",
    ),
    (r"Unknown TimeZone '(?P<name>[^']+)'", "INVALID_FUNCTION_ARGUMENT: '{0}' is not a valid time-zone ID"),
    (
        r"failed to allocate",
        "EXCEEDED_LOCAL_MEMORY_LIMIT: Query exceeded the memory that the local engine gives it",
    ),
    (r"Malformed JSON", "HIVE_CURSOR_ERROR: Row is not a valid JSON Object"),
    (
        r"(?:same number of result columns|different number of columns)",
        "TYPE_MISMATCH: query has different number of fields",
    ),
    (
        r'[Cc]ould not parse string "(?P<name>[^"]*)" according to format specifier "(?P<types>[^"]*)"',
        'INVALID_FUNCTION_ARGUMENT: Invalid format: "{0}"',
    ),
    (r"(?P<name>(?:missing|unexpected|invalid|no argument).*: .*)", "INVALID_FUNCTION_ARGUMENT: {0}"),
)
_TYPES = {
    "INTEGER_LITERAL": "integer", "STRING_LITERAL": "varchar", "BLOB": "varbinary", "INTEGER": "integer",
    "BIGINT": "bigint", "VARCHAR": "varchar", "DOUBLE": "double", "DATE": "date", "TIMESTAMP": "timestamp(3)",
    "INT32": "INT", "INT64": "BIGINT", "INT16": "SMALLINT", "INT8": "TINYINT", "FLOAT": "real",
}  # fmt: skip
_KINDS = r"^(?:Binder|Catalog|Conversion|Invalid Input|Out of Range|Not implemented|Parser|Invalid) Error: "


def named(message: str, query: str) -> str:
    """Return a message of DuckDB's as Athena's engine would put it.

    Args:
        message: What DuckDB says.
        query: The statement as it came, for line and column.
    """
    plain = re.sub(_KINDS, "", message.partition("\n")[0])
    if re.match(r"[A-Z]+(?:_[A-Z]+)+: ", plain):
        return plain  # of a macro
    for pattern, wording in _MESSAGES:
        match = re.search(pattern, plain)
        if match is None:
            continue
        if wording is _UNRESOLVED:
            column = _column(query, match["name"], whole="Referenced table" in plain)
            return wording.format(column, at=position(query, column))
        groups = [_typed(name, match[name]) for name in ("name", "types", "to") if name in match.groupdict()]
        return wording.format(*groups, at=position(query, match.groupdict().get("name") or ""))
    return f"NOT_SUPPORTED: the local engine cannot run this: {plain}"


def _column(query: str, name: str, *, whole: bool) -> str:
    """Return a name with what qualifies it in a query; ``whole`` with what follows it, too."""
    link = r'(?:\w+|"[^"]+")'
    after = rf"(?:\.{link})*" if whole else ""
    found = re.search(rf'(?<![\w."])(?:{link}\.)*"?{re.escape(name)}"?(?!\w){after}', query, re.IGNORECASE)
    return found[0].replace('"', "") if found else name


def _typed(group: str, text: str) -> str:
    if group == "name":
        return text
    return re.sub(r"\w+", lambda word: _TYPES.get(word[0], word[0]), text)


def position(query: str, name: str) -> str:
    """Return where a name first is in a query, as Athena writes it before a message; empty if it is not."""
    match = (
        re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)|{re.escape(name)}", query, re.IGNORECASE)
        if name
        else None
    )
    if match is None:
        return ""
    before = query[: match.start()]
    return f"line {before.count(chr(10)) + 1}:{match.start() - before.rfind(chr(10))}: "
