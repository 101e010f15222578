"""The metering on tables and a market in memory, which a crash may stop at each call to AWS.

The market is the engine's own book (`local.engine.services.metering`) with a clock that can be set; requests
are checked by botocore's model of the service. Beside it is the way of a public sample, written anew from its
description: an hourly job reads what is pending, adds it up by customer and dimension, and puts it into a
queue; who receives it sends it stamped with the present, and marks it afterwards
(https://github.com/aws-samples/aws-marketplace-serverless-saas-integration).
Tests and the benchmark use both.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from io import StringIO
from typing import Any

import botocore.session
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from api_portal.hours import hour_of
from api_portal.metering import Meter
from api_portal.settings import MeteringSettings
from api_portal.subscription_storage import Subscription, SubscriptionStorage
from local.engine.services.metering import Book, MeteringError, Product, Purchase
from local.memory_table import MemoryTable
from shared.usage import MINUTE

__all__ = ["RECEIVED_AGAIN_S", "Crash", "Market", "Sample", "Stop", "World"]

START = 1_795_168_800  # 2026-11-20T10:00:00Z
RECEIVED_AGAIN_S = 30
"""When the sample's queue has a message again that was not done: SQS's default, which it leaves."""
CODE, DIMENSION = "imagesproduct", "calls"


class Crash(BaseException):
    """The process ended here; nothing in it may catch this."""


@dataclass
class Stop:
    """Where a process ends.

    Attributes:
        call: The number of the call to AWS, from 1; 0 for nowhere.
        behind: Whether the call is carried out first.
        only: Count calls of this name alone; all if empty.
        calls: How many there were.
    """

    call: int = 0
    behind: bool = False
    only: str = ""
    calls: int = 0

    def around(self, client: Any) -> Any:
        """A client whose calls count."""
        return _Stopping(client, self)


class _Stopping:
    def __init__(self, client: Any, stop: Stop) -> None:
        self._client, self._stop = client, stop

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name == "get_paginator":
            return lambda operation: _Stopping(found(operation), self._stop)
        return found if name in ("exceptions", "meta") else self._counted(name, found)

    def _counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(**request: Any) -> Any:
            stop = self._stop
            stop.calls += not stop.only or stop.only == name
            here = stop.call == stop.calls and (not stop.only or stop.only == name)
            if here and not stop.behind:
                raise Crash
            answer = call(**request)
            if here:
                raise Crash
            return answer

        return counted


@cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("meteringmarketplace")


def _check(operation: str, request: dict[str, Any]) -> None:
    """Refuse a request that boto3 would not send."""
    report = ParamValidator().validate(request, _model().operation_model(operation).input_shape)
    if report.has_errors():
        raise AssertionError(report.generate_report())


@contextmanager
def _refusals(operation: str) -> Iterator[None]:
    """Raise the book's refusals as boto3 does."""
    try:
        yield
    except MeteringError as error:
        raise ClientError({"Error": {"Code": error.code, "Message": error.message}}, operation) from error


class Market:
    """AWS Marketplace's metering as boto3 has it, on a book and a clock.

    Args:
        book: Products, purchases, and what was accepted.
        clock: Seconds since the epoch.
    """

    def __init__(self, book: Book, clock: Callable[[], float]) -> None:
        self._book, self._clock = book, clock
        self.requests: list[dict[str, Any]] = []

    def batch_meter_usage(self, **request: Any) -> dict[str, Any]:
        _check("BatchMeterUsage", request)
        self.requests.append(request)
        with _refusals("BatchMeterUsage"):
            answer = self._book.meter(_with_times(request, datetime.timestamp), self._clock())
        return dict(_with_times(answer, lambda moment: datetime.fromtimestamp(moment, UTC)))

    def resolve_customer(self, **request: Any) -> dict[str, Any]:
        _check("ResolveCustomer", request)
        with _refusals("ResolveCustomer"):
            bought = self._book.resolve(request["RegistrationToken"], self._clock())
        customer = {"CustomerIdentifier": bought.customer} if bought.customer else {}
        account = {"CustomerAWSAccountId": bought.account, "LicenseArn": bought.licence}
        return {"ProductCode": bought.product.code} | account | customer


def _with_times(value: Any, convert: Callable[[Any], Any]) -> Any:
    """A request or answer whose time-stamps are converted."""
    if isinstance(value, dict):
        return {
            name: convert(each) if name == "Timestamp" else _with_times(each, convert)
            for name, each in value.items()
        }
    return [_with_times(each, convert) for each in value] if isinstance(value, list) else value


class Gateway:
    """API Gateway: the usage plan, which may carry a product code."""

    def __init__(self) -> None:
        self.product_code = ""

    def get_usage_plan(self, *, usagePlanId: str) -> dict[str, str]:  # noqa: N803
        if not usagePlanId:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "GetUsagePlan")
        return {"id": usagePlanId} | ({"productCode": self.product_code} if self.product_code else {})


