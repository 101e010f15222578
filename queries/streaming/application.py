"""The streaming queries as one Flink job (PyFlink, Python 3.11): counts that are exact, at any scale.

On Managed Service for Apache Flink its properties are the group `suite` of the application; the zip that runs
there holds this file, the `*.sql` beside it, `_user_agents.py` of the shared layer and its data, and the
connector for Kinesis (docs/log_streaming.md). Locally::

    .venv/flink/bin/python queries/streaming/application.py --records records.tsv --results folder

This file, and what it imports of the shared layer, runs on Python 3.11: Flink has no release for 3.13.
"""

import argparse
import importlib.util
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from pyflink.table import (  # type: ignore[import-not-found, unused-ignore]
    DataTypes,
    EnvironmentSettings,
    Schema,
    TableDescriptor,
    TableEnvironment,
)
from pyflink.table.udf import udf  # type: ignore[import-not-found, unused-ignore]

_HERE = Path(__file__).resolve().parent
QUERIES = ("bots_per_second", "bytes_per_second", "top_viewers")
_PROPERTIES = Path("/etc/flink/application_properties.json")
_AGENTS = (
    _HERE / "_user_agents.py",
    _HERE.parents[1] / "layers/shared/shared/access_log/_user_agents.py",
)
_RECORDS = {"format": "csv", "csv.field-delimiter": "\t", "csv.disable-quote-character": "true"}


@cache
def _agents() -> Any:
    path = next(path for path in _AGENTS if path.exists())
    spec = importlib.util.spec_from_file_location("_user_agents", path)
    if spec is None or spec.loader is None:
        raise ImportError(str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.UserAgents()


@udf(result_type=DataTypes.BOOLEAN())  # type: ignore[untyped-decorator, unused-ignore]
def is_bot(user_agent: str) -> bool:
    """Whether a raw user agent is a bot's, as everywhere in the suite."""
    return bool(_agents()[user_agent].is_bot)


def run(source: dict[str, str], results: str, *, wait: bool) -> None:
    """Start the job.

    Args:
        source: Options of the table of records.
        results: Where each query gets a folder of JSON lines.
        wait: Until the records end, as those of a file do.
    """
    environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    configuration = environment.get_config()
    configuration.set("table.local-time-zone", "UTC")
    # Files are finished at checkpoints; the managed service sets its own interval.
    configuration.set("execution.checkpointing.interval", "10 s")
    configuration.set("python.executable", sys.executable)
    configuration.set("python.client.executable", sys.executable)
    environment.create_temporary_function("is_bot", is_bot)
    options = ",\n  ".join(f"'{name}' = '{value}'" for name, value in source.items())
    environment.execute_sql((_HERE / "source.sql").read_text().replace("${source}", options))
    statements = environment.create_statement_set()
    for name in QUERIES:
        table = environment.sql_query((_HERE / f"{name}.sql").read_text())
        columns = table.get_schema()
        schema = Schema.new_builder().from_fields(columns.get_field_names(), columns.get_field_data_types())
        sink = TableDescriptor.for_connector("filesystem").schema(schema.build())
        environment.create_temporary_table(
            name, sink.option("path", f"{results}/{name}").format("json").build()
        )
        statements.add_insert(name, table)
    job = statements.execute()
    if wait:
        job.wait()


def main() -> None:
    """Run on a file, or, without one, as the service's properties say."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=Path, help="real-time log records, one a line")
    parser.add_argument("--results", type=Path, help="folder for the results")
    given = parser.parse_args()
    if given.records:
        source = {"connector": "filesystem", "path": given.records.resolve().as_uri(), **_RECORDS}
        run(source, given.results.resolve().as_uri(), wait=True)
        return
    groups = json.loads(_PROPERTIES.read_text())
    properties = next(group["PropertyMap"] for group in groups if group["PropertyGroupId"] == "suite")
    source = {
        "connector": "kinesis",
        "stream.arn": properties["stream"],
        "aws.region": properties["region"],
        **_RECORDS,
    }
    run(source, properties["results"], wait=False)


if __name__ == "__main__":
    main()
