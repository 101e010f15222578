"""What the roles may do, with the engine's IAM enforcement on."""

from __future__ import annotations

import pytest

from local.suite import Suite
from tests.conftest import Faults
from tests.integration.social_stream.conftest import Social, encoded
from tests.support.permissions import refused, unused
from tests.support.waiting import wait_until

# What Lambda's pollers do in the name of a role; the engine does it without asking.
BY_THE_SERVICE = {
    "Ingest": {
        "kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords",
        "kinesis:GetShardIterator", "kinesis:ListShards", "s3:ListBucket",
    },
    "Write": set[str](),
    "Activity": {
        "dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams",
        "s3:ListBucket", "s3:PutObject",  # test_failures.py has changes that fail at every try
    },
}  # fmt: skip


@pytest.fixture
def used(social: Social, faults: Faults) -> None:
    """Every flow has been used: fresh, late and encrypted posts, poison, and dead letters."""
    poison = f"poison of {social.prefix}".encode()
    social.put(social.post(1), poison, social.encrypted(encoded(social.post(3))))
    wait_until(lambda: social.distinct() == 2, seconds=30, what="two posts in the lake")
    wait_until(lambda: poison in social.quarantined(), seconds=30, what="a record in quarantine")
    late = {"posts": [social.post(2, RecordNum="1")], "fresh_until": 0}
    social.invoke("Write", late)
    faults.inject({"match": "dynamodb.PutItem", "rate": 1, "status": 400, "type": "ThrottlingException"})
    social.invoke("Write", late)
    assert len(social.dead_letters()) == 1


@pytest.mark.parametrize("part", BY_THE_SERVICE)
def test_allowed_actions_are_those_that_the_flows_use(suite: Suite, used: None, part: str) -> None:
    """Sufficiency: the flows pass with enforcement on. Necessity: none of the allowed actions goes unused."""
    assert refused(suite, f"Social{part}Function") == []
    left = unused(suite, f"Social{part}Function") - BY_THE_SERVICE[part]
    assert left == set(), "allowed, but no flow used it"
