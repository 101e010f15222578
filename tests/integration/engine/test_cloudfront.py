"""CloudFront: a caller reference makes one distribution, of one configuration."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.integration.engine.answers import refusal
from tests.support.cloud import Cloud


def _control(cloud: Cloud) -> str:
    answer = cloud.client("cloudfront").create_origin_access_control(
        OriginAccessControlConfig={
            "Name": cloud.name("control"), "SigningProtocol": "sigv4", "SigningBehavior": "always",
            "OriginAccessControlOriginType": "s3",
        }
    )  # fmt: skip
    return str(answer["OriginAccessControl"]["Id"])


def _configuration(reference: str, control: str, **changes: Any) -> dict[str, Any]:
    origin = {
        "Id": "bucket", "DomainName": "import.s3.us-east-1.amazonaws.com", "OriginAccessControlId": control,
        "S3OriginConfig": {"OriginAccessIdentity": changes.pop("identity", "")},
    }  # fmt: skip
    return {
        "CallerReference": reference, "Comment": "import", "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {
            "TargetOriginId": "bucket", "ViewerProtocolPolicy": "redirect-to-https",
            "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
        },
    } | changes  # fmt: skip


def test_a_caller_reference_with_another_configuration_is_refused(cloud: Cloud) -> None:
    cloudfront, reference, control = cloud.client("cloudfront"), cloud.name("job"), _control(cloud)
    create = cloudfront.create_distribution
    first = create(DistributionConfig=_configuration(reference, control))["Distribution"]
    again = create(DistributionConfig=_configuration(reference, control))["Distribution"]
    assert again["Id"] == first["Id"]
    other = _configuration(reference, control, Comment="other")
    assert refusal(create, DistributionConfig=other).startswith("DistributionAlreadyExists")
    items = cloudfront.list_distributions()["DistributionList"]["Items"]
    assert [each["Id"] for each in items if each["Id"] == first["Id"]] == [first["Id"]]


def test_a_changed_distribution_still_has_its_reference(cloud: Cloud) -> None:
    cloudfront, reference, control = cloud.client("cloudfront"), cloud.name("job"), _control(cloud)
    made = cloudfront.create_distribution(DistributionConfig=_configuration(reference, control))
    changed = _configuration(reference, control, Comment="later")
    update = partial(cloudfront.update_distribution, Id=made["Distribution"]["Id"], IfMatch=made["ETag"])
    current = cloudfront.get_distribution_config(Id=made["Distribution"]["Id"])["DistributionConfig"]
    update(DistributionConfig=current | {"Comment": "later"})
    create = cloudfront.create_distribution
    assert refusal(create, DistributionConfig=changed).startswith("DistributionAlreadyExists")
    assert refusal(create, DistributionConfig=_configuration(reference, control)) == ""


def test_origin_access_controls_have_to_exist_and_stand_alone(cloud: Cloud) -> None:
    """API_CreateDistribution: InvalidOriginAccessControl, IllegalOriginAccessConfiguration."""
    create, control = cloud.client("cloudfront").create_distribution, _control(cloud)
    unknown = _configuration(cloud.name("job"), "E00000000UNKNOWN")
    assert refusal(create, DistributionConfig=unknown).startswith("InvalidOriginAccessControl")
    both = _configuration(cloud.name("job"), control, identity="origin-access-identity/cloudfront/E1")
    assert refusal(create, DistributionConfig=both).startswith("IllegalOriginAccessConfiguration")
