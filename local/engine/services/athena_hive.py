"""Quotes in statements of Hive, which Athena's DDL is: double ones are for text, names stand in backticks.

In queries, which are Trino's, double ones are for names, and backticks are refused.
"""

from __future__ import annotations

import re

__all__ = ["first_in_backticks", "in_single_quotes", "makes_of_query", "refusal"]

# Statements that Hive's parser reads, to which double quotes are text; views are Trino's.
_HIVE = re.compile(
    r"\s*(?:(?:create|drop)\s+(?:external\s+table|table|database|schema)|alter|msck|describe|desc|show(?!\s+create\s+view))\b",
    re.IGNORECASE,
)
_AS_QUERY = re.compile(r"\bas\s*(?:\(\s*)*(?:select|with|values|table)\b", re.IGNORECASE)


_BEFORE_TEXT = {"location", "comment", "serde", "inputformat", "outputformat", "by", "as", "like"}
_PROPERTIES = {"tblproperties", "serdeproperties", "dbproperties"}
# Hive's lexer: within quotes a backslash escapes what follows.
_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)|(?P<single>'(?:[^'\\]|\\.|'')*')|(?P<double>"(?:[^"\\]|\\.)*")"""
    r"""|(?P<back>`[^`]*`)|(?P<name>\w+)|(?P<mark>\S)""",
    re.DOTALL,
)


def _tokens(query: str) -> list[tuple[re.Match[str], bool]]:
    """Return a statement's tokens, and whether one in double quotes would have to be text there."""
    found: list[tuple[re.Match[str], bool]] = []
    depth = 0  # within a list of properties
    before = ""
    for token in _TOKEN.finditer(query):
        if token["comment"]:
            continue
        if token["mark"] and (depth or before in _PROPERTIES):
            depth += (token[0] == "(") - (token[0] == ")")
        found.append((token, bool(depth) or before == "=" or before in _BEFORE_TEXT))
        before = token[0].lower()
    return found


def refusal(query: str) -> str:
    """Say as Hive's parser that a statement of its has a name in double quotes; empty if it has none."""
    if not _is_hives(query):
        return ""
    tokens = _tokens(query)
    for place, (token, is_text) in enumerate(tokens):
        if token["double"] and not is_text:
            near = " ".join(f"'{each[0]}'" for each, _ in tokens[place : place + 3])
            line = query.count("\n", 0, token.start()) + 1
            column = token.start() - query.rfind("\n", 0, token.start()) - 1
            return f"line {line}:{column} cannot recognize input near {near}"
    return ""


def in_single_quotes(query: str) -> str:
    """Return a statement of Hive's with its text in single quotes, as the emulator reads it."""
    if not _is_hives(query):
        return query
    for token, _is_text in reversed(_tokens(query)):
        if token["double"] or token["single"]:
            text = re.sub(r"\\'|''|'", "''", token[0][1:-1])
            query = f"{query[: token.start()]}'{text}'{query[token.end() :]}"
    return query


def _is_hives(query: str) -> bool:
    return bool(_HIVE.match(query)) and not makes_of_query(query)


def makes_of_query(query: str) -> bool:
    """Tell whether a statement makes its object of a query, which is Trino's."""
    return bool(_AS_QUERY.search(query))


def first_in_backticks(query: str) -> str:
    """Return the line and column, from 1, of a query's first name in backticks; empty if there is none."""
    without_names = re.sub(r'"[^"]*"', lambda name: " " * len(name[0]), query)
    for token, _ in _tokens(without_names):
        if token["back"]:
            start = token.start()
            return f"line {query.count(chr(10), 0, start) + 1}:{start - query.rfind(chr(10), 0, start)}"
    return ""
