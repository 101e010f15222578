# ruff: noqa: S608 - queries are made of other queries here; names and literals are quoted
"""Athena: DDL, views and partitions through the Glue catalog, Trino's SQL, results as Athena writes them.

Tables that a query names become views of a DuckDB that lives as long as the query (``athena_tables``); the
query itself is translated (``athena_sql``).
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import duckdb
from ministack.services import athena, glue, s3
from sqlglot import exp

from local.engine.patching import pin, replaces
from local.engine.services import (
    athena_errors,
    athena_functions,
    athena_hive,
    athena_sql,
    athena_tables,
    athena_zones,
)
from local.engine.services.athena_errors import SqlError

__all__: list[str] = []

pin(athena, "_Cursor", "a5e4bfb05779")
pin(athena, "_execute_query", "0c4e4ef19494")
pin(glue, "_batch_create_partition", "a5378f533736")
pin(glue, "_create_database", "81fab686b0fd")
pin(glue, "_delete_database", "1adaf1f68bd4")
pin(glue, "_delete_partition", "64266f7ac72d")
pin(glue, "_delete_table", "085a4a88ed8b")

_MEMORY = "512MB"


@dataclass(frozen=True)
class _Result:
    """What a statement answers with; rows as Athena's text."""

    columns: list[str]
    types: list[str]
    rows: list[list[str | None]]

    def as_emulator(self) -> dict[str, Any]:
        return {"columns": self.columns, "column_types": self.types, "rows": self.rows}


_NOTHING = _Result([], [], [])


@replaces(athena, "_run_duckdb", digest="734c2e91cdac")
async def _run_query(original: Any, query: str, database: str, catalog: str | None = None) -> Any:
    """Trino functions, views, partitions and their projection, SerDes; DDL beyond tables; SHOW, DESCRIBE."""
    if athena._S3_TABLES_CATALOG_PREFIX in f"{query} {catalog}".lower():
        return await original(query, database, catalog)  # Iceberg tables of S3 Tables
    result = await asyncio.to_thread(_run, query, (database or "default").lower())
    return result.as_emulator()


def _run(query: str, database: str) -> _Result:
    query = query.strip().rstrip(";").rstrip()
    if place := athena_hive.refusal(query):
        raise SqlError(f"FAILED: ParseException {place}")
    query = athena_hive.in_single_quotes(query)
    cursor = athena._Cursor(query)
    for words, statement in _STATEMENTS.items():
        if cursor.keywords(*words):
            return statement(cursor, database)
    first = cursor.name() or ""
    if first in ("select", "with", "values", "table") or query.startswith("("):
        if place := athena_hive.first_in_backticks(query):
            message = "backquoted identifiers are not supported; use double quotes to quote identifiers"
            raise SqlError(f"SYNTAX_ERROR: {place}: {message}")
        try:
            return _select(query, database)
        except duckdb.Error as error:
            raise SqlError(athena_errors.named(str(error), query)) from error
    if re.match(r"create\s+(external\s+)?table\b", query, re.IGNORECASE) and not athena_hive.makes_of_query(
        query
    ):
        raise SqlError("FAILED: ParseException line 1:0 cannot recognize input: malformed CREATE TABLE")
    raise SqlError(f"NOT_SUPPORTED: {first.upper()} statements are not supported by the local engine")


@replaces(athena, "_parse_ddl", digest="28404b7ed0da")
def _parse_ddl(original: Any, query: str) -> Any:
    """In DDL double quotes are for text, as in Hive; names stand in backticks"""
    return None if athena_hive.refusal(query) else original(athena_hive.in_single_quotes(query))


@replaces(athena, "_run_ddl", digest="ce7eebe470ed")
def _run_ddl(original: Any, ddl: Any, database: str) -> Any:
    """CREATE TABLE refuses SerDes that Athena does not have; errors are Hive's"""
    place = f"{ddl.database or database or 'default'}/{ddl.table}"
    failed = "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask."
    if isinstance(ddl, athena._DropTable):
        if place not in glue._tables and not ddl.if_exists:
            raise SqlError(f"FAILED: SemanticException [Error 10001]: Table not found {ddl.table}")
        return original(ddl, database)
    if ddl.serde not in athena_tables.SERDES:
        raise SqlError(f"{failed} Cannot validate serde: {ddl.serde}")
    if place.partition("/")[0] not in glue._databases:
        raise SqlError(
            f"FAILED: SemanticException [Error 10072]: Database does not exist: {place.partition('/')[0]}"
        )
    if place in glue._tables and not ddl.if_not_exists:
        raise SqlError(f"{failed} AlreadyExistsException(message:Table {ddl.table} already exists.)")
    return original(ddl, database)


