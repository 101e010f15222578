# ruff: noqa: S608 - queries name the test's own database
"""Athena, through boto3: tables of the Glue catalog over objects in S3."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ops.paths import ROOT
from tests.integration.engine.lake import LAZY, OPENX, Lake
from tests.support.cloud import Cloud

PARQUET = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"


# What the emulator answers otherwise, or not at all.
FUNCTIONS = {
    "from_iso8601_timestamp('2026-01-02T03:04:05Z')": "2026-01-02 03:04:05.000 UTC",
    "date_parse('02/Jan/2026 03:04', '%d/%b/%Y %H:%i')": "2026-01-02 03:04:00.000",
    "date_format(timestamp '2026-01-02 03:04:05', '%Y-%m-%d %H:%i')": "2026-01-02 03:04",
    "date_add('hour', -25, timestamp '2026-01-02 03:04:05')": "2026-01-01 02:04:05.000",
    "date_add('day', 1, date '2026-01-02')": "2026-01-03",
    "date '2026-01-02' - interval '1' day": "2026-01-01",
    "cast(date '2026-01-02' - interval '1' day as varchar)": "2026-01-01",
    "split_part('a-b', '-', 3)": None,
    "regexp_extract('GET /a/b', '^(\\w+) (/\\S*)', 2)": "/a/b",
    "regexp_extract('abc', '\\d+')": None,
    "regexp_like('Googlebot/2.1', '(?i)googlebot')": "true",
    "regexp_replace('a1b2', '(\\d)', '<$1>')": "a<1>b<2>",
    'json_extract_scalar(\'{"a":{"b":"c"}}\', \'$.a.b\')': "c",
    "json_extract_scalar('no json', '$.a')": None,
    "element_at(array[1, 2], 2)": "2",
    "element_at(map(array['a'], array[7]), 'a')": "7",
    "cardinality(array[1, 2, 3])": "3",
    "url_extract_parameter('http://a/b?x=1&y=a%20b', 'y')": "a b",
    "format_datetime(timestamp '2026-01-02 03:04:05', 'yyyy/MM/dd HH')": "2026/01/02 03",
    "7 / 2": "3",
    "transform(array[1, 2], x -> x * 2)": "[2, 4]",
    "cast(row(1, 'a') as row(n integer, s varchar))": "{n=1, s=a}",
    "1e10": "1.0E10",
    "url_decode(split_part(regexp_extract('x=Mozilla%2F5.0%20(X', 'x=(.*)', 1), ' ', 1))": "Mozilla/5.0 (X",
    "try(cast('a' as integer))": None,
    "to_unixtime(from_iso8601_timestamp('2026-01-02T03:04:05Z'))": "1.767323045E9",
    "hour(timestamp '2026-01-02 03:04:05') + year(date '2026-01-02')": "2029",
}


def test_presto_functions(lake: Lake) -> None:
    found = {expression: lake.value(expression) for expression in FUNCTIONS}
    assert found == FUNCTIONS


def test_presto_aggregates(lake: Lake) -> None:
    lake.table("t", "k string, n bigint, x double")
    lake.put("t/a.json", "\n".join(json.dumps({"k": "ab"[n % 2], "n": n, "x": n / 2}) for n in range(101)))
    assert lake.rows(
        """
        SELECT approx_percentile(n, 0.5), approx_distinct(k), max_by(k, n), min_by(k, n), count_if(n > 90),
               arbitrary(k) IN ('a', 'b'), map_agg(k, 1), bool_or(n > 99), every(n >= 0), avg(x)
        FROM t
        """
    ) == [("50", "2", "a", "a", "10", "true", "{a=1, b=1}", "true", "true", "25.0")]
    assert lake.rows(
        "SELECT u.e, count(*) FROM t CROSS JOIN UNNEST(array[k, 'c']) AS u(e) GROUP BY 1 ORDER BY 1"
    ) == [
        ("a", "51"),
        ("b", "50"),
        ("c", "101"),
    ]


def test_unnamed_columns_types_and_result_files(lake: Lake) -> None:
    execution = lake.start("SELECT 'a \"b\"', CAST(NULL AS varchar), '', 1.5e0, true AS yes, bigint '3'")
    location = execution["ResultConfiguration"]["OutputLocation"]
    assert location == f"s3://{lake.bucket}/results/{execution['QueryExecutionId']}.csv"
    stored = lake.cloud.client("s3").get_object(Bucket=lake.bucket, Key=location.split("/", 3)[3])
    assert stored["Body"].read().decode() == (
        '"_col0","_col1","_col2","_col3","yes","_col5"\n"a ""b""",,"","1.5","true","3"\n'
    )
    answer = lake.cloud.client("athena").get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    columns = answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    assert [column["Type"] for column in columns] == [
        "varchar",
        "varchar",
        "varchar",
        "double",
        "boolean",
        "bigint",
    ]


