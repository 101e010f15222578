"""The template's rules, on the engine's CloudFormation: what cannot work is refused before it is made."""

from __future__ import annotations

import json
import uuid

import boto3
import pytest
from botocore.exceptions import ClientError

from local.suite import Suite
from tests.support.template import source

SESSION = boto3.Session()
REGIONS = [
    (partition, region)
    for partition in SESSION.get_available_partitions()
    for region in SESSION.get_available_regions("cloudformation", partition)
]
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1"


def create(suite: Suite, region: str, **parameters: str) -> str:
    """Create a stack of the template's parameters and rules and one topic; why it was refused, or ""."""
    template = {
        "Parameters": source()["Parameters"],
        "Rules": source()["Rules"],
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
    }
    try:
        suite.engine.client("cloudformation", region).create_stack(
            StackName=f"rules-{uuid.uuid4().hex[:8]}",
            TemplateBody=json.dumps(template),
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
            ],
        )
    except ClientError as refusal:
        return str(refusal)
    return ""


@pytest.mark.parametrize(("partition", "region"), REGIONS)
def test_partitions_without_cloudfront_are_refused(suite: Suite, partition: str, region: str) -> None:
    refusal = create(suite, region, Target="aws")
    assert refusal == "" if partition == "aws" else "The pages need CloudFront" in refusal
    assert create(suite, region, Target="local") == ""


@pytest.mark.parametrize(
    ("settings", "accepted"),
    [
        ({"ImageDomainName": "images.example.com", "ImageCertificateArn": CERTIFICATE}, True),
        ({"ImageDomainName": "images.example.com"}, False),
        ({"ImageCertificateArn": CERTIFICATE}, False),
        ({"ImageDomainName": "images.example.com", "EnableImageDistribution": "false"}, True),
        ({"ImageDomainName": "images.example.com", "Target": "local"}, True),
    ],
)
def test_own_address_needs_a_certificate(suite: Suite, settings: dict[str, str], accepted: bool) -> None:
    refusal = create(suite, "eu-west-1", **settings)
    assert refusal == "" if accepted else "ImageDomainName and ImageCertificateArn go together" in refusal


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ImageCertificateArn", "arn:aws:acm:eu-west-1:123456789012:certificate/1"),
        ("ImageDomainName", "https://images.example.com"),
        ("ImageDomainName", "images.example.com/"),
        ("ImageMaxAgeSeconds", "-1"),
    ],
)
def test_wrong_settings_are_refused_by_name(suite: Suite, name: str, value: str) -> None:
    """A certificate is in us-east-1: "you must change the AWS region to US East (N. Virginia)" in ACM for it
    (https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cnames-and-https-requirements.html).
    """
    assert name in create(suite, "eu-west-1", **{name: value})
