"""A job of Snowball is complete: serve the bucket that it filled by CloudFront.

Snowball Edge is closed to new customers, so this is off unless a parameter names buckets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from ..facts import Fact, SnowJobChange
from ..hub import Action, Hub, NothingError, code_of
from ..settings import Config

__all__ = ["CreateDistribution", "plan"]

DISTRIBUTIONS_A_DAY = 5
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
"""AWS's managed cache policy of this name."""


@dataclass(frozen=True)
class CreateDistribution(Action):
    """Create a distribution in front of a job's bucket; the job's id is its caller reference.

    The bucket's policy stays the owner's: it has to let the distribution read (docs/event_hub.md).
    """

    REACTION: ClassVar[str] = "distribute"
    job: str

    @property
    def key(self) -> str:
        """The job."""
        return f"distribution#{self.job}"

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Create it, if Snowball says that the job is complete: the text is documented nowhere."""
        metadata = hub.client("snowball").describe_job(JobId=self.job)["JobMetadata"]
        if metadata["JobState"] != "Complete" or metadata.get("JobType") != "IMPORT":
            raise NothingError(f"the job is {metadata['JobState']}")
        arns = [each["BucketArn"] for each in metadata.get("Resources", {}).get("S3Resources", [])]
        buckets = [arn.rpartition(":")[2] for arn in arns]
        allowed = [bucket for bucket in buckets if bucket in hub.config.imagery_buckets]
        hub.permit(f"serve {', '.join(buckets)}", among=allowed)
        hub.limit("distributions", most=DISTRIBUTIONS_A_DAY, seconds=86_400)
        distribution = _distribution(hub, self.job, allowed[0])
        hub.notify(
            self.key,
            f"Snowball job {self.job}",
            f"{allowed[0]} is served at https://{distribution['DomainName']}/ as soon as its bucket policy "
            f"lets {distribution['ARN']} read.",
        )
        return {"distribution": distribution["Id"]}


def _distribution(hub: Hub, job: str, bucket: str) -> dict[str, Any]:
    """Create a job's distribution, or find it: a caller reference serves once."""
    cloudfront = hub.client("cloudfront")
    wanted = configuration(job, bucket, hub.config)
    try:
        made: dict[str, Any] = cloudfront.create_distribution(DistributionConfig=wanted)["Distribution"]
    except ClientError as error:
        if code_of(error) != "DistributionAlreadyExists":
            raise
        for page in cloudfront.get_paginator("list_distributions").paginate():
            for each in page["DistributionList"].get("Items", []):
                if each["Comment"] == wanted["Comment"]:
                    return dict(each)
        raise
    return made


def configuration(job: str, bucket: str, config: Config) -> dict[str, Any]:
    """The distribution's configuration. The same reference with the same one returns what is there."""
    return {
        "CallerReference": job,
        "Comment": f"Imported by {job}",
        "Enabled": True,
        "HttpVersion": "http2and3",
        "PriceClass": "PriceClass_100",
        "Origins": {
            "Quantity": 1,
            "Items": [
                {
                    "Id": "bucket",
                    "DomainName": f"{bucket}.s3.{config.region}.amazonaws.com",
                    "OriginAccessControlId": config.imagery_access_control,
                    "S3OriginConfig": {"OriginAccessIdentity": ""},
                }
            ],
        },
        "DefaultCacheBehavior": {
            "TargetOriginId": "bucket",
            "ViewerProtocolPolicy": "redirect-to-https",
            "CachePolicyId": CACHING_OPTIMIZED,
            "Compress": True,
        },
    }


def plan(fact: Fact, _: Config) -> tuple[Action, ...]:
    """A look at the job whenever Snowball tells of it."""
    return (CreateDistribution(fact.job_id),) if isinstance(fact, SnowJobChange) else ()
