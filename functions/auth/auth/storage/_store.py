"""The users table: who lies where, and how things are written.

One table, keys `pk` and `sk` (`.` where a partition has one item), time to live in `expires`:

    U#<user>        .             record: status, email_index, phone_index, ts, version, origin, data
    U#<user>        R#<family>    session: a family of refresh tokens
    U#<user>        G#<client>    scopes that a person granted to an application
    U#<user>        S#<hash>      session in a browser
    E#<index>       .             alias of an e-mail address: user, and the log-ins that were tried
    P#<index>       .             alias of a verified phone number
    T#<hash>        .             single-use token of a mail
    O#<hash>        .             authorization code
    C#<client>      .             client company                I#<job>    .   import
    F#<user>        <step>        code of a second factor that was used
    D#<job>#<alias> .             what a dry run of an import would have made
    J#<client>#<id> .             request that was answered     L#<what>   <window>   counter
    A#<subject>     <time>#<id>   audit trail

Whatever a request changes is written in one transaction, together with the request's own `J#` item: a signed
request that is replayed, or two that race, change nothing.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from shared.envelope import Sealed

from ..errors import BusyError, UnauthorizedError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["Attempts", "LostRaceError", "Once", "Store", "User", "write"]

type Item = dict[str, Any]
type Write = dict[str, Any]
"""One of the items of TransactWriteItems, less the table's name."""

_SINGLE = {"S": "."}
_FOREVER = "253402300799"  # year 9999: an alias of a person never expires, one of nobody does
_ATTEMPTS_S = 86_400
_RACES = 4
_MAX_WRITES = 100  # of one transaction
_RETRYABLE = {
    "InternalServerError", "ProvisionedThroughputExceededException", "RequestLimitExceeded",
    "ServiceUnavailable", "ThrottlingException", "TransactionInProgressException",
}  # fmt: skip


class LostRaceError(Exception):
    """A write's condition did not hold.

    Attributes:
        lost: Places, in the list of writes, of those whose condition failed.
    """

    def __init__(self, lost: tuple[int, ...]) -> None:
        super().__init__(lost)
        self.lost = lost


@dataclass(frozen=True)
class Once:
    """A signed request, which may be answered once.

    Attributes:
        client: Who signed it.
        jti: Its identifier.
        until: Seconds since the epoch until which it could be replayed.
    """

    client: str
    jti: str
    until: int


@dataclass(frozen=True)
class User:
    """A record as it lies in the table.

    Attributes:
        id: The person's UUID.
        status: unverified, active, conflict, merged or erased.
        sealed: The encrypted document; None once it was erased or merged.
        email_index: Blind index of the main e-mail address.
        phone_index: Blind index of the main phone number.
        ts: The document's latest reading of the clock.
        version: Version vector: region to number of writes.
        origin: The region of the last write.
        merged_into: The account that took this one over.
    """

    id: str
    status: str
    sealed: Sealed | None = None
    email_index: str = ""
    phone_index: str = ""
    ts: str = ""
    version: Mapping[str, int] = field(default_factory=dict)
    origin: str = ""
    merged_into: str = ""

    def written_in(self, region: str) -> "User":
        """The same with the version that a write in a region makes."""
        version = {**self.version, region: self.version.get(region, 0) + 1}
        return replace(self, version=version, origin=region)

    def but(self, **changes: Any) -> "User":
        """The same with some attributes changed."""
        return replace(self, **changes)

    @property
    def context(self) -> dict[str, str]:
        """The encryption context of the record: whose it is, and which version."""
        vector = ",".join(f"{region}={count}" for region, count in sorted(self.version.items()))
        return {"user": self.id, "version": vector}


@dataclass(frozen=True)
class Attempts:
    """The state of an identifier at a log-in that is tried now.

    Attributes:
        user: Whose it is; None for nobody's.
        failed: Log-ins since the last success, this one included.
        wait_ms: Time until which a log-in is refused without being tried; milliseconds since the epoch.
        locked_ms: Time until which every log-in fails; the same.
        last_ms: When the one before was tried; the same.
    """

    user: str | None
    failed: int
    wait_ms: int
    locked_ms: int
    last_ms: int


def write(key: tuple[str, str], item: Item, *, new: bool = False) -> Write:
    """A write of a whole item.

    Args:
        key: Partition and sort key.
        item: Its attributes as DynamoDB wants them.
        new: Fails if there is an item already.
    """
    put: Write = {"Item": {"pk": {"S": key[0]}, "sk": {"S": key[1]}, **item}}
    if new:
        put["ConditionExpression"] = "attribute_not_exists(pk)"
    return {"Put": put}


