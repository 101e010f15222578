"""Who did what: one table for claims, limits, and what reactions remember.

| key `pk`                   | what                                                                          |
|----------------------------|-------------------------------------------------------------------------------|
| `claim#<action's key>`     | `state` claimed, postponed, failed or done; `owner`, `until`, `result`        |
| `limit#<scope>`            | `facts`: when each fact took one of the scope's places; `version`             |
| `reasons`                  | why the clickstream is diverted: a map for each cluster and reason            |
| `status`                   | what the status page shows: a map for each health check, by its id            |
| `<other>#...`              | what one reaction remembers: versions, open reasons, orders of encoders       |

A claim has a way back: what is claimed and fails can be claimed again at once, what a crash left claimed when
its lease is over, and what is postponed by whoever has the owner's name, or when it is long overdue. Claims
expire 30 days after their last change (`expires`), more than twice as long as a queue keeps a message.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from shared.batches import RetryableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["BusyError", "Claim", "Ledger", "StatusRecord", "status_records"]

LEASE_S = 120
"""Longer than an invocation lasts, so that two never work at one action."""
OVERDUE_S = 3600
KEPT_S = 30 * 86_400
MAX_TRIES = 8
MAX_KEY_BYTES = 2048
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""


class BusyError(RetryableError):
    """Somebody else is at it: come back."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An action that is ours to carry out.

    Attributes:
        key: The action's.
        owner: Random; who lost the lease changes nothing any more.
        attempts: How often it was claimed, this time included.
    """

    key: str
    owner: str
    attempts: int


@dataclass(frozen=True, slots=True)
class StatusRecord:
    """What the status page shows of a health check.

    Attributes:
        check: Its id.
        name: What people call it.
        state: Whether what it checks answers.
        since: Since when, ISO 8601.
    """

    check: str
    name: str
    state: Literal["up", "down", "unknown"]
    since: str


class Ledger:
    """The table.

    Args:
        table: Its name.
        dynamodb: A boto3 client.
    """

    def __init__(self, table: str, dynamodb: "DynamoDBClient") -> None:
        self._table, self._dynamodb = table, dynamodb

    def claim(self, key: str, now: datetime, owner: str = "") -> Claim | Literal["done", "postponed"]:
        """Claim an action, or learn that there is no need to.

        Args:
            key: The action's.
            now: The time.
            owner: What `postponed` named, for who goes on; it serves once.

        Raises:
            BusyError: Somebody else has it.
        """
        seconds, name = int(now.timestamp()), secrets.token_hex(8)
        try:
            answer = self._dynamodb.update_item(
                TableName=self._table,
                Key={"pk": {"S": _key("claim", key)}},
                UpdateExpression="SET #state = :claimed, #owner = :owner, #until = :until, "
                "expires = :expires ADD attempts :one",
                ConditionExpression="attribute_not_exists(pk) OR #state = :failed "
                "OR (#state <> :done AND #until < :now) OR (#state = :postponed AND #owner = :given)",
                ExpressionAttributeNames={"#state": "state", "#owner": "owner", "#until": "until"},
                ExpressionAttributeValues={
                    ":claimed": {"S": "claimed"},
                    ":failed": {"S": "failed"},
                    ":done": {"S": "done"},
                    ":postponed": {"S": "postponed"},
                    ":given": {"S": owner or name},
                    ":owner": {"S": name},
                    ":until": {"N": str(seconds + LEASE_S)},
                    ":expires": {"N": str(seconds + KEPT_S)},
                    ":now": {"N": str(seconds)},
                    ":one": {"N": "1"},
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            item: dict[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]
            match item.get("state", {}).get("S"):
                case "done":
                    return "done"
                case "postponed":
                    return "postponed"
            raise BusyError(f"{key.partition('#')[0]} is claimed") from None
        return Claim(key, name, int(answer["Attributes"]["attempts"]["N"]))

    def done(self, claim: Claim, result: Mapping[str, Any], now: datetime) -> None:
        """Say that an action has had its effect."""
        self._settle(claim, "done", json.dumps(result, separators=(",", ":")), now)

    def failed(self, claim: Claim, reason: str, now: datetime) -> None:
        """Give a claim back: it can be claimed at once."""
        self._settle(claim, "failed", reason[:512], now)

    def postponed(self, claim: Claim, owner: str, seconds: int, now: datetime) -> None:
        """Keep a claim for who has the name of its next owner, with an hour to spare."""
        self._settle(claim, "postponed", "", now, owner, seconds + OVERDUE_S)

    def _settle(
        self, claim: Claim, state: str, result: str, now: datetime, owner: str = "", seconds: int = 0
    ) -> None:
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"pk": {"S": _key("claim", claim.key)}},
                UpdateExpression="SET #state = :state, #result = :result, #until = :until, "
                "expires = :expires, #owner = :next",
                ConditionExpression="#owner = :owner AND #state = :claimed",
                ExpressionAttributeNames={
                    "#state": "state",
                    "#owner": "owner",
                    "#result": "result",
                    "#until": "until",
                },
                ExpressionAttributeValues={
                    ":state": {"S": state},
                    ":result": {"S": result},
                    ":owner": {"S": claim.owner},
                    ":next": {"S": owner or claim.owner},
                    ":claimed": {"S": "claimed"},
                    ":until": {"N": str(int(now.timestamp()) + seconds)},
                    ":expires": {"N": str(int(now.timestamp()) + KEPT_S)},
                },
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return  # the lease was over, and somebody else has it

    def result(self, key: str) -> dict[str, Any] | None:
        """What an action left when it was done; none if it is not."""
        item = self._get(_key("claim", key))
        if item.get("state", {}).get("S") != "done":
            return None
        result: dict[str, Any] = json.loads(item["result"]["S"])
        return result

    def within(self, scope: str, fact: str, *, most: int, seconds: int, now: datetime) -> bool:
        """Take one of a scope's places for a fact, in a window that slides.

        Args:
            scope: Such as a reaction, or a reaction and its resource.
            fact: Takes one place, however often it is asked for.
            most: Places; one is a cool-down.
            seconds: How long a place is taken.
            now: The time.

        Returns:
            Whether it has a place.

        Raises:
            BusyError: Too many change the scope at once.
        """
        for _ in range(MAX_TRIES):
            item = self._get(_key("limit", scope))
            facts: dict[str, float] = json.loads(item.get("facts", {"S": "{}"})["S"])
            facts = {name: at for name, at in facts.items() if at > now.timestamp() - seconds}
            if fact in facts:
                return True
            if len(facts) >= most:
                return False
            facts[fact] = now.timestamp()
            version = int(item.get("version", {"N": "0"})["N"])
            if self._put_if(
                {
                    "pk": {"S": _key("limit", scope)},
                    "facts": {"S": json.dumps(facts, separators=(",", ":"))},
                    "version": {"N": str(version + 1)},
                    "expires": {"N": str(int(now.timestamp()) + max(seconds, 3600))},
                },
                "attribute_not_exists(pk) OR version = :version",
                {":version": {"N": str(version)}},
            ):
                return True
        raise BusyError("limit changes too fast")

    def remember(
        self, key: str, values: Mapping[str, Any], condition: str = "", given: Mapping[str, Any] | None = None
    ) -> bool:
        """Keep what a reaction has to know; it does not expire.

        Args:
            key: The item's.
            values: Texts, numbers, booleans.
            condition: Of the item that is there, as DynamoDB writes it.
            given: Values of the condition, by names with a colon.

        Returns:
            Whether it is kept: not if the condition fails.
        """
        item = {"pk": {"S": key}} | {name: _typed(value) for name, value in values.items()}
        if not condition:
            self._dynamodb.put_item(TableName=self._table, Item=item)
            return True
        return self._put_if(item, condition, {name: _typed(value) for name, value in (given or {}).items()})

    def recall(self, key: str) -> dict[str, Any]:
        """What was kept; empty if nothing."""
        return {name: _plain(value) for name, value in self._get(key).items()}

    def status_of(self, check: str) -> tuple[str, str]:
        """Since when a health check is in its state, as it sorts by time, and the state; empty if unknown."""
        record = self._get("status").get(check, {}).get("M")
        return (record["since"]["S"], record["state"]["S"]) if record else ("", "")

    def put_status(self, record: StatusRecord, *, again: bool = False) -> bool:
        """Keep what the status page shows of a health check, unless it has something newer.

        Args:
            record: The record; its `since` sorts by time.
            again: Replace a record of the same moment, too.

        Returns:
            Whether it is kept.
        """
        values = {name: {"S": getattr(record, name)} for name in ("name", "state", "since")}
        newer = "<=" if again else "<"
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"pk": {"S": "status"}},
                UpdateExpression="SET #check = :record",
                ConditionExpression=f"attribute_not_exists(#check) OR #check.since {newer} :since",
                ExpressionAttributeNames={"#check": record.check},
                ExpressionAttributeValues={":record": {"M": values}, ":since": {"S": record.since}},
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def set_reason(self, reason: str, opened: bool, happened: str) -> None:
        """Open or close a reason to divert, unless it is known better; of one moment the end counts.

        Args:
            reason: Its name.
            opened: Whether it is open.
            happened: Since when, as text that sorts by time.
        """
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"pk": {"S": "reasons"}},
                UpdateExpression="SET #reason = :record",
                ConditionExpression="attribute_not_exists(#reason) OR #reason.happened < :happened "
                "OR (#reason.happened = :happened AND :opened = :no)",
                ExpressionAttributeNames={"#reason": reason},
                ExpressionAttributeValues={
                    ":record": {"M": {"opened": {"BOOL": opened}, "happened": {"S": happened}}},
                    ":happened": {"S": happened},
                    ":opened": {"BOOL": opened},
                    ":no": {"BOOL": False},
                },
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return

    def open_reasons(self) -> list[str]:
        """The reasons to divert that are open."""
        item = self._get("reasons")
        return sorted(
            name for name, record in item.items() if record.get("M", {}).get("opened", {}).get("BOOL")
        )

    def next_version(self, key: str) -> int:
        """A number that is higher at each call."""
        answer = self._dynamodb.update_item(
            TableName=self._table,
            Key={"pk": {"S": key}},
            UpdateExpression="ADD version :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
            ReturnValues="UPDATED_NEW",
        )
        return int(answer["Attributes"]["version"]["N"])

    def _get(self, key: str) -> dict[str, Any]:
        answer = self._dynamodb.get_item(TableName=self._table, Key={"pk": {"S": key}}, ConsistentRead=True)
        return dict(answer.get("Item", {}))

    def _put_if(self, item: dict[str, Any], condition: str, values: Mapping[str, Any]) -> bool:
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression=condition,
                ExpressionAttributeValues=dict(values),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True


def status_records(table: str, dynamodb: "DynamoDBClient") -> list[StatusRecord]:
    """What the status page shows, in no order.

    Args:
        table: The ledger's name.
        dynamodb: A boto3 client.
    """
    answer = dynamodb.get_item(TableName=table, Key={"pk": {"S": "status"}})
    return [
        StatusRecord(check, **{name: record["M"][name]["S"] for name in ("name", "state", "since")})
        for check, record in answer.get("Item", {}).items()
        if "M" in record
    ]


def _key(kind: str, name: str) -> str:
    """A key of the table: DynamoDB takes 2,048 bytes, and publishers' names may be longer."""
    key = f"{kind}#{name}"
    if len(key.encode()) <= MAX_KEY_BYTES:
        return key
    return f"{kind}#{hashlib.sha256(name.encode()).hexdigest()}"


def _typed(value: Any) -> Any:
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": str(value)} if isinstance(value, int | float) else {"S": value}


def _plain(value: Any) -> Any:
    ((kind, plain),) = value.items()
    return float(plain) if kind == "N" else plain
