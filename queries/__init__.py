"""The SQL of Athena, and what the template takes of it (``python -m queries`` writes ``generated/``).

``<app>/*.sql`` are an application's saved queries, found by its name, ``<app>/views/*.sql`` its views;
``streaming/`` is Flink's. CloudFormation cannot read SQL: for each
query, view and most tables there is a fragment with the resource's properties, which the template includes by
``AWS::Include`` (it knows no short forms such as ``!Ref``). A test holds them equal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from ec2_monitor.documents import COLUMNS as EC2_COLUMNS
from shared.access_log import COLUMNS

__all__ = [
    "EC2",
    "EC2_VIEWS",
    "GENERATED",
    "PARTITION_KEYS",
    "PREFIXES",
    "QUERIES",
    "SAVED",
    "SOCIAL",
    "VIEWS",
    "fragments",
    "sql",
]

_HERE = Path(__file__).parent
GENERATED = _HERE / "generated"
# What the logical ids of an application's database and workgroup begin with, if that is not its name.
_SHORT = {"social_stream": "Social", "ec2_monitor": "Ec2"}
QUERIES = {
    path.stem: path.parent.name
    for path in sorted(_HERE.glob("*/*.sql"))
    if path.parent.name != "streaming"  # Flink's
}
"""Every saved query, and whose it is. A name is that of a panel too, so no two applications have the same."""
PREFIXES = {
    application: _SHORT.get(application, "".join(word.capitalize() for word in application.split("_")))
    for application in QUERIES.values()
}
SAVED, SOCIAL, EC2 = (
    [name for name, application in QUERIES.items() if application == asked]
    for asked in ("access_logs", "social_stream", "ec2_monitor")
)
VIEWS = sorted(path.stem for path in (_HERE / "access_logs/views").glob("*.sql"))
EC2_VIEWS = sorted(path.stem for path in (_HERE / "ec2_monitor/views").glob("*.sql"))
PARTITION_KEYS = ("year", "month", "day", "hour")
_DATABASE = {"Ref": "AccessLogsDatabase"}
_PRESTO = {"string": "varchar", "array<string>": "array(varchar)"}
_HEADER = "# Written by `python -m queries` from queries/; do not edit.\n"


def sql(name: str) -> str:
    """Return the text of a saved query, its leading comment included."""
    return (_HERE / QUERIES[name] / f"{name}.sql").read_text()


def fragments() -> dict[str, str]:
    """Return the fragments: file name to content."""
    made = {"cf_logs": _table()}
    columns = {
        **COLUMNS,
        "requesthour": "string",
        "requesttime": "string",
        **dict.fromkeys(PARTITION_KEYS, "string"),
    }
    made |= {name: _view(_HERE / f"access_logs/views/{name}.sql", "AccessLogs", columns) for name in VIEWS}
    made["ec2_calls_delivered"] = _ec2_table()
    columns = {**EC2_COLUMNS, "hour": "string"}
    made |= {
        f"ec2_view_{name}": _view(_HERE / f"ec2_monitor/views/{name}.sql", "Ec2", columns)
        for name in EC2_VIEWS
    }
    made |= {name: _saved(name, PREFIXES[application]) for name, application in QUERIES.items()}
    return {f"{name}.yaml": _HEADER + _yaml(properties) for name, properties in made.items()}


def _table() -> dict[str, Any]:
    bucket = {"Fn::Sub": "s3://${AccessLogsProcessedBucket}/"}
    return {
        "CatalogId": {"Ref": "AWS::AccountId"},
        "DatabaseName": _DATABASE,
        "TableInput": {
            "Name": "cf_logs",
            "Description": "Rows as they were delivered, some perhaps twice; ask the views instead",
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE", "classification": "csv", "compressionType": "gzip"},
            "PartitionKeys": [{"Name": name, "Type": "string"} for name in PARTITION_KEYS],
            "StorageDescriptor": {
                "Location": bucket,
                "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
                "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                "Compressed": True,
                "SerdeInfo": {
                    "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
                    "Parameters": {"field.delim": "\t", "serialization.format": "\t"},
                },
                "Columns": [{"Name": name, "Type": kind} for name, kind in COLUMNS.items()],
            },
        },
    }


def _ec2_table() -> dict[str, Any]:
    """Make the table of documents; its partitions are worked out, never registered."""
    location = "s3://${Ec2CallsBucket}/calls/"
    return {
        "CatalogId": {"Ref": "AWS::AccountId"},
        "DatabaseName": {"Ref": "Ec2Database"},
        "TableInput": {
            "Name": "calls_delivered",
            "Description": "Calls as they were delivered, some perhaps twice; the view calls has each once",
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {
                "EXTERNAL": "TRUE",
                "classification": "json",
                "compressionType": "gzip",
                "projection.enabled": "true",
                "projection.hour.type": "date",
                "projection.hour.format": "yyyy/MM/dd/HH",
                "projection.hour.range": {"Fn::Sub": "NOW-${Ec2RecordDays}DAYS,NOW+1HOURS"},
                "projection.hour.interval": "1",
                "projection.hour.interval.unit": "HOURS",
                "storage.location.template": {"Fn::Sub": f"{location}${{!hour}}/"},
            },
            "PartitionKeys": [{"Name": "hour", "Type": "string"}],
            "StorageDescriptor": {
                "Location": {"Fn::Sub": location},
                "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
                "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                "Compressed": True,
                "SerdeInfo": {
                    "SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe",
                    "Parameters": {"mapping.event_time": "@timestamp"},
                },
                "Columns": [{"Name": name, "Type": kind} for name, kind in EC2_COLUMNS.items()],
            },
        },
    }


def _view(path: Path, application: str, columns: dict[str, str]) -> dict[str, Any]:
    """Make a view as Athena itself stores one: a table whose text is the encoded definition."""
    comment, text = _parts(path.read_text())
    database = f"{application}Database"
    definition = {
        "originalSql": text.replace("${columns}", ", ".join(columns)),
        "catalog": "awsdatacatalog",
        "schema": f"${{{database}}}",
        "columns": [{"name": column, "type": _PRESTO.get(kind, kind)} for column, kind in columns.items()],
    }
    encoded = {"Fn::Base64": {"Fn::Sub": json.dumps(definition)}}
    return {
        "CatalogId": {"Ref": "AWS::AccountId"},
        "DatabaseName": {"Ref": database},
        "TableInput": {
            "Name": path.stem,
            "Description": comment.partition(". ")[0].rstrip("."),
            "TableType": "VIRTUAL_VIEW",
            "Parameters": {"presto_view": "true", "comment": "Presto View"},
            "PartitionKeys": [],
            "StorageDescriptor": {
                "SerdeInfo": {},
                "Columns": [{"Name": column, "Type": kind} for column, kind in columns.items()],
            },
            "ViewOriginalText": {"Fn::Join": ["", ["/* Presto View: ", encoded, " */"]]},
            "ViewExpandedText": "/* Presto View */",
        },
    }


def _saved(name: str, application: str) -> dict[str, Any]:
    comment, _ = _parts(sql(name))
    return {
        "Name": name,
        "Description": comment.partition(" Parameters:")[0].rstrip("."),
        "Database": {"Ref": f"{application}Database"},
        "WorkGroup": {"Ref": f"{application}WorkGroup"},
        "QueryString": sql(name),
    }


def _parts(text: str) -> tuple[str, str]:
    """Return the leading comment as one line, and the statement."""
    lines = text.splitlines()
    comment = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
    return " ".join(comment), "\n".join(line for line in lines if not line.startswith("--"))


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and repeats a value instead of giving it an anchor."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _yaml(properties: dict[str, Any]) -> str:
    written: str = yaml.dump(properties, Dumper=_Dumper, sort_keys=False, width=118, allow_unicode=True)
    return written