# ---------------------------------------------------------------------- queries


def _select(query: str, database: str) -> _Result:
    connection = duckdb.connect(":memory:")
    try:
        return _Session(connection).run(query, database)
    finally:
        connection.close()


class _Session:
    """A DuckDB in which the tables of one query are views."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.made: set[tuple[str, str]] = set()
        self.macros: set[str] = set()
        athena_tables.CACHE.mkdir(parents=True, exist_ok=True)
        settings = {
            "TimeZone": "'UTC'",
            "integer_division": "true",
            "memory_limit": f"'{_MEMORY}'",
            "threads": "2",
            # Else the CSV reader takes a TRY_CAST's type for its own, and fails where NULL is wanted.
            "disabled_optimizers": "'type_pushdown'",
            # Nothing that a query says can reach other files.
            "allowed_directories": f"['{athena_tables.CACHE}']",
            "enable_external_access": "false",
        }
        for name, value in settings.items():
            connection.execute(f"SET {name} = {value}")

    def run(self, query: str, database: str) -> _Result:
        """Run a query and return its rows as Athena shows them."""
        sql, zones = self.translate(query, database)
        described = self.connection.execute(f"DESCRIBE {sql}").fetchall()
        names = [str(row[0]) for row in described]
        types = [athena_sql.athena_type(str(row[1])) for row in described]
        if any("TIME ZONE" in str(row[1]) and str(row[1]) != "TIMESTAMP WITH TIME ZONE" for row in described):
            raise SqlError("NOT_SUPPORTED: the local engine shows no timestamps with time zone within others")
        shown = [zones.get(name.lower(), "UTC") for name in names]
        if "timestamp with time zone" in types:  # whose Python values need a package that is not here
            columns = [f"c{position}" for position in range(len(types))]
            values = [
                athena_zones.on_the_wall(column, zone) if kind == "timestamp with time zone" else column
                for column, kind, zone in zip(columns, types, shown, strict=True)
            ]
            sql = f"SELECT {', '.join(values)} FROM ({sql}) AS q({', '.join(columns)})"
        found = self.connection.execute(sql).fetchall()
        rows = [
            [athena_sql.text(value, kind, zone) for value, kind, zone in zip(row, types, shown, strict=True)]
            for row in found
        ]
        return _Result(names, types, rows)

    def translate(
        self, query: str, database: str, *, outer: dict[str, list[str]] | None = None
    ) -> tuple[str, dict[str, str]]:
        """Return a query in DuckDB's dialect, its tables made, and its columns' time zones that are not UTC.

        Args:
            query: In Athena's.
            database: Whose tables it names without one.
            outer: What a view's user compares columns with.
        """
        statement = athena_sql.named_columns(athena_sql.parse(query))
        injected = (outer or {}) | _static_values(statement)
        places = set()
        for table in list(athena_sql.tables_of(statement)):
            place = ((table.db or database).lower(), table.name.lower())
            self._make(*place, injected)
            table.set("catalog", None)
            table.set("db", exp.to_identifier(place[0]))
            table.set("this", exp.to_identifier(place[1]))
            if not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(place[1])))
                places.add(place)
        for column in list(statement.find_all(exp.Column)):
            _unqualify(column, places)
        zones = athena_zones.mark(statement)
        sql = athena_sql.to_duckdb(statement)
        for macro in athena_functions.macros_of(sql):
            if macro not in self.macros:
                self.connection.execute(macro)
                self.macros.add(macro)
        return sql, zones

    def _make(self, database: str, name: str, injected: dict[str, list[str]]) -> None:
        """Make the view of a table or of a catalog's view, unless it is there."""
        if (database, name) in self.made:
            return
        self.made.add((database, name))
        table = glue._tables.get(f"{database}/{name}")
        if table is None:
            if database not in glue._databases:
                raise SqlError(f"SCHEMA_NOT_FOUND: Schema '{database}' does not exist")
            raise SqlError(f"TABLE_NOT_FOUND: Table 'awsdatacatalog.{database}.{name}' does not exist")
        if table.get("TableType") == "VIRTUAL_VIEW":
            view = _view_definition(table)
            schema = str(view.get("schema") or database).lower()
            sql, _zones = self.translate(view["originalSql"], schema, outer=injected)
        else:
            sql = athena_tables.relation(self.connection, table, injected)
        self.connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{database}"')
        self.connection.execute(f'CREATE VIEW "{database}"."{name}" AS {sql}')


