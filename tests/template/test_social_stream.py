"""The social stream's part of the template, and the SQL that it takes from queries/social_stream/."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ops.template import deployed
from queries import SOCIAL, sql
from tests.support.template import references, source, transformed

RESOURCES = transformed("aws")["Resources"]
SOCIAL_RESOURCES = {name: resource for name, resource in RESOURCES.items() if name.startswith("Social")}


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {name: each["Properties"] for name, each in SOCIAL_RESOURCES.items() if each["Type"] == kind}


def test_every_saved_query_is_a_resource_in_the_workgroup() -> None:
    queries = of_type("AWS::Athena::NamedQuery")
    assert {query["Name"]: query["QueryString"] for query in queries.values()} == {
        name: sql(name) for name in SOCIAL
    }
    assert {query["WorkGroup"]["Ref"] for query in queries.values()} == {"SocialWorkGroup"}


@pytest.mark.parametrize("name", SOCIAL)
def test_saved_queries_count_distinct_posts_and_look_at_few_partitions(name: str) -> None:
    text = re.sub("--.*", "", sql(name))
    assert "count(DISTINCT tweet_id)" in text
    partitions, _, rows = text.partition("approx_post_time")
    assert "?" in partitions, "partitions are chosen"
    assert "?" in rows, "and rows in them"


def test_partitions_are_projected_where_firehose_writes() -> None:
    [stream] = of_type("AWS::KinesisFirehose::DeliveryStream").values()
    [table] = (each["TableInput"] for each in of_type("AWS::Glue::Table").values())
    prefix = stream["ExtendedS3DestinationConfiguration"]["Prefix"]
    assert prefix == "dynamodb/streams/transactions/!{timestamp:yyyy/MM/dd/HH}/"
    template = table["Parameters"]["storage.location.template"]["Fn::Sub"]
    assert template.endswith("/dynamodb/streams/transactions/${!year}/${!month}/${!day}/${!hour}/")
    keys = [key["Name"] for key in table["PartitionKeys"]]
    assert keys == ["year", "month", "day", "hour"]
    for key in keys:
        assert table["Parameters"][f"projection.{key}.type"] == "integer"
    assert table["Name"] == "twitterfeed"
    databases = {
        given: deployed({"EnableSocialStream": "true", "SocialDatabaseName": given}).resources[
            "SocialDatabase"
        ]
        for given in ("", "ddbtablestats")
    }
    assert {given: each.named for given, each in databases.items()} == {
        "": "suite_dev_ddbtablestats",
        "ddbtablestats": "ddbtablestats",
    }


def test_firehose_may_write_activity_and_its_errors_and_nothing_else() -> None:
    """The local engine does not enforce Firehose's role, so it is looked at here."""
    [policy] = RESOURCES["SocialDeliveryRole"]["Properties"]["Policies"]
    statements = {each["Sid"]: each for each in policy["PolicyDocument"]["Statement"]}
    assert {name: each["Action"] for name, each in statements.items()} == {
        "WriteObjects": ["s3:PutObject", "s3:AbortMultipartUpload"],
        "ListBucket": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
        "WriteLogs": "logs:PutLogEvents",
    }
    assert [each["Fn::Sub"] for each in statements["WriteObjects"]["Resource"]] == [
        "${SocialLakeBucket.Arn}/dynamodb/streams/transactions/*", "${SocialLakeBucket.Arn}/errors/*",
    ]  # fmt: skip


@pytest.mark.parametrize("part", ["Ingest", "Activity"])
def test_streams_bisect_retry_for_a_bounded_time_and_keep_failures(part: str) -> None:
    mapping = RESOURCES[f"Social{part}Mapping"]["Properties"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"]
    assert 1 <= mapping["MaximumRetryAttempts"] <= 10
    assert mapping["MaximumRecordAgeInSeconds"] <= 86_400, "less than the stream keeps them"
    assert references(mapping["DestinationConfig"], {"SocialFailuresBucket"})


def test_ingest_takes_batches_of_100_and_activity_new_items_alone() -> None:
    assert RESOURCES["SocialIngestMapping"]["Properties"]["BatchSize"] == 100
    [pattern] = RESOURCES["SocialActivityMapping"]["Properties"]["FilterCriteria"]["Filters"]
    assert pattern == {"Pattern": '{"eventName":["INSERT"]}'}


def test_failed_write_requests_are_kept_whole() -> None:
    function = RESOURCES["SocialWriteFunction"]["Properties"]
    assert references(function["DeadLetterConfig"], {"SocialDeadLetterQueue"})
    assert RESOURCES["SocialDeadLetterQueue"]["Properties"]["MessageRetentionPeriod"] == 14 * 86_400


def test_quicksight_is_on_aws_alone_and_behind_its_switch() -> None:
    kinds = {"AWS::QuickSight::DataSource", "AWS::QuickSight::DataSet", "AWS::QuickSight::Analysis"}
    found = {each["Type"]: each["Condition"] for each in SOCIAL_RESOURCES.values() if each["Type"] in kinds}
    assert found == dict.fromkeys(kinds, "SocialQuickSight")
    conditions = [each["Condition"] for each in source()["Conditions"]["SocialQuickSight"]["Fn::And"]]
    assert {"OnAws", "QuickSight"} <= set(conditions)


def test_records_can_be_encrypted_and_the_layer_comes_with_the_key() -> None:
    layers = source()["Resources"]["SocialIngestFunction"]["Properties"]["Layers"]["Fn::If"]
    assert layers == [
        "SocialEncrypted",
        [{"Ref": "SharedLayer"}, {"Ref": "CryptoLayer"}],
        [{"Ref": "SharedLayer"}],
    ]
    assert RESOURCES["SocialRecordKey"]["Condition"] == "SocialEncrypted"


def test_saved_queries_bound_the_years_that_are_projected() -> None:
    """Without it Athena projects every hour of sixteen years: 142,848 partitions."""
    for name in SOCIAL:
        where = sql(name).partition("WHERE ")[2]
        assert where.startswith(("year IN (?, ?)", "year BETWEEN ? AND ?")), name
