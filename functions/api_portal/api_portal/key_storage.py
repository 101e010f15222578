"""Keys in the portal's table, and every write on them. Values of keys are not among it.

| owner               | item                | what                                                     |
|---------------------|---------------------|----------------------------------------------------------|
| `visitor#<sub>`     | `key#<client's id>` | a key; `lease` while an attempt creates it; `due` and    |
|                     |                     | `at` if it ends                                          |
| `subscription#<id>` | `key#<gateway_key>` | whose key it is: for its meter, and for its end          |

A key of a subscription and its place there become active in one transaction, as does a key that replaces
another one with that one's end.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from shared.clients import client
from shared.transactions import ConflictingWriteError, write_together

from .hours import iso
from .items import items_due, items_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

__all__ = ["Key", "KeyStorage", "State"]

type State = Literal["creating", "active", "revoked"]

LEASE_S = 30
"""How long an attempt to create a key has it for itself: longer than the function runs."""
REVOKE = "revoke"


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a visitor's.

    Attributes:
        visitor: Whose: the `sub` of their account.
        id: The client's id, a UUID.
        name: The visitor's name for it.
        plan: The plan that it is in.
        subscription: The subscription that pays for it; empty if nobody does.
        state: Where it is.
        created: When it was requested, seconds since the epoch.
        gateway_key: API Gateway's id; empty before there is one.
        last4: The end of its value, by which people know it.
        replaces: The id of the key that it was rotated from; may be empty.
        hours: How long that one works beside it.
        ends: When it is revoked because another one replaces it, seconds since the epoch; 0 for never.
        revoked: When it was revoked, seconds since the epoch; 0 if it is not.
    """

    visitor: str
    id: str
    name: str
    plan: str
    subscription: str
    state: State
    created: float
    gateway_key: str = ""
    last4: str = ""
    replaces: str = ""
    hours: int = 0
    ends: float = 0.0
    revoked: float = 0.0