_PARTS = ("catalog", "db", "table", "this")


def _unqualify(column: exp.Column, places: set[tuple[str, str]]) -> None:
    """Drop the catalog and database before a table's name, which is enough; not a column before a field's."""
    parts = [column.args[name] for name in _PARTS if column.args.get(name)]
    names = [part.name.lower() for part in parts]
    if names[0] == "awsdatacatalog" and tuple(names[1:3]) in places:
        parts = parts[2:]
    elif tuple(names[:2]) in places and (len(parts) > 2 or isinstance(column.parent, exp.Dot)):
        parts = parts[1:]
    for name, part in zip(reversed(_PARTS), [*reversed(parts), None, None, None], strict=False):
        column.set(name, part)


def _static_values(statement: exp.Expression) -> dict[str, list[str]]:
    """Return the literals that a query compares columns with by ``=`` and ``IN``."""
    found: dict[str, list[str]] = {}
    for condition in statement.find_all(exp.EQ, exp.In):
        column = condition.this
        values = [condition.expression] if isinstance(condition, exp.EQ) else condition.expressions
        if isinstance(column, exp.Literal) and isinstance(condition.expression, exp.Column):
            column, values = condition.expression, [column]
        if (
            isinstance(column, exp.Column)
            and values
            and all(isinstance(each, exp.Literal) for each in values)
        ):
            found.setdefault(column.name.lower(), []).extend(each.name for each in values)
    return found


def _view_definition(table: dict[str, Any]) -> dict[str, Any]:
    match = re.fullmatch(r"\s*/\* Presto View: (\S+) \*/\s*", table.get("ViewOriginalText") or "")
    if match is None:
        raise SqlError(f"INVALID_VIEW: View '{table['DatabaseName']}.{table['Name']}' has no definition")
    definition: dict[str, Any] = json.loads(base64.b64decode(match[1]))
    return definition


# ---------------------------------------------------------------------- statements of the catalog

type _Cursor = Any
type _Statement = Callable[[_Cursor, str], _Result]


def _accepted(answer: Any) -> dict[str, Any]:
    """Return what Glue answers; a refusal fails the statement."""
    status, _headers, body = answer
    content: dict[str, Any] = json.loads(body) if body else {}
    if status >= 300:
        raise SqlError(f"FAILED: {content.get('message') or content.get('Message') or body!r}")
    return content


def _name(cursor: _Cursor, database: str) -> tuple[str, str]:
    """Read ``[database.]name``."""
    parts = cursor.dotted_name(3)
    if parts is None:
        raise SqlError("SYNTAX_ERROR: a name is missing")
    return (parts[1] or database).lower(), parts[2].lower()


def _ended(cursor: _Cursor) -> None:
    if not cursor.at_end():
        raise SqlError(f"SYNTAX_ERROR: mismatched input {cursor.peek()[1]!r}")


def _table(database: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] | None = glue._tables.get(f"{database}/{name}")
    if found is None:
        raise SqlError(f"FAILED: SemanticException [Error 10001]: Table not found {database}.{name}")
    return found


def _create_database(cursor: _Cursor, _database: str) -> _Result:
    lenient = cursor.keywords("if", "not", "exists")
    name = (cursor.identifier() or "").lower()
    given: dict[str, Any] = {"Name": name}
    while not cursor.at_end():
        if cursor.keywords("comment"):
            given["Description"] = cursor.string()
        elif cursor.keywords("location"):
            given["LocationUri"] = cursor.string()
        elif cursor.keywords("with", "dbproperties"):
            given["Parameters"] = athena._property_list(cursor) or {}
        else:
            _ended(cursor)
    if not (lenient and name in glue._databases):
        _accepted(glue._create_database({"DatabaseInput": given}))
    return _NOTHING


def _drop_database(cursor: _Cursor, _database: str) -> _Result:
    lenient = cursor.keywords("if", "exists")
    name = (cursor.identifier() or "").lower()
    cascade = cursor.keywords("cascade")
    if not cascade:
        cursor.keywords("restrict")
    _ended(cursor)
    if name not in glue._databases and lenient:
        return _NOTHING
    if not cascade and any(key.startswith(f"{name}/") for key in glue._tables):
        raise SqlError(f"FAILED: InvalidOperationException(message:Database {name} is not empty.)")
    _accepted(glue._delete_database({"Name": name}))
    return _NOTHING


