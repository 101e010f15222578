"""SerDes that DuckDB does not read: rows of an object by the rules of Hive's and AWS's own readers.

A row is a value for each of the table's columns: None, text for a scalar, lists and dictionaries for nested
types, ready to be written as JSON. What is malformed is NULL or an error, as with the SerDe itself.
"""

from __future__ import annotations

import bz2
import gzip
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from local.engine.services import athena_avro
from local.engine.services.athena_errors import SqlError
from local.engine.services.athena_grok import compiled as compiled_grok
from local.engine.services.athena_types import HiveType

__all__ = ["ROWS", "decompressed"]

type Columns = list[tuple[str, HiveType]]
type Parameters = dict[str, str]
type Row = list[Any]
type Rows = Callable[[bytes, Columns, Parameters], Iterator[Row]]


def decompressed(key: str, content: bytes) -> bytes:
    """Return an object's content; its name says how it is compressed, as with Hadoop.

    Raises:
        SqlError: By what is not here.
    """
    suffix = key.rpartition(".")[2].lower()
    try:
        if suffix == "gz":
            return gzip.decompress(content)
        if suffix == "bz2":
            return bz2.decompress(content)
    except (OSError, EOFError) as error:
        raise SqlError(f"HIVE_CURSOR_ERROR: {key}: {error}") from error
    if suffix in ("zst", "snappy", "lz4", "lzo", "deflate"):
        raise SqlError(f"NOT_SUPPORTED: the local engine does not read objects compressed by {suffix}")
    return content


def _lines(content: bytes, parameters: Parameters) -> list[str]:
    lines = content.decode("utf-8", errors="replace").split("\n")
    if lines[-1] == "":
        lines.pop()
    header, footer = (int(parameters.get(f"skip.{end}.line.count", "0") or 0) for end in ("header", "footer"))
    return [line.removesuffix("\r") for line in lines[header : len(lines) - footer]]


# ---------------------------------------------------------------------- by patterns


# Java's classes of characters that Python writes otherwise.
_CLASSES = {
    "Alpha": "a-zA-Z", "Digit": "0-9", "Alnum": "a-zA-Z0-9", "Upper": "A-Z", "Lower": "a-z",
    "XDigit": "0-9a-fA-F", "Space": r"\s", "Blank": r" \t", "Punct": r"!-/:-@\[-`{-~", "L": r"^\W\d_",
    "N": r"\d", "Lu": "A-Z", "Ll": "a-z", "IsAlphabetic": r"^\W\d_", "IsDigit": r"\d",
}  # fmt: skip


