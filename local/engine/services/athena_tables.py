# ruff: noqa: S608 - queries are made of other queries here; names and literals are quoted
"""Tables of the Glue catalog as DuckDB relations: partitions, projection, SerDes, the objects behind them.

Objects are copied once from the emulator's S3 into files whose folders carry the partition's values
(``year=2026/month=01/...``), so that DuckDB reads only the partitions that a query asks for.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import tempfile
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import duckdb
from ministack.services import glue, s3

from local.engine.patching import pin
from local.engine.services import athena_serdes
from local.engine.services.athena_errors import SqlError
from local.engine.services.athena_types import duckdb_type, hive_type

__all__ = ["CACHE", "SERDES", "location_of", "objects_under", "relation"]

pin(glue, "_create_table", "6cd8e49bce8e")
pin(s3, "_get_object_data", "8735d1f5e331")

CACHE = Path(tempfile.gettempdir()) / "engine-athena"
_LARGEST_ROW = 16 << 20  # bytes; DuckDB keeps buffers of twice as much for each file that it reads at once
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
# Characters that no text holds: one keeps a line whole, the other stands for no NULL at all.
_WHOLE_LINE, _NEVER = "\U0010fffd", "\U0010fffc"
# What reads the tables of a SerDe: all that Athena has.
_ORC = "org.apache.hadoop.hive.ql.io.orc.OrcSerde"
_CLOUDTRAIL_INPUT = "com.amazon.emr.cloudtrail.CloudTrailInputFormat"
_ION = "com.amazon.ionhiveserde.IonHiveSerDe"
SERDES = {
    "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe": "text",
    "org.apache.hadoop.hive.serde2.OpenCSVSerde": "csv",
    "org.apache.hadoop.hive.serde2.RegexSerDe": "regex",
    "com.amazonaws.glue.serde.GrokSerDe": "grok",
    "org.apache.hive.hcatalog.data.JsonSerDe": "json",
    "org.openx.data.jsonserde.JsonSerDe": "json",
    "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe": "parquet",
    "org.apache.hadoop.hive.serde2.avro.AvroSerDe": "avro",
    "com.amazon.emr.hive.serde.CloudTrailSerde": "cloudtrail",
    "org.apache.hive.hcatalog.data.CloudTrailSerde": "cloudtrail",
    _ORC: "",
    _ION: "",
}


@dataclass(frozen=True)
class _File:
    """One object of a table with the values of its partition."""

    bucket: str
    key: str
    values: tuple[str, ...]


def relation(
    connection: duckdb.DuckDBPyConnection, table: dict[str, Any], injected: dict[str, list[str]]
) -> str:
    """Return a DuckDB query over a table's data with the table's columns.

    Args:
        connection: Used to look into files.
        table: The table as Glue stores it.
        injected: Values that the query gives partition columns by ``=`` and ``IN``.

    Raises:
        SqlError: The table's definition is of a kind that is not supported, or wrong.
    """
    files = list(_files(table, injected))
    columns = _columns(table["StorageDescriptor"]["Columns"])
    partitions = [(name, duckdb_type(kind)) for name, kind in _columns(table["PartitionKeys"])]
    kind = _format(table, columns)
    if not files:
        typed = [*((name, duckdb_type(each)) for name, each in columns), *partitions]
        nothing = ", ".join(f"CAST(NULL AS {each}) AS {_name(name)}" for name, each in typed)
        return f"SELECT {nothing} WHERE FALSE"
    options = _partition_options(partitions)
    if kind in _READERS:
        paths = [str(_cached(table, file)) for file in files]
        typed = [(name, duckdb_type(each)) for name, each in columns]
        selected, source = _READERS[kind](connection, table, typed, paths, options)
    else:
        paths = [str(_converted(table, file, kind, columns)) for file in files]
        selected, source = _rows(kind, columns, paths, options)
    projected = [f"{value} AS {_name(name)}" for (name, _kind), value in zip(columns, selected, strict=True)]
    projected += [_name(name) for name, _kind in partitions]
    return f"SELECT {', '.join(projected)} FROM {source}"


def _columns(given: list[dict[str, Any]]) -> athena_serdes.Columns:
    return [(column["Name"].lower(), hive_type(column.get("Type", "string"))) for column in given]


def _partition_options(partitions: list[tuple[str, str]]) -> str:
    if not partitions:
        return "hive_partitioning = false"
    types = ", ".join(f"{_literal(name)}: {kind}" for name, kind in partitions)
    return f"hive_partitioning = true, hive_types = {{{types}}}"


# ---------------------------------------------------------------------- formats


def _format(table: dict[str, Any], columns: athena_serdes.Columns) -> str:
    """Return what reads a table's objects.

    Raises:
        SqlError: Its SerDe is none of Athena's, or none that is here.
    """
    serde = (table["StorageDescriptor"].get("SerdeInfo") or {}).get("SerializationLibrary") or ""
    named = f"{table['DatabaseName']}.{table['Name']}"
    if not serde:
        raise SqlError(f"HIVE_INVALID_METADATA: Table {named} has no SerDe")
    if serde not in SERDES:
        raise SqlError(f"HIVE_UNSUPPORTED_FORMAT: Unsupported SerDe {serde} of table {named}")
    kind = SERDES[serde]
    if table["StorageDescriptor"].get("InputFormat") == _CLOUDTRAIL_INPUT:
        kind = "cloudtrail"
    if not kind:
        raise SqlError(f"NOT_SUPPORTED: the local engine does not read tables of {serde.rpartition('.')[2]}")
    if kind == "json" and any(each.has_struct for _, each in columns):
        return "nested json"  # DuckDB minds the case of keys within
    if kind == "text" and (
        "escape.delim" in _serde_parameters(table) or any(each.nested for _, each in columns)
    ):
        return "delimited"
    return kind


type _Columns = list[tuple[str, str]]
type _Read = tuple[list[str], str]


def _text(
    _connection: Any, table: dict[str, Any], columns: _Columns, paths: list[str], options: str
) -> _Read:
    """Delimited text: lines are split as Hive splits them, so rows may be short or long."""
    parameters = _serde_parameters(table)
    delimiter = parameters.get("field.delim") or parameters.get("serialization.format") or "\x01"
    delimiter = "\x01" if delimiter == "1" else delimiter
    null = parameters.get("serialization.null.format", "\\N")
    source = (
        f"read_csv({_list(paths)}, auto_detect = false, header = false, skip = {_header_lines(table)}, "
        f"columns = {{'__line': 'VARCHAR'}}, delim = {_literal(_WHOLE_LINE)}, quote = '', escape = '', "
        f"nullstr = {_literal(_NEVER)}, strict_mode = false, max_line_size = {1 << 22}, "
        f"buffer_size = {1 << 23}, {options})"
    )
    kept = ", ".join(["__fields", *(_name(key["Name"].lower()) for key in table["PartitionKeys"])])
    split = f"(SELECT string_split(__line, {_literal(delimiter)}) AS __fields, * FROM {source})"
    values = [f"nullif(__fields[{position}], {_literal(null)})" for position in range(1, len(columns) + 1)]
    return [
        _cast(value, kind) for value, (_name_, kind) in zip(values, columns, strict=True)
    ], f"(SELECT {kept} FROM {split})"


def _json(connection: Any, table: dict[str, Any], columns: _Columns, paths: list[str], options: str) -> _Read:
    """OpenX and Hive JSON: an object a line; keys are found whatever their case."""
    parameters = _serde_parameters(table)
    lenient = parameters.get("ignore.malformed.json", "").lower() == "true"
    source = f"read_ndjson_objects({_list(paths)}, ignore_errors = {str(lenient).lower()}, {options})"
    found = connection.execute(f"SELECT DISTINCT unnest(json_keys(json)) FROM {source}").fetchall()
    keys = sorted(str(key) for (key,) in found)
    values = []
    for name, kind in columns:
        wanted = parameters.get(f"mapping.{name}", name)
        same = [key for key in keys if key.lower() == wanted.lower()] or [wanted]
        nested = kind.endswith("]") or kind.startswith(("STRUCT", "MAP"))
        operator = "->" if nested else "->>"
        each = [f"(json {operator} {_literal(_json_path(key))})" for key in same]
        value = each[0] if len(each) == 1 else f"coalesce({', '.join(each)})"
        values.append(_cast(value, kind))
    return values, source


def _parquet(
    connection: Any, _table: dict[str, Any], columns: _Columns, paths: list[str], options: str
) -> _Read:
    """Parquet: columns by name; one that the files lack is NULL."""
    source = f"read_parquet({_list(paths)}, union_by_name = true, {options})"
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    present = {str(row[0]).lower() for row in described}
    values = [f"CAST({_name(name) if name in present else 'NULL'} AS {kind})" for name, kind in columns]
    return values, source


def _rows(kind: str, columns: athena_serdes.Columns, paths: list[str], options: str) -> _Read:
    """Rows that have been converted: text for scalars, JSON for nested types."""
    types = ", ".join(
        f"'c{position}': '{'JSON' if each.nested else 'VARCHAR'}'"
        for position, (_, each) in enumerate(columns)
    )
    source = (
        f"read_json({_list(paths)}, format = 'newline_delimited', columns = {{{types}}}, "
        f"maximum_object_size = {_LARGEST_ROW}, {options})"
    )
    strict = kind in ("regex", "grok", "csv")
    return [
        _strict_cast(f"c{position}", duckdb_type(each))
        if strict
        else _cast(f"c{position}", duckdb_type(each))
        for position, (_, each) in enumerate(columns)
    ], source


_READERS = {"text": _text, "json": _json, "parquet": _parquet}
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")


def _strict_cast(value: str, kind: str) -> str:
    """Cast as Java parses: a number with a fraction is no whole number, and what is not true is false."""
    if kind in _INTEGERS:
        return f"CASE WHEN regexp_full_match({value}, '[+-]?[0-9]+') THEN {_cast(value, kind)} END"
    return f"(lower({value}) = 'true')" if kind == "BOOLEAN" else _cast(value, kind)


def _serde_parameters(table: dict[str, Any]) -> dict[str, str]:
    serde = table["StorageDescriptor"].get("SerdeInfo") or {}
    return {str(name): str(value) for name, value in (serde.get("Parameters") or {}).items()}


def _header_lines(table: dict[str, Any]) -> int:
    count = str((table.get("Parameters") or {}).get("skip.header.line.count", "0"))
    return int(count) if count.isdigit() else 0


def _cast(value: str, kind: str) -> str:
    return value if kind == "VARCHAR" else f"TRY_CAST({value} AS {kind})"


def _json_path(key: str) -> str:
    return '$."' + key.replace('"', '\\"') + '"'


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _list(paths: list[str]) -> str:
    return "[" + ", ".join(map(_literal, paths)) + "]"


# ---------------------------------------------------------------------- objects and partitions


def location_of(uri: str) -> tuple[str, str]:
    """Return the bucket and the key prefix, which ends with a slash, of a location."""
    parts = urlsplit(uri)
    prefix = parts.path.lstrip("/")
    return parts.netloc, prefix if not prefix or prefix.endswith("/") else f"{prefix}/"


def objects_under(bucket: str, prefix: str) -> list[str]:
    """Return the keys of a table's data under a prefix; hidden ones (``_`` and ``.``) are not data."""
    stored = s3._buckets.get(bucket)
    if stored is None:
        return []
    keys = sorted(stored["objects"])
    start = bisect_left(keys, prefix)
    found = []
    for key in keys[start:]:
        if not key.startswith(prefix):
            break
        hidden = any(part.startswith(("_", ".")) for part in key[len(prefix) :].split("/"))
        if not key.endswith("/") and not hidden and stored["objects"][key].get("size"):
            found.append(key)
    return found


