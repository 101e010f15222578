"""AWS Marketplace's book of products, purchases and metered usage: its checks, and what it counts once.

Without the emulator, so that it can be tested by itself. Facts without a source beside them are of
https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_BatchMeterUsage.html and
of the types on that page; botocore has its text, too.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Book", "MeteringError", "Product", "Purchase", "Record"]

type Era = Literal["agreements", "sns"]

HOUR = 3_600
# "Usage records aren't accepted 6 hours or more after an event." Since the autumn of 2026 the page says 24
# hours, but for the end of a month, when it still is 6: the shorter time is right under both.
OLDEST = 6 * HOUR
MOST_RECORDS = 25
MOST_BYTES = 1_000_000  # "each request must be less than 1 MB in size"
MOST_ALLOCATIONS = 2_500
MOST_TAGS = 5
# "You have one hour to meter any remaining usage for the customer." after the agreement has ended:
# https://docs.aws.amazon.com/marketplace/latest/userguide/saas-pricing-models.html
GRACE = HOUR
# The registration token "expires after 4 hours":
# https://docs.aws.amazon.com/marketplace/latest/userguide/saas-product-customer-setup.html
TOKEN_LIFE = 4 * HOUR


class MeteringError(Exception):
    """What Marketplace refuses a whole call with.

    Attributes:
        code: AWS's.
        message: In words.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class Product:
    """A SaaS product.

    Attributes:
        code: Product code.
        dimensions: What it is metered by.
        era: ``agreements``: listed since June 2026, with events on EventBridge and usage metered by licence.
            ``sns``: listed before, with notifications by SNS and usage metered by product and customer.
    """

    code: str
    dimensions: tuple[str, ...]
    era: Era


@dataclass
class Purchase:
    """What a buyer has bought.

    Attributes:
        product: Which.
        account: Of the buyer.
        customer: Customer identifier; empty for products of the era of agreements.
        agreement: Its id, ``agmt-...``.
        licence: ARN.
        since: When it was bought; Unix time, like the others.
        ended: When the agreement ended.
        deprovisioned: Whether the licence is taken away, after which nothing is metered.
    """

    product: Product
    account: str
    customer: str
    agreement: str
    licence: str
    since: float
    ended: float | None = None
    deprovisioned: bool = False

    def takes_usage(self, now: float) -> bool:
        """Tell whether usage may be metered now."""
        return not self.deprovisioned and (self.ended is None or now <= self.ended + GRACE)


@dataclass
class Record:
    """Usage that was accepted.

    Attributes:
        purchase: Whose.
        dimension: Of the product.
        hour: In which it was used; Unix time.
        quantity: Used.
        allocations: By tags.
        id: MeteringRecordId.
        sent: How often it was sent.
    """

    purchase: Purchase
    dimension: str
    hour: float
    quantity: int
    allocations: Any
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    sent: int = 1


