"""The access logs' part of the template, and the SQL that it takes from queries/."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from ops.paths import ROOT
from queries import GENERATED, PARTITION_KEYS, SAVED, VIEWS, fragments, sql
from shared.access_log import COLUMNS
from tests.support.template import source, transformed

RESOURCES = transformed("aws")["Resources"]


def of_type(kind: str, part: str = "AccessLogs") -> dict[str, dict[str, Any]]:
    return {
        name: resource["Properties"]
        for name, resource in RESOURCES.items()
        if resource["Type"] == kind and part in name
    }


def test_fragments_are_what_queries_say() -> None:
    """If this fails, run `python -m queries`."""
    assert {path.name: path.read_text() for path in GENERATED.glob("*.yaml")} == fragments()


def test_fragments_have_no_short_forms_which_include_does_not_know() -> None:
    for path in GENERATED.glob("*.yaml"):
        tokens = list(yaml.scan(path.read_text(), Loader=yaml.SafeLoader))
        bad = (yaml.AnchorToken, yaml.AliasToken, yaml.TagToken)
        assert not [token for token in tokens if isinstance(token, bad)], path


def test_every_saved_query_and_every_view_is_a_resource() -> None:
    queries = of_type("AWS::Athena::NamedQuery")
    assert {query["Name"]: query["QueryString"] for query in queries.values()} == {
        name: sql(name) for name in SAVED
    }
    tables = of_type("AWS::Glue::Table")
    assert {table["TableInput"]["Name"] for table in tables.values()} == {"cf_logs", *VIEWS}


CONDITIONS = """logdate BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND requesttime >= ?
  AND requesttime < ?
  AND ? IN ('all', distribution)
  AND ? IN ('all', botcategory, CASE isbot WHEN 'True' THEN 'bots' END)
  AND ? IN ('all', CAST(status AS varchar), substr(CAST(status AS varchar), 1, 1) || 'xx')
"""


def test_saved_queries_ask_the_view_for_a_range_and_filters() -> None:
    """Never the table; dates bound what is scanned."""
    for name in SAVED:
        text = re.sub("--.*", "", sql(name))
        assert re.findall(r"FROM (\w+)", text) == ["cf_logs_by_request"], name
        before, _, after = text.partition(CONDITIONS)
        assert re.search(r"(WHERE|WHERE characters = CAST\(\? AS integer\)\s+AND) $", before), name
        assert after, f"{name} lacks the conditions that every panel of access logs has"


def test_table_is_delimited_by_tabs_and_partitioned_by_the_hour_of_delivery() -> None:
    table = RESOURCES["AccessLogsTable"]["Properties"]["TableInput"]
    assert {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]} == COLUMNS
    assert [key["Name"] for key in table["PartitionKeys"]] == list(PARTITION_KEYS)
    assert table["StorageDescriptor"]["SerdeInfo"]["Parameters"]["field.delim"] == "\t"


@pytest.mark.parametrize("name", VIEWS)
def test_view_is_written_as_athena_writes_one(name: str) -> None:
    [table] = [
        table["TableInput"]
        for table in of_type("AWS::Glue::Table").values()
        if table["TableInput"]["Name"] == name
    ]
    before, encoded, after = table["ViewOriginalText"]["Fn::Join"][1]
    assert (before, after) == ("/* Presto View: ", " */")
    definition = json.loads(encoded["Fn::Base64"]["Fn::Sub"])
    hive = {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}
    presto = {column["name"]: column["type"] for column in definition["columns"]}
    assert {column: kind.replace("string", "varchar") for column, kind in hive.items()} == presto
    assert definition["schema"] == "${AccessLogsDatabase}"
    assert set(re.findall(r"\$\{(\w+)\}", definition["originalSql"])) <= {"AccessLogsPartitionType"}


@pytest.mark.parametrize("part", ["Preprocess", "Partition"])
def test_messages_stay_invisible_for_six_times_the_functions_timeout(part: str) -> None:
    function = source()["Resources"][f"{part}Function"]["Properties"]
    [event] = function["Events"].values()
    queue = RESOURCES[event["Properties"]["Queue"]["Fn::GetAtt"][0]]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
    assert queue["RedrivePolicy"]["maxReceiveCount"]["Fn::If"][1] >= 5
    assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_only_our_buckets_of_our_account_may_send() -> None:
    [policy] = of_type("AWS::SQS::QueuePolicy").values()
    for statement in policy["PolicyDocument"]["Statement"]:
        assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
        assert "aws:SourceArn" in statement["Condition"]["ArnEquals"]
        assert "aws:SourceAccount" in statement["Condition"]["StringEquals"]


def test_buckets_are_encrypted_private_and_kept() -> None:
    buckets = {
        name: resource
        for name, resource in RESOURCES.items()
        if resource["Type"] == "AWS::S3::Bucket" and name.startswith("AccessLogs")
    }
    assert len(buckets) == 2
    for resource in buckets.values():
        assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
        assert all(resource["Properties"]["PublicAccessBlockConfiguration"].values())
        assert "BucketEncryption" in resource["Properties"]
        assert resource["Properties"]["LifecycleConfiguration"]["Rules"]
    rules = buckets["AccessLogsBucket"]["Properties"]["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerPreferred"}], "CloudFront's delivery needs ACLs"


def test_firehose_may_write_rows_and_its_errors_and_nothing_else() -> None:
    """The local engine does not enforce Firehose's role, so it is looked at here."""
    [policy] = RESOURCES["AccessLogsStreamRole"]["Properties"]["Policies"]
    statements = {each["Sid"]: each for each in policy["PolicyDocument"]["Statement"]}
    assert {name: each["Action"] for name, each in statements.items()} == {
        "WriteObjects": ["s3:PutObject", "s3:AbortMultipartUpload"],
        "ListBucket": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
        "WriteLogs": "logs:PutLogEvents",
    }
    bucket = "arn:${AWS::Partition}:s3:::${AWS::StackName}-access-rows-${AWS::AccountId}-${AWS::Region}"
    places = [each["Fn::Sub"].removeprefix(bucket) for each in statements["WriteObjects"]["Resource"]]
    destination = RESOURCES["AccessLogsStream"]["Properties"]["ExtendedS3DestinationConfiguration"]
    assert places == ["/2*", "/errors/firehose/*"]
    assert destination["Prefix"] == "!{timestamp:yyyy/MM/dd/HH}/"
    assert destination["ErrorOutputPrefix"].startswith("errors/firehose/!{firehose:error-output-type}/")
    assert destination["CompressionFormat"] == "GZIP"


def test_every_recorded_event_names_the_queue_as_s3_and_sqs_do() -> None:
    for path in [
        *(ROOT / "events/access_logs").glob("preprocess_*.json"),
        *(ROOT / "events/access_logs").glob("partition_*.json"),
    ]:
        for message in json.loads(path.read_text())["Records"]:
            assert message["eventSource"] == "aws:sqs"
            assert {"messageId", "receiptHandle", "body", "attributes", "eventSourceARN"} <= set(message)
