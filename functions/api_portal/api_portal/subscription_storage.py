"""Subscriptions and what is metered of them, in the portal's table.

| `owner`             | `item`                      | what                                                |
|---------------------|-----------------------------|-----------------------------------------------------|
| `subscription#<id>` | `state`                     | facts, plan, visitor, customer; `due` is `meter`    |
|                     |                             | while an hour is open                               |
| `subscription#<id>` | `record#<dimension>#<hour>` | quantity, fixed as its hour closes; `due` is `send`  |
|                     |                             | while it is pending, `tell` once it failed          |
| `visitor#<sub>`     | `subscription#<id>`         | whose it is                                         |
| `agreement#<id>`    | `state`                     | its licences, and when it ended                     |

A subscription's id is its licence, `l-...`, or `<product code>:<customer identifier>` in SNS's era. Its state
is written on the condition that nobody wrote it since it was read.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from shared.clients import client

from .hours import HOUR_MS, hour_of, hour_start, iso, next_hour
from .items import items_due, items_of
from .subscription import KINDS, Facts, Kind, State

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["ChangingError", "OtherVisitorError", "Record", "Subscription", "SubscriptionStorage"]

_TRIES = 8  # of a write that met another one

type RecordState = Literal["pending", "sent", "failed"]


class ChangingError(Exception):
    """Others wrote a subscription at every try; again later."""


class OtherVisitorError(Exception):
    """Another visitor registered the subscription."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A customer's subscription to a product.

    Attributes:
        id: Licence, or product code and customer identifier.
        product: The product's code.
        plan: Name of the plan that the product is.
        facts: What AWS Marketplace told, and the registration.
        visitor: Whose it is, the `sub` of their account; empty until they registered.
        account: The customer's AWS account; empty until they registered.
        customer: Marketplace's identifier of the customer; empty in the era of licences.
        licence: The licence's ARN; empty in SNS's era.
        open_hour: The first hour of use whose quantity is not fixed; empty before there is one.
        version: Of the item; 0 before it is written.
    """

    id: str
    product: str
    plan: str
    facts: Facts = field(default_factory=Facts)
    visitor: str = ""
    account: str = ""
    customer: str = ""
    licence: str = ""
    open_hour: str = ""
    version: int = 0

    @property
    def state(self) -> State:
        """Where it is."""
        return self.facts.state

    @property
    def hour_closes(self) -> int | None:
        """When the use in the open hour is over; None if no hour is open."""
        if not self.open_hour:
            return None
        end = hour_start(self.open_hour) + HOUR_MS
        use_ends = self.facts.use_ends
        if use_ends is None:
            return end
        return None if use_ends < hour_start(self.open_hour) else min(end, use_ends)


@dataclass(frozen=True, slots=True)
class Record:
    """What a subscription used in an hour.

    Attributes:
        subscription: Whose.
        product: The product's code.
        dimension: What is priced.
        hour: Of use.
        quantity: Calls, fixed.
        stamp: The moment that stands for the hour, in milliseconds since the epoch.
        state: Where it is.
        account: The customer's AWS account.
        customer: Marketplace's identifier of the customer, in SNS's era.
        licence: The licence's ARN, in the era of licences.
        reason: Why it failed.
        sent_as: Marketplace's id of the metering record.
    """

    subscription: str
    product: str
    dimension: str
    hour: str
    quantity: int
    stamp: int
    state: RecordState = "pending"
    account: str = ""
    customer: str = ""
    licence: str = ""
    reason: str = ""
    sent_as: str = ""


class SubscriptionStorage:
    """Subscriptions in the portal's table.

    Args:
        table: Its name.
        dynamodb: The client; this process's by default.
    """

    def __init__(self, table: str, dynamodb: "DynamoDBClient | None" = None) -> None:
        self._table = table
        self._dynamodb = dynamodb or client("dynamodb")

    # ---- subscriptions

    def get(self, subscription: str) -> Subscription | None:
        """A subscription as it is now."""
        found = self._dynamodb.get_item(
            TableName=self._table, Key=_key(_owner(subscription), "state"), ConsistentRead=True
        )
        return _subscription_of(found["Item"]) if "Item" in found else None

    def of_visitor(self, visitor: str) -> list[Subscription]:
        """The subscriptions that a visitor registered."""
        links = items_of(self._dynamodb, self._table, f"visitor#{visitor}", "subscription#")
        found = (self.get(link["item"]["S"].removeprefix("subscription#")) for link in links)
        return [each for each in found if each is not None]

    def active(self, visitor: str, plan: str) -> list[Subscription]:
        """The subscriptions to a plan by which a visitor may have keys now."""
        return [each for each in self.of_visitor(visitor) if each.plan == plan and each.state == "active"]

    def learn(
        self, subscription: str, product: str, plan: str, facts: Mapping[Kind, int]
    ) -> tuple[Subscription, Subscription]:
        """Add facts; the subscription before and after. What is known already changes nothing.

        Args:
            subscription: Its id.
            product: The product's code.
            plan: Name of the plan that the product is.
            facts: Their moments by kind, milliseconds since the epoch.

        Raises:
            ChangingError: Others wrote at every try.
        """

        def change(before: Subscription) -> Subscription:
            return replace(before, facts=before.facts.learned(facts))

        return self._change(Subscription(subscription, product, plan), change)

    def register(self, given: Subscription, moment: int) -> tuple[Subscription, Subscription]:
        """Make a subscription a visitor's; before and after. Done again it changes nothing.

        Args:
            given: Id, product, plan, visitor, account, customer and licence.
            moment: Of the registration, milliseconds since the epoch.

        Raises:
            OtherVisitorError: It is another visitor's.
            ChangingError: Others wrote at every try.
        """

        def change(before: Subscription) -> Subscription:
            if before.visitor == given.visitor:
                return before
            if before.visitor:
                raise OtherVisitorError
            return replace(
                before, facts=before.facts.learned({"registered": moment}), visitor=given.visitor,
                account=given.account, customer=given.customer, licence=given.licence,
            )  # fmt: skip

        link = {**_key(f"visitor#{given.visitor}", f"subscription#{given.id}"), "plan": {"S": given.plan}}
        blank = Subscription(given.id, given.product, given.plan)
        return self._change(blank, change, {"Put": {"TableName": self._table, "Item": link}})

    def close_hour(self, subscription: Subscription, record: Record | None, now: int) -> Subscription:
        """Fix what was used in the open hour, and open the next one; the subscription as it is then.

        Both are one transaction, so an hour has one record, also if the dimension is another one by the next
        try. What was fixed before stays what it was.

        Args:
            subscription: It.
            record: What was used; nothing without one.
            now: Milliseconds since the epoch.

        Raises:
            ChangingError: Others wrote at every try.
        """
        hour = subscription.open_hour

        def change(before: Subscription) -> Subscription:
            return replace(before, open_hour=next_hour(hour)) if before.open_hour == hour else before

        puts = [] if record is None else [{"Put": self._fixed(record, now)}]
        return self._change(subscription, change, *puts)[1]

    def _fixed(self, record: Record, now: int) -> dict[str, Any]:
        due = {"due": {"S": "tell" if record.reason else "send"}, "at": {"S": iso(now)}}
        return {"TableName": self._table, "Item": _record_item(record) | due}

    def _change(
        self,
        new: Subscription,
        change: Callable[[Subscription], Subscription],
        *others: Any,
    ) -> tuple[Subscription, Subscription]:
        """Read, change and write a subscription until nobody wrote in between."""
        exceptions = self._dynamodb.exceptions
        for _ in range(_TRIES):
            before = self.get(new.id) or replace(new, version=0)
            after = _with_open_hour(before, change(before))
            if after == before:
                return before, before
            after = replace(after, version=before.version + 1)
            put: Any = {"TableName": self._table, "Item": _item_of(after), **_unchanged(before)}
            try:
                self._dynamodb.transact_write_items(TransactItems=[{"Put": put}, *others])
            except (exceptions.TransactionCanceledException, exceptions.TransactionInProgressException):
                continue
            return before, after
        raise ChangingError(new.id)

    # ---- agreements

    def agreement_ended(self, agreement: str, moment: int) -> frozenset[str]:
        """Note when an agreement ended; the licences that are known to be of it."""
        found = self._agreement(agreement, "ADD ends :value", {"NS": [str(moment)]})
        return frozenset(found.get("licences", {}).get("SS", ()))

    def agreement_has(self, agreement: str, licence: str) -> int | None:
        """Note that a licence is of an agreement; when the agreement ended, if it did."""
        found = self._agreement(agreement, "ADD licences :value", {"SS": [licence]})
        return max(map(int, found.get("ends", {}).get("NS", ())), default=None)

    def _agreement(self, agreement: str, expression: str, value: Any) -> Mapping[str, Any]:
        """Add to an agreement; what it is then: of two updates the later one sees the earlier one."""
        return self._dynamodb.update_item(
            TableName=self._table, Key=_key(f"agreement#{agreement}", "state"), UpdateExpression=expression,
            ExpressionAttributeValues={":value": value}, ReturnValues="ALL_NEW",
        )["Attributes"]  # fmt: skip

    # ---- what is due

    def open(self, now: int, margin: int) -> Iterator[Subscription]:
        """The subscriptions whose open hour is over.

        Args:
            now: Milliseconds since the epoch.
            margin: How long to wait after the hour's end, milliseconds.
        """
        for item in self._due("meter", now - margin):
            subscription = self.get(item["owner"]["S"].removeprefix("subscription#"))
            if subscription is not None:
                yield subscription

    def pending(self, now: int) -> Iterator[Record]:
        """The records that are to be sent, oldest first."""
        return map(_record_of, self._due("send", now))

    def _due(self, what: str, until: int) -> Iterator[Mapping[str, Any]]:
        return items_due(self._dynamodb, self._table, what, until)

    # ---- records

    def failed(self, now: int) -> Iterator[tuple[Record, str]]:
        """The records that failed and are to be told of, and since when, ISO 8601."""
        return ((_record_of(item), item["at"]["S"]) for item in self._due("tell", now))

    def settle(self, record: Record, now: int, *, sent_as: str = "", reason: str = "") -> None:
        """Have a pending record be sent, or failed for a reason. One that is not pending stays what it is.

        Args:
            record: It.
            now: Milliseconds since the epoch.
            sent_as: Marketplace's id of the metering record.
            reason: Why it failed.
        """
        if reason:
            expression = "SET #state = :state, reason = :value, due = :tell, #at = :now"
            values = {":state": "failed", ":value": reason, ":tell": "tell", ":now": iso(now)}
        else:
            expression = "SET #state = :state, sent_as = :value REMOVE due, #at"
            values = {":state": "sent", ":value": sent_as}
        self._update_record(record, expression, "#state = :before", values | {":before": "pending"})

    def told(self, record: Record) -> None:
        """Note that a record that failed was told of."""
        self._update_record(record, "REMOVE due, #at", "due = :before", {":before": "tell"})

    def _update_record(
        self, record: Record, expression: str, condition: str, values: Mapping[str, str]
    ) -> None:
        names = {"#state": "state", "#at": "at"}
        try:
            self._dynamodb.update_item(
                TableName=self._table, Key=_key(_owner(record.subscription), _record_name(record)),
                UpdateExpression=expression, ConditionExpression=condition,
                ExpressionAttributeNames={
                    name: text for name, text in names.items() if name in expression + condition
                },
                ExpressionAttributeValues={name: {"S": text} for name, text in values.items()},
            )  # fmt: skip
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return  # another invocation was faster

    def records(self, subscription: str, limit: int) -> list[Record]:
        """The newest records of a subscription, newest first."""
        page = self._dynamodb.query(
            TableName=self._table, KeyConditionExpression="#owner = :owner AND begins_with(#item, :prefix)",
            ExpressionAttributeNames=_NAMES, ScanIndexForward=False, Limit=limit, ConsistentRead=True,
            ExpressionAttributeValues={
                ":owner": {"S": _owner(subscription)}, ":prefix": {"S": "record#"},
            },
        )  # fmt: skip
        return sorted(map(_record_of, page["Items"]), key=lambda record: record.hour, reverse=True)


_NAMES = {"#owner": "owner", "#item": "item"}


def _with_open_hour(before: Subscription, after: Subscription) -> Subscription:
    """With the hour in which use may begin, if none is open: keys need an active, registered subscription."""
    if before.hour_closes is not None or after.state != "active" or not after.visitor:
        return after
    begins = max(after.facts.began, after.facts.registered)
    return replace(after, open_hour=max(after.open_hour, hour_of(begins)))


def _unchanged(before: Subscription) -> dict[str, Any]:
    """The condition that nobody wrote since the subscription was read."""
    if not before.version:
        return {
            "ConditionExpression": "attribute_not_exists(#owner)",
            "ExpressionAttributeNames": {"#owner": "owner"},
        }
    return {
        "ConditionExpression": "version = :before",
        "ExpressionAttributeValues": {":before": {"N": str(before.version)}},
    }


def _owner(subscription: str) -> str:
    return f"subscription#{subscription}"


def _key(owner: str, item: str) -> dict[str, Any]:
    return {"owner": {"S": owner}, "item": {"S": item}}


def _record_name(record: Record) -> str:
    return f"record#{record.dimension}#{record.hour}"


def _item_of(subscription: Subscription) -> dict[str, Any]:
    item: dict[str, Any] = {
        **_key(_owner(subscription.id), "state"),
        "version": {"N": str(subscription.version)},
        **{kind: {"N": str(moment)} for kind in KINDS if (moment := getattr(subscription.facts, kind))},
        **_texts(subscription, _SUBSCRIPTION_TEXTS),
    }
    closes = subscription.hour_closes
    return item if closes is None else item | {"due": {"S": "meter"}, "at": {"S": iso(closes)}}


def _subscription_of(item: Mapping[str, Any]) -> Subscription:
    return Subscription(
        id=item["owner"]["S"].removeprefix("subscription#"),
        facts=Facts(**{kind: int(item[kind]["N"]) for kind in KINDS if kind in item}),
        version=int(item["version"]["N"]),
        **{name: item.get(name, {}).get("S", "") for name in _SUBSCRIPTION_TEXTS},
    )


def _record_item(record: Record) -> dict[str, Any]:
    return {
        **_key(_owner(record.subscription), _record_name(record)),
        "quantity": {"N": str(record.quantity)},
        "stamp": {"N": str(record.stamp)},
        **_texts(record, _RECORD_TEXTS),
    }


def _record_of(item: Mapping[str, Any]) -> Record:
    return Record(
        subscription=item["owner"]["S"].removeprefix("subscription#"),
        quantity=int(item["quantity"]["N"]),
        stamp=int(item["stamp"]["N"]),
        **{name: item.get(name, {}).get("S", "") for name in _RECORD_TEXTS},
    )


_SUBSCRIPTION_TEXTS = ("product", "plan", "visitor", "account", "customer", "licence", "open_hour")
_RECORD_TEXTS = (
    "product", "dimension", "hour", "state", "account", "customer", "licence", "reason", "sent_as",
)  # fmt: skip


def _texts(source: Subscription | Record, names: tuple[str, ...]) -> dict[str, Any]:
    """Attributes that have a text."""
    return {name: {"S": text} for name in names if (text := getattr(source, name))}
