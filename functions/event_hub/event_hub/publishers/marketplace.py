"""AWS Marketplace: subscriptions by SNS, agreements and licences by EventBridge.

Shapes: https://docs.aws.amazon.com/marketplace/latest/userguide/saas-notification.html and
notifications-eventbridge.html. A customer's identifier may come with a blank before it.
"""

import re
from collections.abc import Mapping
from typing import Any

from ..facts import AgreementChange, Fact, Ignored, SubscriptionChange
from .reading import matching, optional, required

__all__ = ["from_event", "from_message"]

_LICENCE = re.compile(r"\bl-[0-9a-f]{32}\b")
_ROLE = re.compile(r" - (?:Proposer|Manufacturer|Acceptor)$")
_ACTIONS = {
    "subscribe-success",
    "subscribe-fail",
    "unsubscribe-pending",
    "unsubscribe-success",
    "entitlement-updated",
}


def from_message(body: Mapping[str, Any]) -> Fact | None:
    """A message of SNS, if it is one of AWS Marketplace."""
    if "action" not in body or "product-code" not in body:
        return None
    action = required(body, "action")
    if action not in _ACTIONS:
        return Ignored("marketplace: another action")
    customer = optional(body, "customer-identifier") or required(body, "customer-aws-account-id")
    return SubscriptionChange(action, required(body, "product-code"), customer)


def from_event(event: Mapping[str, Any]) -> Fact:
    """An event of EventBridge whose source is `aws.agreement-marketplace`."""
    detail = event["detail"]
    agreement, licence = detail.get("agreement"), detail.get("license")
    if not isinstance(agreement, dict):
        return Ignored("aws.agreement-marketplace: no agreement")
    return AgreementChange(
        _ROLE.sub("", event["detail-type"])[:80],
        required(agreement, "id"),
        matching(optional(licence, "arn"), _LICENCE) if isinstance(licence, dict) else "",
        optional(detail, "requestId"),
    )