def _files(table: dict[str, Any], injected: dict[str, list[str]]) -> Iterator[_File]:
    location = table["StorageDescriptor"].get("Location") or ""
    if not table["PartitionKeys"]:
        bucket, prefix = location_of(location)
        yield from (_File(bucket, key, ()) for key in objects_under(bucket, prefix))
    elif str((table.get("Parameters") or {}).get("projection.enabled", "")).lower() == "true":
        yield from _projected(table, injected)
    else:
        for partition in glue._partitions.get(f"{table['DatabaseName']}/{table['Name']}", []):
            place = (partition.get("StorageDescriptor") or {}).get("Location")
            if not place:
                names = [key["Name"] for key in table["PartitionKeys"]]
                folders = [f"{name}={value}" for name, value in zip(names, partition["Values"], strict=True)]
                place = "/".join([location.rstrip("/"), *folders])
            bucket, prefix = location_of(place)
            values = tuple(map(str, partition["Values"]))
            yield from (_File(bucket, key, values) for key in objects_under(bucket, prefix))


def _cached(table: dict[str, Any], file: _File) -> Path:
    """Return the local copy of an object, in folders that name its partition."""
    suffix = "".join(Path(file.key).suffixes[-1:])
    return _kept(table, file, "", suffix, lambda content: content)