def java_pattern(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Compile a regular expression of Java's.

    Raises:
        SqlError: It is malformed, or has what Python lacks.
    """
    written = pattern.replace("(?<", "(?P<").replace("(?P<=", "(?<=").replace("(?P<!", "(?<!")
    written = re.sub(r"\\[zZ]", r"\\Z", written)
    try:
        written = re.sub(r"\\p\{(\w+)\}", lambda match: f"[{_CLASSES[match[1]]}]", written)
        return re.compile(written, re.DOTALL | re.ASCII | flags)
    except (re.error, KeyError) as error:
        raise SqlError(f"HIVE_INVALID_METADATA: regular expression {pattern!r}: {error}") from error


def _regex(content: bytes, columns: Columns, parameters: Parameters) -> Iterator[Row]:
    """RegexSerDe: a line that does not match as a whole is a row of NULLs."""
    if "input.regex" not in parameters:
        raise SqlError('HIVE_INVALID_METADATA: This table does not have serde property "input.regex"!')
    insensitive = parameters.get("input.regex.case.insensitive", "").lower() == "true"
    pattern = java_pattern(parameters["input.regex"], re.IGNORECASE if insensitive else 0)
    nothing: Row = [None] * len(columns)
    for line in _lines(content, parameters):
        match = pattern.fullmatch(line)
        yield [*match.groups(), *nothing][: len(columns)] if match else nothing


def _grok(content: bytes, columns: Columns, parameters: Parameters) -> Iterator[Row]:
    """GrokSerDe: columns in the order of the pattern's named fields."""
    if "input.format" not in parameters:
        raise SqlError('HIVE_INVALID_METADATA: This table does not have serde property "input.format"!')
    grok = compiled_grok(parameters["input.format"], parameters.get("input.grokCustomPatterns", ""))
    nothing: Row = [None] * len(columns)
    for line in _lines(content, parameters):
        match = grok.pattern.search(line)
        found = [match[group] for group in grok.groups] if match else []
        yield [*found, *nothing][: len(columns)]


# ---------------------------------------------------------------------- delimited


def _csv(content: bytes, columns: Columns, parameters: Parameters) -> Iterator[Row]:
    """OpenCSVSerde: a record a line; numbers have to be numbers, dates are days and times milliseconds."""
    separator = parameters.get("separatorChar", ",")[:1]
    quote, escape = parameters.get("quoteChar", '"')[:1], parameters.get("escapeChar", "\\")[:1]
    for line in _lines(content, parameters):
        fields = _csv_fields(line, separator, quote, escape) if line else []
        row = [*fields, *[None] * len(columns)][: len(columns)]
        yield [
            _csv_value(value, kind, place)
            for place, (value, (_, kind)) in enumerate(zip(row, columns, strict=True))
        ]


def _csv_fields(line: str, separator: str, quote: str, escape: str) -> list[str | None]:
    fields: list[str | None] = []
    field, quoted, inside, position = "", False, False, 0
    while position < len(line):
        character, following = line[position], line[position + 1 : position + 2]
        special = following == quote or (character == escape and following == escape)
        if character in (escape, quote) and special and following and (quoted or inside):
            field += following
            position += 1
        elif character == quote:
            before = line[position - 1 : position]
            if position > 2 and before != separator and following not in ("", separator):
                field = "" if field.isspace() else field + character  # within a field that began without
            quoted, inside = not quoted, not inside
        elif character == separator and not quoted:
            fields.append(field)
            field, inside = "", False
        elif character != escape:
            field, inside = field + character, True
        position += 1
    return [*fields, None if quoted else field]


_NUMBERS = {"tinyint", "smallint", "int", "integer", "bigint", "float", "double", "real", "decimal"}


def _csv_value(text: str | None, kind: HiveType, place: int) -> str | None:
    if text is None or kind.name not in _NUMBERS | {"date", "timestamp", "boolean"}:
        return text
    whole = kind.name in ("tinyint", "smallint", "int", "integer", "bigint", "date", "timestamp")
    if kind.name == "boolean":
        valid = text.lower() in ("true", "false")
    else:
        valid = bool(re.fullmatch(r"[+-]?\d+" if whole else r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text))
    if not valid:
        raise SqlError(
            f"HIVE_BAD_DATA: Error parsing field value '{text}' for field {place}: "
            f'For input string: "{text}"'
        )
    return athena_avro.moment_text(int(text), kind.name, 1000) if kind.name in ("date", "timestamp") else text


def _delimited(content: bytes, columns: Columns, parameters: Parameters) -> Iterator[Row]:
    """LazySimpleSerDe with nested types or an escape character."""
    null = parameters.get("serialization.null.format", "\\N")
    first = parameters.get("field.delim") or parameters.get("serialization.format") or "1"
    separators = ["\x01" if first == "1" else first[:1]]
    for name in ("collection.delim", "colelction.delim"):  # the latter is Hive's own spelling
        if name in parameters:
            separators.append(parameters[name][:1])
            break
    else:
        separators.append("\x02")
    separators += [parameters.get("mapkey.delim", "\x03")[:1], "\x04", "\x05", "\x06"]
    reader = _Delimited(separators, parameters.get("escape.delim", "")[:1], null)
    for line in _lines(content, parameters):
        fields = reader.split(line, 0)
        values = [*fields, *[None] * len(columns)][: len(columns)]
        yield [reader.value(value, kind, 1) for value, (_, kind) in zip(values, columns, strict=True)]


class _Delimited:
    """Values whose parts are separated by the separator of their depth."""

    def __init__(self, separators: list[str], escape: str, null: str) -> None:
        self._separators, self._escape, self._null = separators, escape, null

    def split(self, text: str, depth: int) -> list[str]:
        separator = self._separators[min(depth, len(self._separators) - 1)]
        if not self._escape:
            return text.split(separator)
        parts, escaped = [""], False
        for character in text:
            if character == separator and not escaped:
                parts.append("")
                continue
            parts[-1] += character
            escaped = character == self._escape and not escaped
        return parts

    def value(self, text: str | None, kind: HiveType, depth: int) -> Any:
        if text is None or text == self._null:
            return None
        if kind.name == "array":
            return (
                [self.value(part, kind.parts[0], depth + 1) for part in self.split(text, depth)]
                if text
                else []
            )
        if kind.name == "map":
            pairs = [self.split(part, depth + 1) for part in self.split(text, depth)] if text else []
            return {
                str(self.value(pair[0], kind.parts[0], depth + 2)): self.value(
                    pair[1] if len(pair) > 1 else None, kind.parts[1], depth + 2
                )
                for pair in pairs
            }
        if kind.name == "struct":
            parts: list[str | None] = [*self.split(text, depth), *[None] * len(kind.parts)]
            members = zip(kind.fields, kind.parts, parts, strict=False)
            return {name: self.value(part, each, depth + 1) for name, each, part in members}
        return re.sub(re.escape(self._escape) + "(.)", r"\1", text) if self._escape else text


# ---------------------------------------------------------------------- JSON


def _json(content: bytes, columns: Columns, parameters: Parameters) -> Iterator[Row]:
    """Hive's and OpenX's JSON: an object a line, keys in any case, at every depth."""
    lenient = parameters.get("ignore.malformed.json", "").lower() == "true"
    wanted = [parameters.get(f"mapping.{name}", name).lower() for name, _ in columns]
    for line in _lines(content, parameters):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            if not lenient:
                raise SqlError(f"HIVE_CURSOR_ERROR: Row is not a valid JSON Object - {error}") from error
            record = {}
        yield _by_name(record, wanted, columns)


def _cloudtrail(content: bytes, columns: Columns, _parameters: Parameters) -> Iterator[Row]:
    """CloudTrailSerde: the records of a delivered file; nested ones are JSON where a column takes text."""
    try:
        document = json.loads(content)
    except ValueError as error:
        raise SqlError(f"HIVE_CURSOR_ERROR: not a file of CloudTrail: {error}") from error
    records = document.get("Records") if isinstance(document, dict) else None
    if not isinstance(records, list):
        raise SqlError("HIVE_CURSOR_ERROR: not a file of CloudTrail: it has no list of Records")
    names = [name for name, _ in columns]
    yield from (_by_name(record, names, columns) for record in records)


def _by_name(record: Any, wanted: list[str], columns: Columns) -> Row:
    members = {name.lower(): value for name, value in record.items()} if isinstance(record, dict) else {}
    return [shaped(members.get(name), kind) for name, (_, kind) in zip(wanted, columns, strict=True)]


def shaped(value: Any, kind: HiveType) -> Any:
    """Return a JSON value as a column of a type takes it; NULL where it is of another kind."""
    if value is None:
        return None
    if kind.name == "array":
        return [shaped(each, kind.parts[0]) for each in value] if isinstance(value, list) else None
    if kind.name == "map":
        if not isinstance(value, dict):
            return None
        return {name: shaped(each, kind.parts[1]) for name, each in value.items()}
    if kind.name == "struct":
        if not isinstance(value, dict):
            return None
        members = {name.lower(): each for name, each in value.items()}
        return {
            name: shaped(members.get(name), each) for name, each in zip(kind.fields, kind.parts, strict=True)
        }
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _avro(content: bytes, columns: Columns, _parameters: Parameters) -> Iterator[Row]:
    """AvroSerDe: columns by the names of the file's own schema."""
    names = [name for name, _ in columns]
    for record in athena_avro.records(content):
        yield _by_name(record, names, columns)


ROWS: dict[str, Rows] = {
    "regex": _regex,
    "grok": _grok,
    "csv": _csv,
    "delimited": _delimited,
    "nested json": _json,
    "cloudtrail": _cloudtrail,
    "avro": _avro,
}
