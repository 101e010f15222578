"""What the roles may do, with the engine's IAM enforcement on."""

from __future__ import annotations

import time

import pytest

from local.clients.person import PersonAt
from local.suite import Suite
from tests.integration.log_streaming.conftest import Live
from tests.support.permissions import refused, unused
from tests.support.waiting import wait_until

# What Lambda's pollers and Athena do in the name of a role; the engine does it without asking.
BY_THE_SERVICE = {
    "Window": {
        "kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords",
        "kinesis:GetShardIterator", "kinesis:ListShards", "s3:ListBucket",
    },
    "Reduce": {
        "dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams",
        "s3:ListBucket", "s3:PutObject",  # test_flow.py has a minute that fails at every try
    },
    "Insights": {
        "glue:GetDatabase", "glue:GetTable", "glue:GetPartition", "glue:GetPartitions",
        "glue:BatchGetPartition", "s3:GetBucketLocation", "s3:ListBucket", "s3:GetObject", "s3:PutObject",
        "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
    },
}  # fmt: skip


@pytest.fixture
def used(suite: Suite, live: Live, person: PersonAt) -> None:
    """Every flow has been used, and a record has been quarantined."""
    now = int(time.time())
    live.put([live.line(now, "EACCESS000000"), b"poison", live.line(now, "EACCESS000000")], shard=0)
    live.wait_for("EACCESS000000", range(now, now + 1), 2)
    wait_until(live.quarantined, seconds=30)
    person.get("overview")
    person.get("live")
    person.get("top_viewers")
    person.get("containers")


@pytest.mark.parametrize("part", BY_THE_SERVICE)
def test_allowed_actions_are_those_that_the_flows_use(suite: Suite, used: None, part: str) -> None:
    """Sufficiency: the flows pass with enforcement on. Necessity: none of the allowed actions goes unused."""
    assert refused(suite, f"{part}Function") == []
    left = unused(suite, f"{part}Function") - BY_THE_SERVICE[part]
    assert left == set(), "allowed, but no flow used it"