def _create_view(cursor: _Cursor, database: str, *, replace: bool = False) -> _Result:
    place, name = _name(cursor, database)
    if not cursor.keywords("as"):
        raise SqlError("SYNTAX_ERROR: AS is missing")
    sql = cursor.text[cursor.peek()[2] :]
    existing = glue._tables.get(f"{place}/{name}")
    if existing and (not replace or existing.get("TableType") != "VIRTUAL_VIEW"):
        raise SqlError(f"ALREADY_EXISTS: View already exists: 'awsdatacatalog.{place}.{name}'")
    described = _describe_query(sql, database)
    if any(re.fullmatch(r"_col\d+", column) for column, _type in described):
        raise SqlError("MISSING_COLUMN_NAME: Column name not specified")
    definition = {
        "originalSql": sql,
        "catalog": "awsdatacatalog",
        "schema": database,
        "columns": [{"name": column, "type": athena_sql.athena_type(kind)} for column, kind in described],
    }
    encoded = base64.b64encode(json.dumps(definition).encode()).decode()
    table = {
        "Name": name,
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "PartitionKeys": [],
        "StorageDescriptor": {
            "Columns": [{"Name": column.lower(), "Type": _hive_type(kind)} for column, kind in described],
            "Location": "",
            "SerdeInfo": {},
        },
        "ViewOriginalText": f"/* Presto View: {encoded} */",
        "ViewExpandedText": "/* Presto View */",
    }
    change = glue._update_table if existing else glue._create_table
    _accepted(change({"DatabaseName": place, "TableInput": table}))
    return _NOTHING


def _describe_query(sql: str, database: str) -> list[tuple[str, str]]:
    connection = duckdb.connect(":memory:")
    try:
        translated, _zones = _Session(connection).translate(sql, database)
        return [(row[0], row[1]) for row in connection.execute(f"DESCRIBE {translated}").fetchall()]
    except duckdb.Error as error:
        raise SqlError(athena_errors.named(str(error), sql)) from error
    finally:
        connection.close()


def _hive_type(duckdb_type: str) -> str:
    named = athena_sql.athena_type(duckdb_type)
    if named == "decimal":
        return duckdb_type.lower()
    hive = {
        "varchar": "string",
        "integer": "int",
        "varbinary": "binary",
        "timestamp with time zone": "timestamp",
    }
    return hive.get(named, named if named in {"bigint", "double", "float", "boolean", "date"} else "string")


def _drop_view(cursor: _Cursor, database: str) -> _Result:
    lenient = cursor.keywords("if", "exists")
    place, name = _name(cursor, database)
    _ended(cursor)
    table = glue._tables.get(f"{place}/{name}")
    if table is None and lenient:
        return _NOTHING
    if table is None or table.get("TableType") != "VIRTUAL_VIEW":
        raise SqlError(f"TABLE_NOT_FOUND: View 'awsdatacatalog.{place}.{name}' does not exist")
    _accepted(glue._delete_table({"DatabaseName": place, "Name": name}))
    return _NOTHING


def _alter_table(cursor: _Cursor, database: str) -> _Result:
    place, name = _name(cursor, database)
    table = _table(place, name)
    if cursor.keywords("add"):
        lenient = cursor.keywords("if", "not", "exists")
        _add_partitions(table, _partition_specs(cursor, table), lenient=lenient)
    elif cursor.keywords("drop"):
        lenient = cursor.keywords("if", "exists")
        for values, _location in _partition_specs(cursor, table):
            if not lenient and values not in _partition_values(table):
                raise SqlError(f"FAILED: SemanticException [Error 10006]: Partition not found {values}")
            target = {"DatabaseName": place, "TableName": name, "PartitionValues": values}
            _accepted(glue._delete_partition(target))
    elif cursor.keywords("set", "tblproperties"):
        table["Parameters"] = (table.get("Parameters") or {}) | (athena._property_list(cursor) or {})
    else:
        raise SqlError(f"NOT_SUPPORTED: {cursor.text[:80]}")
    _ended(cursor)
    return _NOTHING