def _converted(table: dict[str, Any], file: _File, kind: str, columns: athena_serdes.Columns) -> Path:
    """Return an object's rows as lines of JSON, in folders that name its partition."""
    properties = {
        name: str(value)
        for name, value in (table.get("Parameters") or {}).items()
        if name.endswith("line.count")
    }
    parameters = properties | _serde_parameters(table)

    def convert(content: bytes) -> bytes:
        rows = athena_serdes.ROWS[kind](athena_serdes.decompressed(file.key, content), columns, parameters)
        names = [f"c{position}" for position in range(len(columns))]
        return "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows).encode()

    definition = json.dumps([kind, repr(columns), sorted(parameters.items())])
    return _kept(table, file, definition, ".json", convert)


def _kept(
    table: dict[str, Any], file: _File, how: str, suffix: str, convert: Callable[[bytes], bytes]
) -> Path:
    """Return where an object's content is, converted once for each version of object and table."""
    stored = s3._buckets[file.bucket]["objects"][file.key]
    version = f"{file.bucket}/{file.key}/{stored.get('etag')}/{stored.get('last_modified')}/{how}"
    name = hashlib.sha256(version.encode()).hexdigest()[:24]
    folder: Path = CACHE / table["DatabaseName"] / table["Name"]
    for key, value in zip(table["PartitionKeys"], file.values, strict=False):
        folder /= f"{key['Name'].lower()}={value if value == _HIVE_NULL else quote(value, safe='')}"
    path = folder / f"{name}{suffix}"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{id(file)}")
        draft.write_bytes(convert(s3._get_object_data(file.bucket, file.key) or b""))
        draft.replace(path)
    return path


