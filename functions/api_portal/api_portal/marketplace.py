"""What AWS Marketplace tells, of both eras: messages of SNS, events of EventBridge.

Listings made before June 2026 have a topic of SNS each; its messages name product and customer, no licence,
and no time: that is in SNS's envelope. `isFreeTrialTermPresent` is text, `"false"` too, and nothing follows
from it here: usage in a trial is metered, and AWS prices it at nothing.
https://docs.aws.amazon.com/marketplace/latest/userguide/saas-notification.html

Listings since then have agreements, several of one buyer at once, each with its licence. A direct sale is
told twice, to the `Proposer` and to the `Manufacturer`; both are one fact. Events of agreements name no
licence, those of licences name their agreement.
https://docs.aws.amazon.com/marketplace/latest/userguide/notifications-eventbridge.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared import strict_json
from shared.batches import PermanentError

from .subscription import Kind

__all__ = ["AgreementEnd", "CustomerChange", "LicenceChange", "Nothing", "full_arn", "licence_of", "parse"]

SOURCE = "aws.agreement-marketplace"

_ACTIONS: dict[str, Kind] = {
    "subscribe-success": "began",
    "subscribe-fail": "failed",
    "unsubscribe-pending": "ending",
    "unsubscribe-success": "ended",
}
_LICENCE_EVENTS: dict[str, Kind] = {"License Updated": "began", "License Deprovisioned": "ended"}
_AGREEMENT_EVENTS = {"Purchase Agreement Created", "Purchase Agreement Amended", "Purchase Agreement Ended"}
_FOLLOWED = {"RENEWED", "REPLACED"}
_ROLE = re.compile(r" - (?:Proposer|Manufacturer)$")
_LICENCE = re.compile(r"(?:^|[:/])(l-[0-9a-f]{32})$")
# "Length Constraints: Maximum length of 255", and no closer pattern; they become parts of keys:
# https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_ResolveCustomer.html
_NAME = re.compile(r"[!-~]{1,255}")


@dataclass(frozen=True, slots=True)
class CustomerChange:
    """A fact about a customer's subscription, of SNS's era.

    Attributes:
        topic: ARN of the topic that told it.
        product: The product's code.
        customer: Marketplace's identifier of the customer.
        kind: Of the fact.
        moment: When SNS took it, in milliseconds since the epoch.
    """

    topic: str
    product: str
    customer: str
    kind: Kind
    moment: int


@dataclass(frozen=True, slots=True)
class LicenceChange:
    """A fact about a licence.

    Attributes:
        product: The product's code.
        licence: `l-...`.
        agreement: The agreement's id, `agmt-...`.
        kind: Of the fact.
        moment: When it happened, in milliseconds since the epoch.
    """

    product: str
    licence: str
    agreement: str
    kind: Kind
    moment: int


@dataclass(frozen=True, slots=True)
class AgreementEnd:
    """An agreement ended, and no other follows.

    Attributes:
        product: The product's code.
        agreement: The agreement's id.
        moment: When it happened, in milliseconds since the epoch.
    """

    product: str
    agreement: str
    moment: int


@dataclass(frozen=True, slots=True)
class Nothing:
    """A message from which nothing follows.

    Attributes:
        reason: Why.
    """

    reason: str


def parse(body: str) -> CustomerChange | LicenceChange | AgreementEnd | Nothing:
    """What a message of the queue tells.

    Args:
        body: SNS's notification as queues get it, or an event of EventBridge.

    Raises:
        PermanentError: It is neither, or a part of it is missing or wrong.
    """
    message = _object(body, "the message")
    if message.get("Type") == "Notification":
        return _of_sns(message)
    if message.get("source") == SOURCE:
        return _of_eventbridge(message)
    raise PermanentError("neither SNS's nor AWS Marketplace's event")


def licence_of(arn: str) -> str:
    """A licence's id, `l-...`, from its ARN, which comes with and without `arn:` at its beginning.

    Raises:
        PermanentError: There is none.
    """
    found = _LICENCE.search(arn.strip())
    if found is None:
        raise PermanentError("the licence's ARN is none")
    return found[1]


def full_arn(arn: str) -> str:
    """A licence's ARN as BatchMeterUsage wants it, which is with `arn:`; empty if there is none."""
    arn = arn.strip()
    return arn if not arn or arn.startswith("arn:") else f"arn:{arn}"


def _of_sns(envelope: Mapping[str, Any]) -> CustomerChange | Nothing:
    message = _object(_text(envelope, "Message", most=262_144), "SNS's message")
    action = _text(message, "action")
    if action == "entitlement-updated":
        return Nothing("entitlements: contracts are not sold here")
    if action not in _ACTIONS:
        raise PermanentError("another action")
    return CustomerChange(
        topic=_name(envelope, "TopicArn"),
        product=_name(message, "product-code"),
        customer=_name(message, "customer-identifier"),
        kind=_ACTIONS[action],
        moment=_moment(envelope, "Timestamp"),
    )


def _of_eventbridge(event: Mapping[str, Any]) -> LicenceChange | AgreementEnd | Nothing:
    what = _ROLE.sub("", _text(event, "detail-type"))
    detail = _member(event, "detail")
    if what in _LICENCE_EVENTS:
        return LicenceChange(
            product=_name(_member(detail, "product"), "code"),
            licence=licence_of(_text(_member(detail, "license"), "arn")),
            agreement=_name(_member(detail, "agreement"), "id"),
            kind=_LICENCE_EVENTS[what],
            moment=_moment(event, "time"),
        )
    if what not in _AGREEMENT_EVENTS:
        return Nothing("another event of agreements")
    agreement = _member(detail, "agreement")
    if what != "Purchase Agreement Ended":
        return Nothing("use begins with the licence")
    if agreement.get("status") in _FOLLOWED:
        return Nothing("another agreement follows")
    return AgreementEnd(
        product=_name(_member(detail, "product"), "code"),
        agreement=_name(agreement, "id"),
        moment=_moment(event, "time"),
    )


def _object(text: str, what: str) -> dict[str, Any]:
    try:
        value = strict_json.parse(text)
    except ValueError as error:
        raise PermanentError(f"{what} is not JSON") from error
    if not isinstance(value, dict):
        raise PermanentError(f"{what} is no object")
    return value


def _member(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    if not isinstance(value, dict):
        raise PermanentError(f"{name} is no object")
    return value


def _text(body: Mapping[str, Any], name: str, *, most: int = 1024) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise PermanentError(f"{name} is missing, or too long")
    return value


def _name(body: Mapping[str, Any], name: str) -> str:
    """An identifier; a blank before it is AWS's."""
    value = _text(body, name).strip()
    if not _NAME.fullmatch(value):
        raise PermanentError(f"{name} is no identifier")
    return value


def _moment(body: Mapping[str, Any], name: str) -> int:
    """A time-stamp with its zone, in milliseconds since the epoch."""
    try:
        found = datetime.fromisoformat(_text(body, name))
    except ValueError as error:
        raise PermanentError(f"{name} is no time") from error
    if found.tzinfo is None or not 2012 <= found.year < 2100:  # AWS Marketplace is of 2012
        raise PermanentError(f"{name} is no time of AWS Marketplace")
    return round(found.timestamp() * 1000)
