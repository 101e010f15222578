"""Meters subscriptions: fixes what each used in an hour, and tells AWS Marketplace, once.

Trigger: a schedule, every five minutes.
Input: EventBridge's scheduled event; nothing of it is read.
Output: records in the portal's table, sent to AWS Marketplace by BatchMeterUsage; keys revoked whose
    rotation or subscription is over.
On failure: what failed is done by the next invocation; the function raises at its end, and Lambda invokes
    it twice again, then sends the event to the dead-letter queue. A record that AWS Marketplace refuses for
    good, or that is too old, is `failed` with the reason, and the metric `MeteringRecordsFailed`, which has
    an alarm.
Idempotent: a quantity is fixed in the transaction that closes its hour, and sent as it was fixed, stamped
    with the hour of use. "Identical requests are idempotent and can be retried":
    https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_BatchMeterUsage.html.
    So a crash between any two steps, and two invocations at once, meter an hour once.
Recorded event: events/api_portal/metering_schedule.json
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from shared.clients import client
from shared.events import Event, eventbridge_detail
from shared.http import BusyError
from shared.metrics import count, publishes_metrics

from .hours import HOUR_MS, hour_start, iso
from .key_storage import KeyStorage
from .market import MAX_RECORDS, send
from .revocation import revoke_key, revoke_keys
from .settings import MeteringSettings, Product
from .subscription_storage import ChangingError, Record, Subscription, SubscriptionStorage
from .usage_table import UsageTable

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["Meter", "MeteringError", "handler"]

logger = Logger()

MAX_AGE_MS = 6 * HOUR_MS
"""The oldest usage that is sent. AWS Marketplace takes a day's, but at the end of a month: "you have a 6-hour
grace period to submit usage records for the previous billing month"
(https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_UsageRecord.html)."""


NO_DIMENSION = "-"
"""In place of the dimension of a record that fails because there is none."""

TELL_MS = 15 * 60_000
"""For how long each invocation tells of a record that failed: three of them."""


class MeteringError(Exception):
    """Something is not done, and the next invocation does it; the log says what."""


@publishes_metrics
def handler(event: Event, context: LambdaContext) -> None:  # noqa: ARG001
    """Meter what is due.

    Raises:
        ForeignEventError: The event is no schedule's.
        MeteringError: Something is not done.
    """
    eventbridge_detail(event, "aws.events")
    settings = MeteringSettings.from_env()
    Meter(settings).run()


class Meter:
    """An invocation of the metering.

    Args:
        settings: What is sold, and how.
        dynamodb: The client of the tables; this process's by default.
        gateway: That of API Gateway.
        market: That of AWS Marketplace's metering.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        settings: MeteringSettings,
        *,
        dynamodb: "DynamoDBClient | None" = None,
        gateway: "APIGatewayClient | None" = None,
        market: Any = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._storage = SubscriptionStorage(settings.portal_table, dynamodb)
        self._keys = KeyStorage(settings.portal_table, dynamodb)
        self._usage = UsageTable(settings.usage_table, dynamodb)
        self._gateway = gateway or client("apigateway")
        self._market = market or client("meteringmarketplace")
        self._clock = clock
        self._metered_by_gateway: dict[str, bool] = {}
        self._failures = 0

    def run(self) -> None:
        """Revoke keys, close hours, send records.

        Raises:
            MeteringError: Something is not done.
        """
        self._each(self._keys.rotated(self._clock()), self._revoke)
        margin = 1000 * self._settings.closing_seconds
        self._each(self._storage.open(self._now(), margin), self._close)
        self._each(self._batches(), self._send)
        self._tell_failed()
        if self._failures:
            raise MeteringError(f"not done: {self._failures}")

    def _each[T](self, items: Iterable[T], do: Callable[[T], None]) -> None:
        """Do something with each item; one that fails does not keep the others back."""
        for item in items:
            try:
                do(item)
            except (ClientError, BotoCoreError, BusyError, ChangingError):
                logger.exception("not done")
                self._failures += 1

    def _now(self) -> int:
        return round(1000 * self._clock())

    # ---- keys

    def _revoke(self, rotated: tuple[str, str]) -> None:
        visitor, key = rotated
        revoke_key(self._keys, visitor, key, self._clock())

    # ---- hours

    def _close(self, subscription: Subscription) -> None:
        """Fix the quantities of the hours that are over, one after another."""
        product = self._settings.product(subscription.product)
        until = self._now() - 1000 * self._settings.closing_seconds
        while (closes := subscription.hour_closes) is not None and closes <= until:
            if closes == subscription.facts.use_ends:  # again: a key may have been made at the same moment
                revoke_keys(self._keys, subscription.id, self._clock())
            record = self._record(subscription, product, closes)
            subscription = self._storage.close_hour(subscription, record, self._now())

    def _record(self, subscription: Subscription, product: Product | None, closes: int) -> Record | None:
        """What was used in the open hour; None if that is nothing, or API Gateway meters it."""
        hour = subscription.open_hour
        keys = [gateway_key for _, _, gateway_key in self._keys.of_subscription(subscription.id)]
        quantity = self._usage.calls(keys, hour, closes)
        if not quantity:
            return None
        reason, dimension = self._problem(product), product.dimension if product else ""
        if not dimension and not reason:
            return None
        return Record(
            subscription=subscription.id, product=subscription.product, dimension=dimension or NO_DIMENSION,
            hour=hour, quantity=quantity, stamp=max(hour_start(hour), closes - 1000),
            state="failed" if reason else "pending", reason=reason,
            account=subscription.account, customer=subscription.customer, licence=subscription.licence,
        )  # fmt: skip

    def _problem(self, product: Product | None) -> str:
        """Why use of a product cannot be billed; empty if it can."""
        if product is None:
            return "UnknownProduct"
        if not product.usage_plan:  # its application was switched off since
            return ""
        by_gateway = self._is_metered_by_gateway(product.usage_plan)
        if product.dimension:
            return "TwoMeters" if by_gateway else ""
        return "" if by_gateway else "NoMeter"

    def _is_metered_by_gateway(self, usage_plan: str) -> bool:
        """Whether API Gateway meters the plan: it does if the plan has a product code of its own."""
        if usage_plan not in self._metered_by_gateway:
            plan = self._gateway.get_usage_plan(usagePlanId=usage_plan)
            self._metered_by_gateway[usage_plan] = bool(plan.get("productCode"))
        return self._metered_by_gateway[usage_plan]

    # ---- records

    def _batches(self) -> Iterator[list[Record]]:
        """Pending records in batches of one product and one era."""
        waiting: defaultdict[tuple[str, bool], list[Record]] = defaultdict(list)
        for record in self._storage.pending(self._now()):
            batch = waiting[record.product, bool(record.licence)]
            batch.append(record)
            if len(batch) == MAX_RECORDS:
                yield waiting.pop((record.product, bool(record.licence)))
        yield from waiting.values()

    def _send(self, records: list[Record]) -> None:
        oldest = self._now() - MAX_AGE_MS
        young = [record for record in records if record.stamp >= oldest]
        for record in records:
            if record.stamp < oldest:
                self._storage.settle(record, self._now(), reason="TooOld")
        if not young:
            return
        verdicts = 0
        for record, sent_as, reason in send(self._market, young):
            self._storage.settle(record, self._now(), sent_as=sent_as, reason=reason)
            verdicts += 1
        count("MeteringRecordsSettled", verdicts)
        if verdicts < len(young):
            count("MeteringRecordsUnprocessed", len(young) - verdicts)
            logger.warning("records are not processed, and are sent again", records=len(young) - verdicts)

    def _tell_failed(self) -> None:
        """Have the alarm fire for records that failed, for a while: an invocation may end before it tells."""
        failed = list(self._storage.failed(self._now()))
        if failed:
            count("MeteringRecordsFailed", len(failed))
        for record, since in failed:
            logger.error(
                "record failed", subscription=record.subscription, hour=record.hour, reason=record.reason
            )
            if since <= iso(self._now() - TELL_MS):
                self._storage.told(record)