def test_pages_count_the_header_as_a_row(lake: Lake) -> None:
    execution = lake.start("SELECT n FROM UNNEST(sequence(1, 5)) AS t(n) ORDER BY n")
    pages = (
        lake.cloud.client("athena")
        .get_paginator("get_query_results")
        .paginate(QueryExecutionId=execution["QueryExecutionId"], PaginationConfig={"PageSize": 2})
    )
    found = [[row["Data"][0]["VarCharValue"] for row in page["ResultSet"]["Rows"]] for page in pages]
    assert found == [["n", "1"], ["2", "3"], ["4", "5"]]


def test_failing_statements_say_why(lake: Lake) -> None:
    lake.table("t", "a string")
    for sql, reason in {
        "SELEC 1": "NOT_SUPPORTED|SYNTAX_ERROR",
        "SELECT * FROM nothing": "TABLE_NOT_FOUND",
        "SELECT * FROM nowhere.nothing": "SCHEMA_NOT_FOUND",
        "SELECT b FROM t": "COLUMN_NOT_FOUND",
        "SELECT (": "SYNTAX_ERROR",
    }.items():
        assert lake.failure(sql).startswith(tuple(reason.split("|")))


def test_execution_parameters(lake: Lake) -> None:
    assert lake.rows("SELECT ? || ?, ? + 1", ExecutionParameters=["'it''s '", "'x'", "41"]) == [
        ("it's x", "42")
    ]


def test_gzipped_tab_separated_text_with_short_rows_and_nulls(lake: Lake) -> None:
    lake.table(
        "logs",
        "logdate date, bytes bigint, time double, ok boolean, at timestamp, name string",
        serde=LAZY,
        serde_parameters={"field.delim": "\t", "serialization.format": "\t"},
        skip__header__line__count="1",
    )
    lake.put(
        "logs/x.gz",
        "header\n"
        '2026-01-02\t12\t0.5\ttrue\t2026-01-02 03:04:05.678\ta "quoted" name\n'
        "\\N\tnot a number\t\\N\n"
        "2026-01-03\t1\t2\tfalse\t2026-01-02 03:04:05\tlast\tone too many\n",
    )
    assert lake.rows("SELECT * FROM logs ORDER BY name") == [
        ("2026-01-02", "12", "0.5", "true", "2026-01-02 03:04:05.678", 'a "quoted" name'),
        ("2026-01-03", "1", "2.0", "false", "2026-01-02 03:04:05.000", "last"),
        (None, None, None, None, None, None),
    ]


def test_json_keys_in_any_case_and_nested_types(lake: Lake) -> None:
    lake.table(
        "posts",
        "user_id string, tweetid bigint, tags array<string>, place string, at timestamp",
        serde_parameters={"mapping.place": "Where"},
    )
    lake.put(
        "posts/a",
        '{"User_Id":"a","tweetid":12345678901,"tags":["x","y"],"Where":{"c":1},'
        '"at":"2026-01-02 03:04:05.678"}\n{"user_id":"b"}\n',
    )
    assert lake.rows("SELECT *, cardinality(tags) FROM posts ORDER BY user_id") == [
        ("a", "12345678901", "[x, y]", '{"c":1}', "2026-01-02 03:04:05.678", "2"),
        ("b", None, None, None, None, None),
    ]