class Book:
    """Everything that Marketplace knows of one seller.

    Attributes:
        products: By code.
        purchases: By licence ARN.
        tokens: Registration tokens, with purchase and time of issue.
        records: Accepted usage, by what makes it one: purchase or product, account, dimension and hour.
        unprocessed: How many of the next records come back unprocessed.
    """

    def __init__(self) -> None:
        self.products: dict[str, Product] = {}
        self.purchases: dict[str, Purchase] = {}
        self.tokens: dict[str, tuple[Purchase, float]] = {}
        self.records: dict[tuple[str, str, str, float], Record] = {}
        self.unprocessed = 0

    def resolve(self, token: str, now: float) -> Purchase:
        """Return the purchase that a registration token is for."""
        if token not in self.tokens:
            raise MeteringError("InvalidTokenException", "Registration token is invalid.")
        purchase, issued = self.tokens[token]
        if now >= issued + TOKEN_LIFE:
            raise MeteringError("ExpiredTokenException", "The submitted registration token has expired.")
        return purchase

    def meter(self, request: Mapping[str, Any], now: float) -> dict[str, Any]:
        """Return BatchMeterUsage's answer.

        Raises:
            MeteringError: The whole call is refused; nothing of it is counted.
        """
        records, code = _records(request), request.get("ProductCode")
        by_product = code is not None
        _check_form(records, by_product=by_product)
        purchases: list[Purchase | None]
        if by_product:
            product = self._legacy_product(str(code))
            purchases = [self._of_customer(product, each) for each in records]
        else:
            purchases = [self._of_licence(each) for each in records]
            product = _only_product(purchases)
        for record, purchase in zip(records, purchases, strict=True):
            _check_record(record, product, purchase, by_licence=not by_product, now=now)
        results: list[dict[str, Any]] = []
        unprocessed: list[dict[str, Any]] = []
        for record, purchase in zip(records, purchases, strict=True):
            if self.unprocessed > 0:
                self.unprocessed -= 1
                unprocessed.append(record)
            else:
                results.append({"UsageRecord": record} | self._take(record, purchase, by_product, now))
        return {"Results": results, "UnprocessedRecords": unprocessed}

    def _of_licence(self, record: Mapping[str, Any]) -> Purchase:
        purchase = self.purchases.get(record["LicenseArn"])
        if purchase is None or purchase.account != record["CustomerAWSAccountId"]:
            raise MeteringError(
                "InvalidLicenseException",
                "Ensure the LicenseArn is valid, matches the customer, and usage is within the license "
                "activation period.",
            )
        return purchase

    def _legacy_product(self, code: str) -> Product:
        if code not in self.products:
            raise MeteringError(
                "InvalidProductCodeException",
                "The product code passed does not match the product code used for publishing the product.",
            )
        product = self.products[code]
        if product.era == "agreements":
            raise _invalid("ProductCode is not supported for new integrations; use LicenseArn.")
        return product

    def _of_customer(self, product: Product, record: Mapping[str, Any]) -> Purchase | None:
        """Return a customer's newest purchase of a product; none if the customer has bought only others."""
        name = "customer" if "CustomerIdentifier" in record else "account"
        wanted = record.get("CustomerIdentifier") or record.get("CustomerAWSAccountId")
        found = [each for each in self.purchases.values() if getattr(each, name) == wanted]
        if not found:
            raise MeteringError(
                "InvalidCustomerIdentifierException",
                "You have metered usage for a CustomerIdentifier that does not exist.",
            )
        own = (each for each in found if each.product == product)
        return max(own, key=lambda each: each.since, default=None)

    def _take(
        self, record: Mapping[str, Any], purchase: Purchase | None, by_product: bool, now: float
    ) -> dict[str, str]:
        if purchase is None or not purchase.takes_usage(now):
            return {"Status": "CustomerNotSubscribed"}
        quantity, allocations = record.get("Quantity", 0), record.get("UsageAllocations")
        hour = record["Timestamp"] // HOUR * HOUR
        # With a product code a customer's licences are one: "Sending metering records with both ProductCode
        # and LicenseArn for the same customer within the same hour will result in duplicate billing."
        scope = purchase.product.code if by_product else purchase.licence
        key = (scope, purchase.account, record["Dimension"], hour)
        known = self.records.get(key)
        if known is None:
            known = self.records[key] = Record(purchase, record["Dimension"], hour, quantity, allocations)
        elif (known.quantity, known.allocations) == (quantity, allocations):
            known.sent += 1
        else:
            return {"Status": "DuplicateRecord"}
        return {"Status": "Success", "MeteringRecordId": known.id}


def _invalid(message: str) -> MeteringError:
    return MeteringError("ValidationException", message)


