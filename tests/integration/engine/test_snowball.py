"""Snowball: jobs, whose state the engine's door moves on and publishes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.engine.answers import only, refusal, subscribed
from tests.integration.engine.doors import set_state
from tests.integration.engine.roles import as_role
from tests.support.cloud import Cloud

pytestmark = pytest.mark.ours_only  # the emulator does not have the service


def _job(cloud: Cloud, **notification: Any) -> str:
    bucket = {"BucketArn": "arn:aws:s3:::import"}
    answer = cloud.client("snowball").create_job(
        JobType="IMPORT", Resources={"S3Resources": [bucket]},
        AddressId="ADID1234ab12-3eec-4eb3-9be6-9374c10eb51b",
        RoleARN=f"arn:aws:iam::{cloud.account}:role/any", SnowballType="EDGE", Notification=notification,
    )  # fmt: skip
    return str(answer["JobId"])


def _found(cloud: Cloud, job: str) -> dict[str, Any]:
    return dict(cloud.client("snowball").describe_job(JobId=job)["JobMetadata"])


def test_a_job_is_described_with_its_state_and_bucket(cloud: Cloud) -> None:
    job = _job(cloud)
    assert _found(cloud, job)["JobState"] == "New"
    assert set_state(cloud, "snowball", job, "Complete") == ""
    found = _found(cloud, job)
    assert (found["JobState"], found["JobType"]) == ("Complete", "IMPORT")
    assert only(found["Resources"]["S3Resources"])["BucketArn"] == "arn:aws:s3:::import"
    assert "Complete" in set_state(cloud, "snowball", job, "Completed")
    absent = "JID00000000-0000-0000-0000-000000000000"
    assert refusal(cloud.client("snowball").describe_job, JobId=absent).startswith("InvalidResourceException")


def test_states_that_are_asked_for_are_published(cloud: Cloud) -> None:
    topic, url = subscribed(cloud)
    job = _job(cloud, SnsTopicARN=topic, JobStatesToNotify=["Complete", "InTransitToAWS"])
    for state in ("WithCustomer", "InTransitToAWS", "Complete"):
        assert set_state(cloud, "snowball", job, state) == ""
    envelopes = [json.loads(body) for body in cloud.messages(url)]
    texts = [envelope["Message"] for envelope in envelopes]
    assert texts[0] == f"Your AWS Snowball Edge for job {job} is in transit to AWS."
    assert texts[1].startswith(f"AWS Snowball Edge job {job} status changed to Completed.\n")
    assert [envelope["Subject"] for envelope in envelopes] == [
        "AWS Snowball Edge Notification", "AWS Snowball Edge Notification - Job completed",
    ]  # fmt: skip


def test_a_role_needs_the_permission_to_describe_jobs(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    job = _job(cloud)
    allowed = as_role(cloud, [{"Action": "snowball:DescribeJob", "Resource": "*"}], "snowball")
    assert allowed.describe_job(JobId=job)["JobMetadata"]["JobState"] == "New"
    other = as_role(cloud, [{"Action": "snowball:CreateJob", "Resource": "*"}], "snowball")
    assert refusal(other.describe_job, JobId=job).startswith("AccessDenied")