def _partition_specs(cursor: _Cursor, table: dict[str, Any]) -> list[tuple[list[str], str | None]]:
    """Read ``PARTITION (a = '1', b = '2') [LOCATION '...']`` as often as it comes."""
    names = [key["Name"].lower() for key in table["PartitionKeys"]]
    specs: list[tuple[list[str], str | None]] = []
    while cursor.keywords("partition") and cursor.punct("("):
        given: dict[str, str] = {}
        while not cursor.punct(")"):
            column = (cursor.identifier() or "").lower()
            value = None
            if cursor.punct("="):
                value = cursor.string()
                value = cursor.number() if value is None else value
            if value is None:
                raise SqlError("SYNTAX_ERROR: a partition is written (column = 'value', ...)")
            given[column] = str(value)
            cursor.punct(",")
        if sorted(given) != sorted(names):
            raise SqlError(
                f"FAILED: SemanticException Partition spec {given} does not name {', '.join(names)}"
            )
        location = cursor.string() if cursor.keywords("location") else None
        specs.append(([given[column] for column in names], location))
        cursor.punct(",")
    return specs


def _partition_values(table: dict[str, Any]) -> list[list[str]]:
    partitions = glue._partitions.get(f"{table['DatabaseName']}/{table['Name']}", [])
    return [list(map(str, partition["Values"])) for partition in partitions]


def _add_partitions(
    table: dict[str, Any], specs: list[tuple[list[str], str | None]], *, lenient: bool
) -> None:
    names = [key["Name"] for key in table["PartitionKeys"]]
    known = _partition_values(table)
    inputs = []
    for values, location in specs:
        if values in known:
            if lenient:
                continue
            raise SqlError(f"FAILED: AlreadyExistsException(message:Partition already exists: {values})")
        known.append(values)
        folders = "/".join(f"{column}={value}" for column, value in zip(names, values, strict=True))
        default = f"{table['StorageDescriptor']['Location'].rstrip('/')}/{folders}"
        storage = {**table["StorageDescriptor"], "Location": location or default}
        inputs.append({"Values": values, "StorageDescriptor": storage})
    target = {"DatabaseName": table["DatabaseName"], "TableName": table["Name"]}
    _accepted(glue._batch_create_partition({**target, "PartitionInputList": inputs}))


def _repair_table(cursor: _Cursor, database: str) -> _Result:
    """Add a partition for every ``key=value/...`` folder under the table's location."""
    place, name = _name(cursor, database)
    _ended(cursor)
    table = _table(place, name)
    names = [key["Name"].lower() for key in table["PartitionKeys"]]
    bucket, prefix = athena_tables.location_of(table["StorageDescriptor"]["Location"])
    known = _partition_values(table)
    specs: list[tuple[list[str], str | None]] = []
    lines: list[list[str | None]] = []
    for key in athena_tables.objects_under(bucket, prefix):
        folders = key.removeprefix(prefix).split("/")[: len(names)]
        pairs = [folder.partition("=") for folder in folders]
        if [column.lower() for column, _, _ in pairs] != names:
            continue
        values = [value for _, _, value in pairs]
        if values not in known:
            known.append(values)
            specs.append((values, f"s3://{bucket}/{prefix}{'/'.join(folders)}"))
            lines.append([f"Repair: Added partition to metastore {place}.{name}:{'/'.join(folders)}"])
    _add_partitions(table, specs, lenient=True)
    return _Result(["result"], ["string"], lines)


def _lines(column: str, values: list[str]) -> _Result:
    return _Result([column], ["string"], [[value] for value in values])


def _show_databases(cursor: _Cursor, _database: str) -> _Result:
    return _lines("database_name", _like(cursor, sorted(glue._databases)))


def _show_tables(cursor: _Cursor, database: str, *, views: bool = False) -> _Result:
    if cursor.keywords("in") or cursor.keywords("from"):
        database = (cursor.identifier() or "").lower()
    names = sorted(
        table["Name"]
        for key, table in glue._tables.items()
        if key.startswith(f"{database}/") and (not views or table.get("TableType") == "VIRTUAL_VIEW")
    )
    return _lines("views" if views else "tab_name", _like(cursor, names))


def _like(cursor: _Cursor, names: list[str]) -> list[str]:
    """Keep the names that an optional ``[LIKE] 'regular expression'`` matches, in which * is any text."""
    cursor.keywords("like")
    pattern = cursor.string()
    _ended(cursor)
    if pattern is None:
        return names
    expression = re.sub(r"(?<!\.)\*", ".*", pattern)
    return [name for name in names if re.fullmatch(expression, name)]