def _records(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    records = request.get("UsageRecords")
    if not isinstance(records, list) or not records:
        raise _invalid("UsageRecords must not be empty.")
    if len(records) > MOST_RECORDS:
        raise _invalid(
            "1 validation error detected: Value at 'usageRecords' failed to satisfy constraint: Member must "
            f"have length less than or equal to {MOST_RECORDS}"
        )
    if len(json.dumps(request).encode()) >= MOST_BYTES:
        raise _invalid("The request must be less than 1 MB in size.")
    return records


def _check_form(records: list[dict[str, Any]], *, by_product: bool) -> None:
    """Check that records name product and customer, or licence and account.

    "For new integrations using LicenseArn [...], do NOT include ProductCode at the request level." Customer
    identifier and account "are mutually exclusive".
    """
    for record in records:
        by_licence = "LicenseArn" in record
        named = {"CustomerIdentifier", "CustomerAWSAccountId"} & set(record)
        if by_licence and by_product:
            raise _invalid("ProductCode must not be sent with LicenseArn.")
        if not by_licence and not by_product:
            raise _invalid("Either ProductCode or the LicenseArn of each record is required.")
        if len(named) != 1 or (by_licence and named != {"CustomerAWSAccountId"}):
            raise _invalid(
                "A record needs CustomerAWSAccountId with LicenseArn, and one of CustomerIdentifier and "
                "CustomerAWSAccountId with ProductCode."
            )


def _only_product(purchases: Iterable[Purchase | None]) -> Product:
    product, *others = {each.product for each in purchases if each}
    if others:
        raise _invalid("Each BatchMeterUsage request is for only one product.")
    return product


def _check_record(
    record: Mapping[str, Any], product: Product, purchase: Purchase | None, *, by_licence: bool, now: float
) -> None:
    if record.get("Dimension") not in product.dimensions:
        raise MeteringError(
            "InvalidUsageDimensionException",
            "The usage dimension does not match one of the UsageDimensions associated with products.",
        )
    used = record.get("Timestamp")
    if not isinstance(used, int | float) or not isinstance(record.get("Quantity", 0), int):
        raise _invalid("A record needs a Timestamp, and a Quantity that is a whole number.")
    if not 0 <= record.get("Quantity", 0) < 2**31:
        raise _invalid("The Quantity must be between 0 and 2147483647.")
    # "Make sure the timestamp value is not before the start of the software usage." Usage is of hours: what
    # is stamped with the hour in which the product was bought is not before it.
    early = purchase is not None and used < purchase.since // HOUR * HOUR
    if early and by_licence:
        raise MeteringError("InvalidLicenseException", "The usage is before the license activation period.")
    if early or not now - OLDEST < used <= now:
        raise MeteringError(
            "TimestampOutOfBoundsException",
            "The timestamp value passed in the UsageRecord is out of allowed range.",
        )
    if "UsageAllocations" in record:
        _check_allocations(record)


def _check_allocations(record: Mapping[str, Any]) -> None:
    """Check usage that is split by tags: vendor-metered tagging."""
    buckets = [
        tuple(sorted((tag["Key"], tag["Value"]) for tag in each.get("Tags") or []))
        for each in record["UsageAllocations"]
    ]
    if any(len(tags) > MOST_TAGS or len({key for key, _ in tags}) < len(tags) for tags in buckets):
        raise MeteringError(
            "InvalidTagException", "The tag is invalid, or the number of tags is greater than 5."
        )
    if not 1 <= len(buckets) <= MOST_ALLOCATIONS:
        raise _invalid(f"UsageAllocations must have between 1 and {MOST_ALLOCATIONS} members.")
    # "The sum of all UsageAllocation quantities must equal the UsageQuantity", "and each UsageAllocation must
    # have a unique set of tags (include no tags)".
    total = sum(each["AllocatedUsageQuantity"] for each in record["UsageAllocations"])
    if total != record.get("Quantity", 0) or len(set(buckets)) < len(buckets):
        raise MeteringError(
            "InvalidUsageAllocationsException",
            "Sum of allocated usage quantities is not equal to the usage quantity.",
        )