# ---------------------------------------------------------------------- partition projection


def _projected(table: dict[str, Any], injected: dict[str, list[str]]) -> Iterator[_File]:
    """Yield the objects whose keys fit the projection.

    Athena works out every possible partition and looks where it would be; here the objects that exist are
    asked which partition they would be of, which finds the same ones.
    """
    parameters = {str(name): str(value) for name, value in table["Parameters"].items()}
    names = [key["Name"].lower() for key in table["PartitionKeys"]]
    columns = {name: _Projection.of(name, parameters, injected) for name in names}
    template = parameters.get("storage.location.template")
    if not template:
        folders = "/".join(f"{name}=${{{name}}}" for name in names)
        template = f"{table['StorageDescriptor']['Location'].rstrip('/')}/{folders}"
    bucket, path = location_of(template)
    pattern, seen = "", set()
    for part in re.split(r"(\$\{[^}]+\})", path):
        if not part.startswith("${"):
            pattern += re.escape(part)
            continue
        name = part[2:-1].lower()
        if name not in columns:
            raise SqlError(f"INVALID_TABLE_PROPERTY: storage.location.template names unknown column {name}")
        group = f"c{names.index(name)}"
        pattern += f"(?P={group})" if name in seen else f"(?P<{group}>{columns[name].pattern})"
        seen.add(name)
    if missing := columns.keys() - seen:
        raise SqlError(
            f"INVALID_TABLE_PROPERTY: storage.location.template lacks {', '.join(sorted(missing))}"
        )
    expression = re.compile(pattern)
    fixed = path.partition("${")[0]
    for key in objects_under(bucket, fixed[: fixed.rfind("/") + 1]):
        match = expression.match(key)
        if match and all(
            column.holds(value) for column, value in zip(columns.values(), _groups(match), strict=True)
        ):
            yield _File(bucket, key, _groups(match))


def _groups(match: re.Match[str]) -> tuple[str, ...]:
    """Return the values of the partition columns in their order."""
    return tuple(match[f"c{position}"] for position in range(match.re.groups))