def _show_partitions(cursor: _Cursor, database: str) -> _Result:
    place, name = _name(cursor, database)
    _ended(cursor)
    table = _table(place, name)
    columns = [key["Name"] for key in table["PartitionKeys"]]
    partitions = sorted(_partition_values(table))
    written = ["/".join(map("=".join, zip(columns, values, strict=True))) for values in partitions]
    return _lines("partition", written)


def _show_columns(cursor: _Cursor, database: str) -> _Result:
    if not (cursor.keywords("in") or cursor.keywords("from")):
        raise SqlError("SYNTAX_ERROR: SHOW COLUMNS IN table")
    place, name = _name(cursor, database)
    if cursor.keywords("in") or cursor.keywords("from"):
        place = (cursor.identifier() or "").lower()
    _ended(cursor)
    table = _table(place, name)
    columns = [*table["StorageDescriptor"]["Columns"], *table["PartitionKeys"]]
    return _lines("field", [column["Name"] for column in columns])


def _describe(cursor: _Cursor, database: str) -> _Result:
    if not cursor.keywords("extended"):
        cursor.keywords("formatted")
    place, name = _name(cursor, database)
    _ended(cursor)
    table = _table(place, name)

    def line(column: dict[str, str]) -> str:
        return f"{column['Name']:<20}\t{column.get('Type', 'string'):<20}\t{column.get('Comment', ''):<20}"

    keys = table["PartitionKeys"]
    written = [line(column) for column in [*table["StorageDescriptor"]["Columns"], *keys]]
    if keys:
        heading = f"{'# col_name':<20}\t{'data_type':<20}\t{'comment':<20}"
        written += ["\t \t ", "# Partition Information\t \t ", heading, "\t \t ", *map(line, keys)]
    return _lines("col_name", written)


def _show_create_view(cursor: _Cursor, database: str) -> _Result:
    place, name = _name(cursor, database)
    _ended(cursor)
    sql = _view_definition(_table(place, name))["originalSql"]
    return _lines("create_view", [f'CREATE VIEW "{place}"."{name}" AS', *sql.splitlines()])


def _show_create_table(cursor: _Cursor, database: str) -> _Result:
    place, name = _name(cursor, database)
    _ended(cursor)
    table = _table(place, name)
    storage = table["StorageDescriptor"]

    def columns(given: list[dict[str, str]]) -> list[str]:
        ends = itertools.chain(itertools.repeat(", ", len(given) - 1), [")"])
        return [f"  `{each['Name']}` {each['Type']}{end}" for each, end in zip(given, ends, strict=True)]

    def properties(given: dict[str, str]) -> list[str]:
        return [f"  '{key}'='{value}', " for key, value in sorted(given.items())]

    written = [f"CREATE EXTERNAL TABLE `{place}.{name}`(", *columns(storage["Columns"])]
    if table["PartitionKeys"]:
        written += ["PARTITIONED BY ( ", *columns(table["PartitionKeys"])]
    serde = storage.get("SerdeInfo") or {}
    written += ["ROW FORMAT SERDE ", f"  '{serde.get('SerializationLibrary', '')}' "]
    if serde.get("Parameters"):
        written += ["WITH SERDEPROPERTIES ( ", *properties(serde["Parameters"])]
        written[-1] = written[-1].removesuffix(", ") + ") "
    written += ["STORED AS INPUTFORMAT ", f"  '{storage.get('InputFormat', '')}' "]
    written += ["OUTPUTFORMAT ", f"  '{storage.get('OutputFormat', '')}'"]
    written += ["LOCATION", f"  '{storage.get('Location', '')}'"]
    if table.get("Parameters"):
        written += ["TBLPROPERTIES (", *properties(table["Parameters"])]
        written[-1] = written[-1].removesuffix(", ") + ")"
    return _lines("createtab_stmt", written)


