"""AWS Marketplace's metering: a batch of records is sent, and each comes to a verdict.

BatchMeterUsage takes 25 records of one product at a time. A record is known by customer, licence or
product, dimension and hour. In the era of licences a record names account and licence, and the call no
product: "do NOT include `ProductCode` at the request level"; in SNS's era the call names the product, and a
record the customer.

What AWS Marketplace says of a record is final. What it does not process is to be sent again. Where it
refuses the whole call for what one record says, the halves are sent apart, down to that record.
https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_BatchMeterUsage.html
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from aws_lambda_powertools.logging import Logger
from botocore.exceptions import ClientError

from .hours import hour_of
from .marketplace import full_arn
from .subscription_storage import Record

__all__ = ["MAX_RECORDS", "Verdict", "send"]

logger = Logger()

MAX_RECORDS = 25
"""Of a call: "BatchMeterUsage can process up to 25 UsageRecords at a time"."""

# Refusals of a whole call that tell of a record; any other may be over by the next time.
_OF_A_RECORD = {
    "InvalidCustomerIdentifierException",
    "InvalidLicenseException",
    "InvalidProductCodeException",
    "InvalidUsageDimensionException",
    "TimestampOutOfBoundsException",
    "ValidationException",
}


class Verdict(NamedTuple):
    """What came of a record.

    Attributes:
        record: The record.
        sent_as: Marketplace's id of the metering record, if it took it.
        reason: Why it did not, for good.
    """

    record: Record
    sent_as: str = ""
    reason: str = ""


def send(market: Any, records: Sequence[Record]) -> Iterator[Verdict]:
    """Send records; a verdict on each, but for those that are to be sent again.

    Args:
        market: The client.
        records: At most 25 of one product and one era.

    Raises:
        ClientError: The call failed, and not for what a record says.
    """
    try:
        answer = market.batch_meter_usage(**_request(records))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in _OF_A_RECORD:
            raise
        if len(records) == 1:
            yield Verdict(records[0], reason=code)
            return
        half = len(records) // 2
        yield from send(market, records[:half])
        yield from send(market, records[half:])
        return
    sent = {_identity_of(record): record for record in records}
    for result in answer["Results"]:
        record = sent.get(_identity(result["UsageRecord"]))
        if record is None:  # it stays pending, and is sent again
            logger.error("a result is of no record that was sent", usage=str(result["UsageRecord"]))
        elif result["Status"] == "Success":
            yield Verdict(record, sent_as=result["MeteringRecordId"])
        else:
            yield Verdict(record, reason=result["Status"])


def _request(records: Sequence[Record]) -> dict[str, Any]:
    request: dict[str, Any] = {"UsageRecords": [_usage(record) for record in records]}
    return request if records[0].licence else request | {"ProductCode": records[0].product}


def _usage(record: Record) -> dict[str, Any]:
    customer = (
        {"CustomerAWSAccountId": record.account, "LicenseArn": record.licence}
        if record.licence
        else {"CustomerIdentifier": record.customer}
    )
    return {
        **customer,
        "Dimension": record.dimension,
        "Quantity": record.quantity,
        "Timestamp": datetime.fromtimestamp(record.stamp / 1000, UTC),
    }


def _identity_of(record: Record) -> tuple[str, str, str]:
    return _whose(record.licence, record.customer), record.dimension, record.hour


def _identity(usage: Mapping[str, Any]) -> tuple[str, str, str]:
    whose = _whose(usage.get("LicenseArn") or "", usage.get("CustomerIdentifier") or "")
    return whose, usage["Dimension"], hour_of(round(usage["Timestamp"].timestamp() * 1000))


def _whose(licence: str, customer: str) -> str:
    """A licence, whose ARN comes with and without `arn:`, or else a customer."""
    return full_arn(licence) or customer