@dataclass(frozen=True)
class _Projection:
    """What values one partition column can have, and what they look like in a key."""

    kind: str
    pattern: str
    allowed: frozenset[str] = frozenset()
    low: Any = None
    high: Any = None
    step: int = 1
    digits: int = 0
    format: str = ""

    @classmethod
    def of(cls, name: str, parameters: dict[str, str], injected: dict[str, list[str]]) -> _Projection:
        def setting(field: str) -> str:
            value = parameters.get(f"projection.{name}.{field}")
            if value is None:
                raise SqlError(f"INVALID_TABLE_PROPERTY: projection.{name}.{field} is missing")
            return value

        kind = setting("type").lower()
        if kind == "enum":
            return cls(kind, "[^/]+", frozenset(value.strip() for value in setting("values").split(",")))
        if kind == "integer":
            low, high = (int(bound) for bound in setting("range").split(","))
            step = int(parameters.get(f"projection.{name}.interval", "1"))
            digits = int(parameters.get(f"projection.{name}.digits", "0"))
            return cls(kind, r"-?\d+", low=low, high=high, step=step, digits=digits)
        if kind == "date":
            java = setting("format")
            written = _strptime(java)
            earliest, latest = (_bound(bound.strip(), written) for bound in setting("range").split(","))
            # Letters stand for a piece of the key; what is between them may be slashes.
            pieces = (
                "[^/]+?" if part.isalpha() else re.escape(part.strip("'")) for part in _java_parts(java)
            )
            return cls(kind, "".join(pieces), low=earliest, high=latest, format=written)
        if kind == "injected":
            if name not in injected:
                raise SqlError(
                    f"CONSTRAINT_VIOLATION: For the injected projected partition column {name}, the WHERE "
                    "clause must contain only static equality conditions, and at least one such condition "
                    "must be present."
                )
            return cls(kind, "[^/]+", frozenset(injected[name]))
        raise SqlError(f"INVALID_TABLE_PROPERTY: projection.{name}.type {kind!r} is unknown")

    def holds(self, value: str) -> bool:
        """Tell whether the projection gives this value."""
        if self.kind in ("enum", "injected"):
            return value in self.allowed
        if self.kind == "integer":
            number = int(value)
            written = f"{number:0{self.digits}d}"
            return (
                value == written and self.low <= number <= self.high and (number - self.low) % self.step == 0
            )
        try:
            moment = dt.datetime.strptime(value, self.format)  # noqa: DTZ007 - projection has no zones
        except ValueError:
            return False
        return bool(self.low <= moment <= self.high)


_JAVA_TIME = {
    "yyyy": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%m", "dd": "%d", "d": "%d",
    "HH": "%H", "H": "%H", "mm": "%M", "m": "%M", "ss": "%S", "s": "%S", "EEE": "%a", "D": "%j", "DDD": "%j",
}  # fmt: skip
_NOW = re.compile(r"NOW\s*(?:(?P<sign>[+-])\s*(?P<count>\d+)\s*(?P<unit>[A-Z]+?)S?)?", re.IGNORECASE)
_SECONDS = {
    "YEAR": 31_557_600,
    "MONTH": 2_629_800,
    "WEEK": 604_800,
    "DAY": 86_400,
    "HOUR": 3_600,
    "MINUTE": 60,
    "SECOND": 1,
}


def _java_parts(pattern: str) -> list[str]:
    return [match[0] for match in re.finditer(r"'[^']*'|([A-Za-z])\1*|.", pattern)]


def _strptime(pattern: str) -> str:
    out = []
    for part in _java_parts(pattern):
        if part.startswith("'"):
            out.append(part.strip("'"))
        elif part.isalpha():
            if part not in _JAVA_TIME:
                raise SqlError(f"INVALID_TABLE_PROPERTY: date format {part!r} is not supported")
            out.append(_JAVA_TIME[part])
        else:
            out.append(part)
    return "".join(out)


def _bound(bound: str, written: str) -> dt.datetime:
    match = _NOW.fullmatch(bound)
    try:
        if match is None:
            return dt.datetime.strptime(bound, written)  # noqa: DTZ007 - projection has no zones
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        if not match["unit"]:
            return now
        span = dt.timedelta(seconds=int(match["count"]) * _SECONDS[match["unit"].upper()])
        return now + span if match["sign"] == "+" else now - span
    except (ValueError, KeyError) as error:
        raise SqlError(f"INVALID_TABLE_PROPERTY: projection range bound {bound!r} is wrong") from error