# By their first words; of two that begin alike, the longer one comes first.
_STATEMENTS: dict[tuple[str, ...], _Statement] = {
    ("create", "database"): _create_database,
    ("create", "schema"): _create_database,
    ("drop", "database"): _drop_database,
    ("drop", "schema"): _drop_database,
    ("create", "or", "replace", "view"): lambda cursor, database: _create_view(
        cursor, database, replace=True
    ),
    ("create", "view"): _create_view,
    ("drop", "view"): _drop_view,
    ("alter", "table"): _alter_table,
    ("msck", "repair", "table"): _repair_table,
    ("show", "databases"): _show_databases,
    ("show", "schemas"): _show_databases,
    ("show", "tables"): _show_tables,
    ("show", "views"): lambda cursor, database: _show_tables(cursor, database, views=True),
    ("show", "partitions"): _show_partitions,
    ("show", "columns"): _show_columns,
    ("show", "create", "view"): _show_create_view,
    ("show", "create", "table"): _show_create_table,
    ("describe",): _describe,
    ("desc",): _describe,
}


# ---------------------------------------------------------------------- executions and results


@replaces(athena, "_start_query_execution", digest="405753f7beaf")
def _start_query_execution(original: Any, data: dict[str, Any]) -> Any:
    """Executions: parameters for question marks; results lie at the output location itself, DDL's as text."""
    query = data.get("QueryString", "")
    data = dict(data)
    if data.get("ExecutionParameters"):
        try:
            statement = athena_sql.bind(athena_sql.parse(query), data["ExecutionParameters"])
        except SqlError as error:
            return athena.error_response_json("InvalidRequestException", str(error), 400)
        data["QueryString"] = statement.sql(dialect="athena")
    workgroup = (athena._workgroups.get(data.get("WorkGroup", "primary")) or {}).get("Configuration") or {}
    location = (data.get("ResultConfiguration") or {}).get("OutputLocation")
    shared = (workgroup.get("ResultConfiguration") or {}).get("OutputLocation")
    if shared and (not location or str(workgroup.get("EnforceWorkGroupConfiguration")).lower() == "true"):
        location = shared
    if location:
        output = location if location.endswith("/") else f"{location}/"
        data["ResultConfiguration"] = {**(data.get("ResultConfiguration") or {}), "OutputLocation": output}
    answer = original(data)
    if answer[0] == 200:
        # The execution is a task of this event loop, which has not begun it yet.
        execution = athena._executions[json.loads(answer[2])["QueryExecutionId"]]
        execution["Query"] = query
        if execution["StatementType"] != "DML":
            found = execution["ResultConfiguration"]
            found["OutputLocation"] = f"{found['OutputLocation'].removesuffix('.csv')}.txt"
    return answer


@replaces(athena, "_detect_statement_type", digest="1a8b8cdf038c")
def _statement_type(original: Any, query: str) -> str:
    """VALUES and TABLE are queries: their results have a header, and are CSV"""
    cursor = athena._Cursor(query)
    while cursor.punct("("):
        pass
    return "DML" if cursor.name() in ("values", "table") else str(original(query))


@replaces(athena, "_save_query_results", digest="4ff2ac770a74")
async def _save_query_results(_original: Any, query_id: str) -> None:
    """Result files: every field quoted, NULL as nothing between commas; DDL's as plain lines."""
    execution = athena._executions[query_id]
    results = execution["_results"]
    if execution["StatementType"] == "DML":
        lines = [results["columns"], *results["rows"]]
        body = "".join(",".join(map(_csv_field, line)) + "\n" for line in lines)
    else:
        body = "".join("\t".join(value or "" for value in row) + "\n" for row in results["rows"])
    location = urlsplit(execution["ResultConfiguration"]["OutputLocation"])
    key = location.path.removeprefix("/")
    metadata = json.dumps(dict(zip(results["columns"], execution["_column_types"], strict=True)))
    for name, content in ((key, body), (f"{key}.metadata", metadata)):
        headers = {"content-type": "application/octet-stream", "host": "s3.localhost"}
        status, _headers, answer = await s3.handle_request(
            "PUT", f"/{location.netloc}/{name}", headers, content.encode(), {}, internal=True
        )
        if status >= 300:
            raise SqlError(f"Unable to verify/create output bucket {location.netloc}: {answer.decode()}")


def _csv_field(value: str | None) -> str:
    return "" if value is None else '"' + value.replace('"', '""') + '"'


@replaces(athena, "_get_query_results", digest="abd778cbcf28")
def _get_query_results(original: Any, data: dict[str, Any]) -> Any:
    """Result pages: the row of column names is one of the first page's MaxResults rows."""
    execution = athena._executions.get(data.get("QueryExecutionId")) or {}
    most = int(data.get("MaxResults") or 1000)
    if execution.get("StatementType") == "DML" and not data.get("NextToken") and most > 1:
        return original({**data, "MaxResults": most - 1})
    return original(data)
