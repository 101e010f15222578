"""What services publish to topics: where IAM is enforced, the topic's policy has to let them.

Auto Scaling is not among them: it publishes with a role of the account, its own or a hook's.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from ministack import app as emulator
from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy
from ministack.core.responses import get_account_id, get_region
from ministack.services import sns

from local.engine.delivery import to_topic
from local.engine.patching import pin

__all__ = ["DMS", "ELASTICACHE", "GLACIER", "RDS", "REDSHIFT", "SNOWBALL", "Publisher", "publish"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Publisher:
    """A service as topics' policies see it.

    Attributes:
        principal: Its service principal.
        has_source: Whether its requests have the source's ARN and account, beside the source's owner.
    """

    principal: str
    has_source: bool = True


# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.GrantingPermissions.html
RDS = Publisher("events.rds.amazonaws.com")
# Not documented in so many words; what lets the topic's owner publish (`aws:SourceOwner`) lets these, too.
DMS = Publisher("dms.amazonaws.com")
REDSHIFT = Publisher("redshift.amazonaws.com")
GLACIER = Publisher("glacier.amazonaws.com")
SNOWBALL = Publisher("snowball.amazonaws.com")
# "The Amazon SNS topic's access policy must use the aws:SourceOwner condition key. If the policy uses
# aws:SourceAccount [...], ElastiCache cannot publish":
# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ElastiCacheSNS.html
ELASTICACHE = Publisher("elasticache.amazonaws.com", has_source=False)


def publish(publisher: Publisher, topic: str, source: str, body: str, *, subject: str = "") -> None:
    """Publish to a topic in the name of a service.

    Args:
        publisher: The service.
        topic: ARN.
        source: ARN of what the message is about.
        body: Of the message.
        subject: Of the message; none if empty.
    """
    if not _may_publish(publisher, topic, source):
        _logger.warning("%s may not publish to %s: the topic's policy", publisher.principal, topic)
    elif not to_topic(topic, body, subject=subject):
        _logger.warning("topic %s does not exist; its message is lost", topic)


def _may_publish(publisher: Publisher, topic: str, source: str) -> bool:
    if not emulator.AUTH or topic not in sns._topics:
        return True
    account = get_account_id()
    keys = {"aws:sourceowner": account}
    if publisher.has_source:
        keys |= {"aws:sourceaccount": account, "aws:sourcearn": source}
    # The service itself asks, as no principal of the account: `sns.topic_policy_allows` of the emulator.
    context = EvalContext(
        principal_arn="*", principal_type="Service", principal_account="", action="sns:Publish",
        resource_arn=topic, region=get_region(), service_context=keys,
    )  # fmt: skip
    policy = sns._topics[topic]["attributes"].get("Policy")
    return bool(evaluate_resource_policy(policy, context, service=publisher.principal).decision == "Allow")


pin(sns, "topic_policy_allows", "2c5001e5af7e")