def test_parquet_by_column_names(lake: Lake, tmp_path: Path) -> None:
    target = tmp_path / "a.parquet"
    program = f"import duckdb; duckdb.sql(\"SELECT 1 AS B, 'x' AS A\").write_parquet({str(target)!r})"
    subprocess.run([ROOT / ".venv/engine/bin/python", "-c", program], check=True)
    lake.table("p", "a string, b bigint, missing double", serde=PARQUET)
    lake.put("p/a.parquet", target.read_bytes())
    assert lake.rows("SELECT * FROM p") == [("x", "1", None)]


def test_empty_tables_have_no_rows(lake: Lake) -> None:
    lake.table("e", "a string, n bigint", partitions="dt string")
    lake.put("e/_SUCCESS", "x")
    assert lake.rows("SELECT * FROM e WHERE dt = '2026'") == []
    assert lake.rows("SELECT count(*), sum(n / 2), max(date_parse(a, '%Y')) FROM e") == [("0", None, None)]


def test_partitions_are_those_of_the_catalog(lake: Lake) -> None:
    lake.table("h", "n bigint", partitions="year string, month int")
    for folder, number in (("h/2026/01", 1), ("h/2026/02", 2), ("h/year=2027/month=3", 3), ("h/stray", 9)):
        lake.put(f"{folder}/a.json", json.dumps({"n": number}))
    base = f"s3://{lake.bucket}/h"
    assert lake.rows("SELECT * FROM h") == []
    lake.rows(
        f"ALTER TABLE h ADD IF NOT EXISTS PARTITION (year = '2026', month = 1) LOCATION '{base}/2026/01/' "
        f"PARTITION (year = '2026', month = 2) LOCATION '{base}/2026/02'"
    )
    lake.rows("MSCK REPAIR TABLE h")
    assert lake.rows("SELECT year, month, n FROM h ORDER BY n") == [
        ("2026", "1", "1"),
        ("2026", "2", "2"),
        ("2027", "3", "3"),
    ]
    assert lake.rows("SELECT n FROM h WHERE month > 1 AND year = '2026'") == [("2",)]
    assert lake.rows("SHOW PARTITIONS h") == [
        ("year=2026/month=1",),
        ("year=2026/month=2",),
        ("year=2027/month=3",),
    ]
    lake.rows("ALTER TABLE h DROP PARTITION (year = '2026', month = '1')")
    assert lake.rows("SELECT sum(n) FROM h") == [("5",)]
    assert "already exists" in lake.failure("ALTER TABLE h ADD PARTITION (year = '2026', month = 2)")


def projection(**columns: dict[str, str]) -> dict[str, Any]:
    given = {
        f"projection__{column}__{name}": value
        for column, settings in columns.items()
        for name, value in settings.items()
    }
    return {"projection__enabled": "true", **given}


def test_projected_partitions_need_no_catalog(lake: Lake) -> None:
    number = {"type": "integer"}
    lake.table(
        "stream",
        "n bigint",
        partitions="year string, month string, day string, hour string",
        location="streams",
        **projection(
            year=number | {"range": "2020,2040"},
            month=number | {"range": "1,12", "digits": "2"},
            day=number | {"range": "1,31", "digits": "2"},
            hour=number | {"range": "0,23", "digits": "2"},
        ),
        storage__location__template=f"s3://{lake.bucket}/streams/${{year}}/${{month}}/${{day}}/${{hour}}/",
    )
    for folder, value in (
        ("2026/01/02/03", 1),
        ("2026/11/02/03", 2),
        ("2019/01/02/03", 8),
        ("2026/1/2/3", 9),
    ):
        lake.put(f"streams/{folder}/a.gz", json.dumps({"n": value}))
    assert lake.rows("SELECT year, month, day, hour, n FROM stream ORDER BY n") == [
        ("2026", "01", "02", "03", "1"),
        ("2026", "11", "02", "03", "2"),
    ]
    assert lake.rows("SELECT n FROM stream WHERE year || month = '202611'") == [("2",)]