class World:
    """A product, its customers, and the metering of what they use.

    Attributes:
        now: Seconds since the epoch; may be set.
        book: The market's.
        used: Calls by subscription and hour.
        settings: Of the metering.
        topic: ARN of the product's topic if it is of SNS's era.
    """

    def __init__(self, era: str = "agreements", now: float = START) -> None:
        self.now = now
        self.book = Book()
        self.table = MemoryTable({"portal": ("owner", "item"), "usage": ("key", "hour")})
        self.gateway = Gateway()
        self.market = Market(self.book, lambda: self.now)
        self.used: Counter[tuple[str, str]] = Counter()
        self.product = Product(CODE, (DIMENSION,), "sns" if era == "sns" else "agreements")
        self.book.products[CODE] = self.product
        self.settings = MeteringSettings(
            portal_table="portal", usage_table="usage", images_product_code=CODE,
            images_dimension=DIMENSION, images_usage_plan="plan",
        )  # fmt: skip

    @property
    def storage(self) -> SubscriptionStorage:
        """Subscriptions and records."""
        return SubscriptionStorage("portal", self.table)  # type: ignore[arg-type]

    def subscribe(self, number: int = 1, account: str = "") -> str:
        """Buy, register, and make a key; the subscription's id. Its key has the same name."""
        by_customer = self.product.era == "sns"
        licence = f"l-{number:032x}"
        arn = f"arn:aws:license-manager::294406891311:license:{licence}"
        customer = f"customer{number}" if by_customer else ""
        account = account or f"{number:012}"
        name = f"{CODE}:{customer}" if by_customer else licence
        self.book.purchases[arn] = Purchase(self.product, account, customer, f"agmt-{number}", arn, self.now)
        given = Subscription(
            name, CODE, "images", visitor=f"visitor{number}", account=account, customer=customer,
            licence="" if by_customer else arn,
        )  # fmt: skip
        moment = round(1000 * self.now)
        self.storage.learn(name, CODE, "images", {"began": moment})
        self.storage.register(given, moment)
        self.table.put_item(
            TableName="portal",
            Item={
                "owner": {"S": f"subscription#{name}"}, "item": {"S": f"key#{name}"},
                "visitor": {"S": given.visitor}, "key": {"S": name},
            },
        )  # fmt: skip
        return name

    def end(self, subscription: str) -> None:
        """End a subscription: at the market, and here."""
        found = self.storage.get(subscription)
        if found is None:
            raise LookupError(subscription)
        for purchase in self.book.purchases.values():
            if purchase.licence == found.licence or (found.customer and purchase.customer == found.customer):
                purchase.ended = self.now
        self.storage.learn(subscription, CODE, "images", {"ending": round(1000 * self.now)})

    def use(self, subscription: str, calls: int = 1) -> None:
        """Have a subscription's key called now."""
        hour = hour_of(round(1000 * self.now))
        self.used[subscription, hour] += calls
        self.table.update_item(
            TableName="usage", Key={"key": {"S": subscription}, "hour": {"S": hour}},
            UpdateExpression="ADD calls :n, #minute :n",
            ExpressionAttributeNames={"#minute": datetime.fromtimestamp(self.now, UTC).strftime(MINUTE)},
            ExpressionAttributeValues={":n": {"N": str(calls)}},
        )  # fmt: skip

    def meter(self, stop: Stop | None = None) -> None:
        """An invocation of the metering; its metrics go nowhere."""
        stop = stop or Stop()
        meter = Meter(
            self.settings, dynamodb=stop.around(self.table), gateway=stop.around(self.gateway),
            market=stop.around(self.market), clock=lambda: self.now,
        )  # fmt: skip
        with redirect_stdout(StringIO()):
            meter.run()

    @property
    def billed(self) -> Counter[tuple[str, str]]:
        """What the market accepted, by subscription and hour."""
        found: Counter[tuple[str, str]] = Counter()
        for record in self.book.records.values():
            name = record.purchase.licence.rpartition(":")[2]
            if record.purchase.customer:
                name = f"{CODE}:{record.purchase.customer}"
            found[name, hour_of(round(1000 * record.hour))] += record.quantity
        return found


class Sample:
    """The public sample's way: rows of usage that are pending until they were sent.

    Args:
        world: Whose customers, market and clock it uses; of SNS's era.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.table = MemoryTable({"rows": ("customer", "created")})
        self._queue: list[tuple[str, int, list[Any]]] = []

    def use(self, subscription: str, calls: int = 1) -> None:
        """Note usage: a row."""
        self._world.use(subscription, calls)
        name = f"{len(self.table.tables['rows']):06}"
        row = {
            "customer": {"S": subscription.partition(":")[2]}, "created": {"S": name},
            "calls": {"N": str(calls)}, "pending": {"S": "true"},
        }  # fmt: skip
        self.table.put_item(TableName="rows", Item=row)

    def meter(self, stop: Stop | None = None) -> None:
        """The hourly job, and who receives what it has put into the queue."""
        stop = stop or Stop()
        pages = stop.around(self.table).get_paginator("query").paginate(
            TableName="rows", KeyConditionExpression="pending = :yes",
            ExpressionAttributeValues={":yes": {"S": "true"}},
        )  # fmt: skip
        found: defaultdict[str, list[Any]] = defaultdict(list)
        for page in pages:
            for row in page["Items"]:
                found[row["customer"]["S"]].append(row)
        for customer, rows in found.items():
            self._queue.append((customer, sum(int(row["calls"]["N"]) for row in rows), rows))
        self.receive(stop)

    def receive(self, stop: Stop | None = None) -> None:
        """Send what is in the queue; a message is gone once it is done."""
        stop = stop or Stop()
        table, market = stop.around(self.table), stop.around(self._world.market)
        while self._queue:
            customer, calls, rows = self._queue[0]
            record = {
                "CustomerIdentifier": customer, "Dimension": DIMENSION, "Quantity": calls,
                "Timestamp": datetime.fromtimestamp(self._world.now, UTC),
            }  # fmt: skip
            market.batch_meter_usage(ProductCode=CODE, UsageRecords=[record])
            for row in rows:
                table.update_item(
                    TableName="rows", Key={name: row[name] for name in ("customer", "created")},
                    UpdateExpression="REMOVE pending",
                )  # fmt: skip
            self._queue.pop(0)
