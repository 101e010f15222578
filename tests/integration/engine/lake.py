"""A bucket and a database in Athena, for tests."""

from __future__ import annotations

import gzip
from typing import Any

from tests.support.cloud import Cloud
from tests.support.waiting import wait_until

__all__ = ["CSV", "HIVE_JSON", "LAZY", "OPENX", "Lake"]

OPENX = "org.openx.data.jsonserde.JsonSerDe"
HIVE_JSON = "org.apache.hive.hcatalog.data.JsonSerDe"
LAZY = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
CSV = "org.apache.hadoop.hive.serde2.OpenCSVSerde"


class Lake:
    """A bucket, a database, and queries over them."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.bucket = cloud, cloud.name("lake")
        self.database = cloud.name("db").replace("-", "_")
        cloud.client("s3").create_bucket(Bucket=self.bucket)
        cloud.client("glue").create_database(DatabaseInput={"Name": self.database})

    def put(self, key: str, body: str | bytes) -> None:
        content = body.encode() if isinstance(body, str) else body
        if key.endswith(".gz"):
            content = gzip.compress(content)
        self.cloud.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content)

    def table(
        self,
        name: str,
        columns: str,
        *,
        serde: str = OPENX,
        serde_parameters: dict[str, str] | None = None,
        partitions: str = "",
        location: str = "",
        input_format: str = "org.apache.hadoop.mapred.TextInputFormat",
        **parameters: str,
    ) -> None:
        """Make a table; columns are written ``name type, name type``."""

        def typed(text: str) -> list[dict[str, str]]:
            depth = 0
            apart = [""]
            for character in text:
                depth += (character in "<(") - (character in ">)")
                apart[-1] += character if character != "," or depth else ""
                if character == "," and not depth:
                    apart.append("")
            pairs = [each.strip().split(" ", 1) for each in apart if each.strip()]
            return [{"Name": column, "Type": kind} for column, kind in pairs]

        self.cloud.client("glue").create_table(
            DatabaseName=self.database,
            TableInput={
                "Name": name,
                "TableType": "EXTERNAL_TABLE",
                "PartitionKeys": typed(partitions),
                "Parameters": {key.replace("__", "."): value for key, value in parameters.items()},
                "StorageDescriptor": {
                    "Columns": typed(columns),
                    "Location": f"s3://{self.bucket}/{location or name}/",
                    "InputFormat": input_format,
                    "SerdeInfo": {"Parameters": serde_parameters or {}}
                    | ({"SerializationLibrary": serde} if serde else {}),
                },
            },
        )

    def start(self, sql: str, **settings: Any) -> dict[str, Any]:
        """Run a statement to its end; the execution."""
        athena = self.cloud.client("athena")
        query = athena.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": self.database},
            ResultConfiguration={"OutputLocation": f"s3://{self.bucket}/results"},
            **settings,
        )["QueryExecutionId"]

        def ended() -> dict[str, Any]:
            execution = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
            return execution if execution["Status"]["State"] in ("SUCCEEDED", "FAILED") else {}

        return wait_until(ended, seconds=10)

    def rows(self, sql: str, **settings: Any) -> list[tuple[str | None, ...]]:
        """Run a statement that must succeed; its rows without the header."""
        execution = self.start(sql, **settings)
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]["StateChangeReason"]
        answer = self.cloud.client("athena").get_query_results(QueryExecutionId=execution["QueryExecutionId"])
        found = [
            tuple(datum.get("VarCharValue") for datum in row["Data"]) for row in answer["ResultSet"]["Rows"]
        ]
        return found[1:] if execution["StatementType"] == "DML" else found

    def value(self, expression: str) -> str | None:
        ((value,),) = self.rows(f"SELECT {expression}")
        return value

    def failure(self, sql: str) -> str:
        status = self.start(sql)["Status"]
        assert status["State"] == "FAILED"
        reason: str = status["StateChangeReason"]
        return reason