def test_projected_dates_enums_and_injected_values(lake: Lake) -> None:
    lake.table(
        "d",
        "n bigint",
        partitions="dt string, kind string, tenant string",
        **projection(
            dt={
                "type": "date",
                "format": "yyyy/MM/dd/HH",
                "range": "2026/01/01/00,NOW",
                "interval.unit": "HOURS",
            },
            kind={"type": "enum", "values": "good,bad"},
            tenant={"type": "injected"},
        ),
        storage__location__template=f"s3://{lake.bucket}/d/${{tenant}}/${{kind}}/${{dt}}",
    )
    for key in (
        "t1/good/2026/01/02/03",
        "t2/bad/2026/01/02/04",
        "t1/ugly/2026/01/02/03",
        "t1/good/2999/01/01/00",
    ):
        lake.put(f"d/{key}/a.json", '{"n":1}')
    assert lake.rows("SELECT * FROM d WHERE tenant = 't1'") == [("1", "2026/01/02/03", "good", "t1")]
    assert lake.rows("SELECT count(*) FROM d WHERE tenant IN ('t1', 't2') AND dt >= '2026/01/02/04'") == [
        ("1",)
    ]
    assert lake.failure("SELECT * FROM d").startswith("CONSTRAINT_VIOLATION")


def test_views_that_keep_one_row_of_each(lake: Lake) -> None:
    lake.table("raw", "filename string, linenumber bigint, logdate date, n bigint", partitions="hour string")
    for hour in ("01", "02"):
        rows = [{"filename": "f", "linenumber": line, "logdate": "2026-01-02", "n": line} for line in (1, 2)]
        lake.put(f"raw/hour={hour}/a.json", "\n".join(map(json.dumps, rows)))
    lake.rows("MSCK REPAIR TABLE raw")
    lake.rows(
        """
        CREATE OR REPLACE VIEW once AS
        WITH numbered AS (
          SELECT *, row_number() OVER (PARTITION BY filename, linenumber ORDER BY hour) AS nth FROM raw
        )
        SELECT filename, linenumber, logdate, n, hour FROM numbered WHERE nth = 1
        """
    )
    lake.rows(f"CREATE VIEW {lake.database}.twice AS SELECT o.n * 2 AS double_n FROM once AS o")
    assert lake.rows("SELECT count(*), sum(n) FROM once") == [("2", "3")]
    assert lake.rows(
        f"SELECT once.n, t.double_n FROM {lake.database}.once "
        f"JOIN {lake.database}.twice t ON t.double_n = {lake.database}.once.n * 2 "
        "WHERE logdate BETWEEN date '2026-01-03' - interval '1' day AND current_date ORDER BY 1"
    ) == [("1", "2"), ("2", "4")]
    assert lake.rows("SHOW VIEWS") == [("once",), ("twice",)]
    assert lake.rows("SHOW TABLES '*w*'") == [("raw",), ("twice",)]
    table = lake.cloud.client("glue").get_table(DatabaseName=lake.database, Name="once")["Table"]
    assert table["TableType"] == "VIRTUAL_VIEW"
    assert {"Name": "logdate", "Type": "date"} in table["StorageDescriptor"]["Columns"]
    lake.rows("DROP VIEW twice")
    assert "does not exist" in lake.failure("SELECT * FROM twice")