class Store:
    """Reads and writes of the users table.

    Args:
        dynamodb: A DynamoDB client.
        table: The table's name.
        now: Seconds since the epoch.
    """

    def __init__(self, dynamodb: "DynamoDBClient", table: str, now: Callable[[], float] = time.time) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._now = now

    def get(self, pk: str, sk: str = ".") -> Item | None:
        """An item as it is now (a consistent read); None if there is none or it has expired."""
        key: Item = {"pk": {"S": pk}, "sk": {"S": sk}}
        with _Busy():
            item = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        # DynamoDB deletes what has expired within days.
        if item is None or ("expires" in item and int(item["expires"]["N"]) < self._now()):
            return None
        return item

    def query(self, pk: str, prefix: str = "") -> list[Item]:
        """All items of a partition whose sort key has a prefix, in the order of the sort key."""
        found: list[Item] = []
        names = {":pk": {"S": pk}} | ({":prefix": {"S": prefix}} if prefix else {})
        condition = "pk = :pk" + (" AND begins_with(sk, :prefix)" if prefix else "")
        with _Busy():
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=names,
                ConsistentRead=True,
            )
            for page in pages:
                found += page["Items"]
        return [item for item in found if int(item.get("expires", {"N": _FOREVER})["N"]) >= self._now()]

    def commit(self, *writes: Write | None, once: Once | None = None) -> None:
        """Write all or nothing.

        Args:
            writes: What is to be written; None is nothing.
            once: The request that causes it.

        Raises:
            UnauthorizedError: The request was answered before.
            LostRaceError: The condition of one of the writes does not hold.
            BusyError: The table throttles or cannot be reached; nothing is written.
        """
        wanted: list[Any] = [each for each in writes if each is not None]
        if once is not None:
            key = (f"J#{once.client}#{once.jti}", ".")
            wanted.append(write(key, {"expires": {"N": str(once.until)}}, new=True))
        if not wanted:
            return
        wanted = [
            {kind: {"TableName": self._table, **body} for kind, body in each.items()} for each in wanted
        ]
        for attempt in range(_RACES):
            with _Busy():
                try:
                    self._dynamodb.transact_write_items(TransactItems=wanted)
                except self._dynamodb.exceptions.TransactionCanceledException as error:
                    reasons = [reason.get("Code") for reason in error.response["CancellationReasons"]]
                    lost = [place for place, code in enumerate(reasons) if code == "ConditionalCheckFailed"]
                    if once is not None and len(wanted) - 1 in lost:
                        raise UnauthorizedError("invalid_client", "The request is not accepted.") from error
                    if lost:
                        raise LostRaceError(tuple(lost)) from error
                    if attempt == _RACES - 1:
                        raise BusyError("busy", "The service is busy; try again in a moment.") from error
                else:
                    return
            time.sleep(0.01 * 2**attempt)

    def commit_each(self, writes: Sequence[Write]) -> None:
        """Write many things of which each stands for itself, such as deletes."""
        for start in range(0, len(writes), _MAX_WRITES):
            self.commit(*writes[start : start + _MAX_WRITES])

    # ---- people

    def user(self, user: str) -> User | None:
        """A record; None if there never was one."""
        item = self.get(f"U#{user}")
        return None if item is None else _user(user, item)

    @staticmethod
    def save(user: User, before: User | None) -> Write:
        """The write of a record over the version that was read, or of a new one."""
        item: Item = {
            "status": {"S": user.status},
            "ts": {"S": user.ts},
            "version": _vector(user.version),
            "origin": {"S": user.origin},
        }
        for name in ("email_index", "phone_index", "merged_into"):
            if value := getattr(user, name):
                item[name] = {"S": value}
        if user.sealed is not None:
            item["data"] = user.sealed.to_attribute()
        made = write((f"U#{user.id}", "."), item, new=before is None)
        if before is not None:
            made["Put"] |= {
                "ConditionExpression": "version = :before",
                "ExpressionAttributeValues": {":before": _vector(before.version)},
            }
        return made

    def sharing(self, kind: str, index: str) -> list[str]:
        """The people whose records have a blind index, by the table's index (behind by a moment).

        Args:
            kind: email or phone.
            index: The blind index.
        """
        with _Busy():
            answer = self._dynamodb.query(
                TableName=self._table,
                IndexName=f"{kind}_index",
                KeyConditionExpression=f"{kind}_index = :index",
                ExpressionAttributeValues={":index": {"S": index}},
            )
        return sorted(item["pk"]["S"].removeprefix("U#") for item in answer["Items"])

    @staticmethod
    def unchanged(user: User) -> Write:
        """The check that a record is as it was read."""
        return {
            "ConditionCheck": {
                "Key": {"pk": {"S": f"U#{user.id}"}, "sk": _SINGLE},
                "ConditionExpression": "version = :version",
                "ExpressionAttributeValues": {":version": _vector(user.version)},
            }
        }

    # ---- aliases

    def owner(self, alias: str) -> str | None:
        """Whose alias (`E#<index>` or `P#<index>`) it is; None for nobody's."""
        item = self.get(alias)
        return item["user"]["S"] if item and "user" in item else None

    @staticmethod
    def claim(alias: str, user: str, held_by: str | None = None) -> Write:
        """Make an alias a person's; fails if it is somebody else's than the present holder's."""
        condition = "attribute_not_exists(#user) OR #user = :user" + (" OR #user = :held" if held_by else "")
        values: Item = {":user": {"S": user}, ":forever": {"N": _FOREVER}}
        return {
            "Update": {
                "Key": {"pk": {"S": alias}, "sk": _SINGLE},
                "UpdateExpression": "SET #user = :user, forever = :forever, expires = :forever",
                "ConditionExpression": condition,
                "ExpressionAttributeNames": {"#user": "user"},
                "ExpressionAttributeValues": values | ({":held": {"S": held_by}} if held_by else {}),
            }
        }

    @staticmethod
    def release(alias: str, user: str) -> Write:
        """Free an alias that is a person's; fails if it is not."""
        return {
            "Update": {
                "Key": {"pk": {"S": alias}, "sk": _SINGLE},
                "UpdateExpression": "REMOVE #user, forever SET expires = :soon",
                "ConditionExpression": "#user = :user",
                "ExpressionAttributeNames": {"#user": "user"},
                "ExpressionAttributeValues": {":user": {"S": user}, ":soon": {"N": "1"}},
            }
        }

    def try_login(self, alias: str) -> Attempts:
        """Count a log-in of an identifier, known or not, and say how things stand with it.

        The count is raised before the password is looked at, so that guesses made side by side count too. A
        log-in that has to wait is not counted.
        """
        now = self._now()
        now_ms = int(1000 * now)
        with _Busy():
            try:
                item = self._dynamodb.update_item(
                    TableName=self._table,
                    Key={"pk": {"S": alias}, "sk": _SINGLE},
                    UpdateExpression=(
                        "SET #failed = if_not_exists(#failed, :none) + :one, #last = :now,"
                        " expires = if_not_exists(forever, :soon)"
                    ),
                    ConditionExpression="attribute_not_exists(#wait) OR #wait <= :now",
                    ExpressionAttributeNames={"#failed": "failed", "#last": "last", "#wait": "wait"},
                    ExpressionAttributeValues={
                        ":none": {"N": "0"},
                        ":one": {"N": "1"},
                        ":now": {"N": str(now_ms)},
                        ":soon": {"N": str(int(now) + _ATTEMPTS_S)},
                    },
                    ReturnValues="ALL_OLD",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                ).get("Attributes", {})
            except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
                item = error.response["Item"]  # type: ignore[typeddict-item]  # of a failed condition alone

        def number(name: str) -> int:
            return int(item[name]["N"]) if name in item else 0

        return Attempts(
            user=item["user"]["S"] if "user" in item else None,
            failed=number("failed") + 1,
            wait_ms=number("wait"),
            locked_ms=number("locked"),
            last_ms=number("last"),
        )

    @staticmethod
    def attempts(alias: str, add: int = 0, **values: int) -> Write:
        """Change how things stand with an identifier after a log-in.

        Args:
            alias: The identifier's.
            add: What to add to the count; others may have raised it meanwhile.
            values: What to set: `failed`, `wait` and `locked`, the last two in milliseconds since the epoch.
        """
        sets = ", ".join(f"#{name} = :{name}" for name in values)
        names = {f"#{name}": name for name in values} | ({"#failed": "failed"} if add else {})
        return {
            "Update": {
                "Key": {"pk": {"S": alias}, "sk": _SINGLE},
                "UpdateExpression": (f"SET {sets} " if sets else "") + ("ADD #failed :add" if add else ""),
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": {
                    **{f":{name}": {"N": str(value)} for name, value in values.items()},
                    **({":add": {"N": str(add)}} if add else {}),
                },
            }
        }

    def count(self, what: str, seconds: int) -> int:
        """Count one more in the present window of a counter, and return the count."""
        now = int(self._now())
        window = now - now % seconds
        with _Busy():
            answer = self._dynamodb.update_item(
                TableName=self._table,
                Key={"pk": {"S": f"L#{what}"}, "sk": {"S": str(window)}},
                UpdateExpression="SET expires = :end ADD #count :one",
                ExpressionAttributeNames={"#count": "count"},
                ExpressionAttributeValues={":end": {"N": str(window + 2 * seconds)}, ":one": {"N": "1"}},
                ReturnValues="UPDATED_NEW",
            )
        return int(answer["Attributes"]["count"]["N"])

    def counted(self, what: str, seconds: int) -> int:
        """The count of the present window."""
        now = int(self._now())
        item = self.get(f"L#{what}", str(now - now % seconds))
        return int(item["count"]["N"]) if item else 0


def _vector(version: Mapping[str, int]) -> Item:
    return {"M": {region: {"N": str(count)} for region, count in version.items()}}


def _user(user: str, item: Item) -> User:
    texts = {name: value["S"] for name, value in item.items() if "S" in value}
    return User(
        user,
        texts["status"],
        Sealed.from_attribute(item["data"]) if "data" in item else None,
        email_index=texts.get("email_index", ""),
        phone_index=texts.get("phone_index", ""),
        ts=texts["ts"],
        version={region: int(count["N"]) for region, count in item["version"]["M"].items()},
        origin=texts["origin"],
        merged_into=texts.get("merged_into", ""),
    )


class _Busy:
    """Turns what is worth another try into `BusyError`."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        code = error.response["Error"].get("Code") if isinstance(error, ClientError) else None
        if code in _RETRYABLE or isinstance(error, BotoCoreError):
            raise BusyError("busy", "The service is busy; try again in a moment.") from error