class KeyStorage:
    """The keys in the table.

    Args:
        table: Its name.
        dynamodb: The client; this process's by default.
    """

    def __init__(self, table: str, dynamodb: "DynamoDBClient | None" = None) -> None:
        self._table = table
        self._dynamodb = dynamodb or client("dynamodb")

    # ---- reading

    def key(self, visitor: str, key: str) -> Key | None:
        """A visitor's key, as it is now."""
        found = self._dynamodb.get_item(TableName=self._table, Key=_place(visitor, key), ConsistentRead=True)
        return _key_of(found["Item"]) if "Item" in found else None

    def of_visitor(self, visitor: str) -> list[Key]:
        """A visitor's keys, as they are now, oldest first."""
        items = self._query(f"visitor#{visitor}")
        return sorted(map(_key_of, items), key=lambda key: (key.created, key.id))

    def of_subscription(self, subscription: str) -> list[tuple[str, str, str]]:
        """The keys that a subscription pays for, revoked ones too: visitor, key's id, API Gateway's id."""
        items = self._query(f"subscription#{subscription}")
        return [
            (item["visitor"]["S"], item["key"]["S"], item["item"]["S"].removeprefix("key#")) for item in items
        ]

    def rotated(self, now: float) -> list[tuple[str, str]]:
        """The keys that others replace and whose time is over: visitor, and key's id.

        Args:
            now: Seconds since the epoch.
        """
        return [
            (item["owner"]["S"].removeprefix("visitor#"), item["item"]["S"].removeprefix("key#"))
            for item in items_due(self._dynamodb, self._table, REVOKE, _milliseconds(now))
        ]

    def _query(self, owner: str) -> Iterator[Mapping[str, Any]]:
        return items_of(self._dynamodb, self._table, owner, "key#")

    # ---- creating

    def begin(self, key: Key, now: float) -> Key:
        """Begin to create a key: nobody else does for as long as the lease.

        Returns:
            The key as it is now: with the `gateway_key` of an earlier attempt that failed, if there was one.

        Raises:
            ConflictingWriteError: Another attempt has it, or there is such a key.
        """
        values = {
            ":creating": {"S": "creating"},
            ":name": {"S": key.name},
            ":plan": {"S": key.plan},
            ":subscription": {"S": key.subscription},
            ":replaces": {"S": key.replaces},
            ":hours": {"N": str(key.hours)},
            ":created": {"N": _number(key.created)},
            ":lease": {"N": _number(now + LEASE_S)},
            ":now": {"N": _number(now)},
        }
        names = ("name", "plan", "subscription", "replaces", "hours", "created", "lease")
        changes = ", ".join(f"#{name} = :{name}" for name in names)
        try:
            begun = self._dynamodb.update_item(
                TableName=self._table, Key=_place(key.visitor, key.id),
                UpdateExpression=f"SET #state = :creating, {changes}",
                ConditionExpression="attribute_not_exists(#state) OR (#state = :creating AND #lease < :now)",
                ExpressionAttributeNames={"#state": "state"} | {f"#{name}": name for name in names},
                ExpressionAttributeValues=values, ReturnValues="ALL_NEW",
            )  # fmt: skip
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise ConflictingWriteError from error
        return _key_of(begun["Attributes"])

    def record(self, key: Key) -> None:
        """Record API Gateway's id of a key that is being created, and the end of its value.

        Raises:
            ConflictingWriteError: It is not being created any more.
        """
        values = {
            ":creating": {"S": "creating"},
            ":gateway_key": {"S": key.gateway_key},
            ":last4": {"S": key.last4},
        }
        try:
            self._dynamodb.update_item(
                TableName=self._table, Key=_place(key.visitor, key.id),
                UpdateExpression="SET gateway_key = :gateway_key, last4 = :last4",
                ConditionExpression="#state = :creating", ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues=values,
            )  # fmt: skip
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise ConflictingWriteError from error

    def activate(self, key: Key, now: float) -> None:
        """Make a key active; with it, its place at its subscription, and the end of the one that it replaces.

        Raises:
            ConflictingWriteError: It is not being created any more, or the one that it replaces is not
                active, or is replaced already.
        """
        writes = [self._activation(key)]
        if key.subscription:
            writes.append(self._place_at_subscription(key))
        if key.replaces:
            writes.append(self._end(key, now + 3600 * key.hours))
        write_together(self._dynamodb, writes)

    def _activation(self, key: Key) -> "TransactWriteItemTypeDef":
        return {
            "Update": {
                "TableName": self._table,
                "Key": _place(key.visitor, key.id),
                "UpdateExpression": "SET #state = :active REMOVE lease",
                "ConditionExpression": "#state = :creating AND gateway_key = :gateway_key",
                "ExpressionAttributeNames": {"#state": "state"},
                "ExpressionAttributeValues": {
                    ":active": {"S": "active"},
                    ":creating": {"S": "creating"},
                    ":gateway_key": {"S": key.gateway_key},
                },
            }
        }

    def _place_at_subscription(self, key: Key) -> "TransactWriteItemTypeDef":
        item = {**_subscription_place(key), "visitor": {"S": key.visitor}, "key": {"S": key.id}}
        return {"Put": {"TableName": self._table, "Item": item}}

    def _end(self, key: Key, ends: float) -> "TransactWriteItemTypeDef":
        return {
            "Update": {
                "TableName": self._table,
                "Key": _place(key.visitor, key.replaces),
                "UpdateExpression": "SET ends = :ends, due = :due, #at = :at",
                "ConditionExpression": "#state = :active AND attribute_not_exists(ends)",
                "ExpressionAttributeNames": {"#state": "state", "#at": "at"},
                "ExpressionAttributeValues": {
                    ":active": {"S": "active"},
                    ":ends": {"N": _number(ends)},
                    ":due": {"S": REVOKE},
                    ":at": {"S": iso(_milliseconds(ends))},
                },
            }
        }

    def release(self, key: Key) -> None:
        """End the lease of an attempt that failed: the next one need not wait."""
        try:
            self._dynamodb.update_item(
                TableName=self._table, Key=_place(key.visitor, key.id), UpdateExpression="SET lease = :over",
                ConditionExpression="#state = :creating", ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues={":over": {"N": "0"}, ":creating": {"S": "creating"}},
            )  # fmt: skip
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return

    # ---- the end

    def revoke(self, key: Key, now: float) -> None:
        """Note that a key is revoked.

        Raises:
            ConflictingWriteError: An attempt creates it at this moment.
        """
        try:
            self._dynamodb.update_item(
                TableName=self._table, Key=_place(key.visitor, key.id),
                UpdateExpression="SET #state = :revoked, revoked = :now REMOVE lease, due, #at",
                ConditionExpression="#state = :active OR (#state = :creating AND lease < :now)",
                ExpressionAttributeNames={"#state": "state", "#at": "at"},
                ExpressionAttributeValues={
                    ":revoked": {"S": "revoked"}, ":active": {"S": "active"}, ":creating": {"S": "creating"},
                    ":now": {"N": _number(now)},
                },
            )  # fmt: skip
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise ConflictingWriteError from error

    def forget(self, key: Key) -> None:
        """Delete a key that never was active, or was revoked long ago; nothing if it changed meanwhile."""
        if key.subscription and key.gateway_key:
            self._dynamodb.delete_item(TableName=self._table, Key=_subscription_place(key))
        try:
            self._dynamodb.delete_item(
                TableName=self._table, Key=_place(key.visitor, key.id), ConditionExpression="#state = :state",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues={":state": {"S": key.state}},
            )  # fmt: skip
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return


def _place(visitor: str, key: str) -> dict[str, Any]:
    return {"owner": {"S": f"visitor#{visitor}"}, "item": {"S": f"key#{key}"}}


def _subscription_place(key: Key) -> dict[str, Any]:
    return {"owner": {"S": f"subscription#{key.subscription}"}, "item": {"S": f"key#{key.gateway_key}"}}


def _number(value: float) -> str:
    return f"{value:.3f}"


def _milliseconds(seconds: float) -> int:
    return int(1000 * seconds)


def _key_of(item: Mapping[str, Any]) -> Key:
    return Key(
        visitor=item["owner"]["S"].removeprefix("visitor#"),
        id=item["item"]["S"].removeprefix("key#"),
        name=item["name"]["S"],
        plan=item["plan"]["S"],
        subscription=item["subscription"]["S"],
        state=item["state"]["S"],
        created=float(item["created"]["N"]),
        gateway_key=item.get("gateway_key", {}).get("S", ""),
        last4=item.get("last4", {}).get("S", ""),
        replaces=item["replaces"]["S"],
        hours=int(item["hours"]["N"]),
        ends=float(item.get("ends", {}).get("N", 0)),
        revoked=float(item.get("revoked", {}).get("N", 0)),
    )