def test_databases_tables_and_their_descriptions(lake: Lake) -> None:
    name = f"{lake.database}_more"
    lake.rows(f"CREATE DATABASE IF NOT EXISTS {name} COMMENT 'more'")
    lake.rows(
        f"CREATE EXTERNAL TABLE {name}.`t` (`a` string, n bigint COMMENT 'count') PARTITIONED BY (dt string) "
        f"ROW FORMAT SERDE '{OPENX}' LOCATION 's3://{lake.bucket}/t/'"
    )
    assert lake.rows(f"SHOW TABLES IN {name}") == [("t",)]
    assert (name,) in lake.rows("SHOW DATABASES")
    described = [row[0] or "" for row in lake.rows(f"DESCRIBE {name}.t")]
    assert [line.split()[:2] for line in described[:3]] == [
        ["a", "string"],
        ["n", "bigint"],
        ["dt", "string"],
    ]
    assert lake.rows(f"SHOW COLUMNS IN {name}.t") == [("a",), ("n",), ("dt",)]
    assert lake.rows(f"SHOW CREATE TABLE {name}.t")[0] == (f"CREATE EXTERNAL TABLE `{name}.t`(",)
    assert "not empty" in lake.failure(f"DROP DATABASE {name}")
    execution = lake.start(f"DROP TABLE {name}.t")
    assert execution["ResultConfiguration"]["OutputLocation"].endswith(".txt")
    lake.rows(f"DROP SCHEMA {name}")
    assert (name,) not in lake.rows("SHOW SCHEMAS")


def test_tables_of_cloudformation(cloud: Cloud) -> None:
    lake = Lake(cloud)
    column = [{"Name": "id", "Type": "string"}, {"Name": "amount", "Type": "double"}]
    cloud.deploy(
        {
            "Resources": {
                "Table": {
                    "Type": "AWS::Glue::Table",
                    "Properties": {
                        "CatalogId": {"Ref": "AWS::AccountId"},
                        "DatabaseName": lake.database,
                        "TableInput": {
                            "Name": "cfn_json",
                            "TableType": "EXTERNAL_TABLE",
                            "Parameters": {
                                "projection.enabled": True,
                                "projection.dt.type": "date",
                                "projection.dt.format": "yyyy-MM-dd",
                                "projection.dt.range": "NOW-3YEARS,NOW+1DAY",
                            },
                            "PartitionKeys": [{"Name": "dt", "Type": "date"}],
                            "StorageDescriptor": {
                                "Columns": column,
                                "Location": f"s3://{lake.bucket}/cfn/",
                                "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
                                "SerdeInfo": {"SerializationLibrary": OPENX},
                            },
                        },
                    },
                },
                "Group": {
                    "Type": "AWS::Athena::WorkGroup",
                    "Properties": {
                        "Name": lake.database,
                        "WorkGroupConfiguration": {
                            "EnforceWorkGroupConfiguration": True,
                            "ResultConfiguration": {"OutputLocation": f"s3://{lake.bucket}/shared"},
                        },
                    },
                },
            }
        }
    )
    lake.put("cfn/dt=2026-01-02/a.json", '{"id":"x","amount":1.5}')
    lake.put("cfn/dt=2001-01-02/a.json", '{"id":"old","amount":1.5}')
    assert lake.rows("SELECT * FROM cfn_json WHERE dt > date '2026-01-01'") == [("x", "1.5", "2026-01-02")]
    execution = lake.start("SELECT 1", WorkGroup=lake.database)
    assert execution["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{lake.bucket}/shared/")


@pytest.mark.ours_only
def test_saved_queries(lake: Lake) -> None:
    athena = lake.cloud.client("athena")
    saved = athena.create_named_query(Name="top", Database=lake.database, QueryString="SELECT 1 AS one")
    query = athena.get_named_query(NamedQueryId=saved["NamedQueryId"])["NamedQuery"]
    assert lake.rows(query["QueryString"]) == [("1",)]
    assert saved["NamedQueryId"] in athena.list_named_queries()["NamedQueryIds"]


def test_queries_see_new_and_changed_objects(lake: Lake) -> None:
    lake.table("t", "n bigint", partitions="dt string")
    lake.put("t/dt=a b/x.json", '{"n":1}')
    lake.rows("MSCK REPAIR TABLE t")
    assert lake.rows("SELECT dt, n FROM t") == [("a b", "1")]
    lake.put("t/dt=a b/x.json", '{"n":2}')
    lake.put("t/dt=a b/y.json", '{"n":3}')
    assert lake.rows("SELECT n FROM t ORDER BY n") == [("2",), ("3",)]
