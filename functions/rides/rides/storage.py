"""The tables, and every write on them.

| table | key               | what                                                                     |
|-------|-------------------|--------------------------------------------------------------------------|
| rides | `visitor`, `ride` | a ride; by `requested` in the index `by_time`; `expires` after its days  |
| fleet | `name`            | a unicorn; `ride` and `until` while it is assigned                       |

A unicorn and its ride change in one transaction, each on the condition that it is what it was: one unicorn
has one ride. A unicorn is on lease: after `until` it may be assigned again, so none is lost with a ride.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared.clients import client
from shared.transactions import ConflictingWriteError, write_together

from .geography import Place
from .model import FLEET, Ride, State, Unicorn

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

__all__ = ["Storage"]

BY_TIME = "by_time"
_DAY = 86_400


class Storage:
    """The tables.

    Args:
        rides: Name of the table of rides.
        fleet: Name of the table of unicorns.
        days: Days after which a ride expires.
        dynamodb: The client; this process's by default.
    """

    def __init__(self, rides: str, fleet: str, days: int, dynamodb: "DynamoDBClient | None" = None) -> None:
        self._rides, self._fleet, self._days = rides, fleet, days
        self._dynamodb = dynamodb or client("dynamodb")

    # ---- rides

    def ride(self, visitor: str, ride: str) -> Ride | None:
        """A visitor's ride, as it is now."""
        found = self._dynamodb.get_item(
            TableName=self._rides, Key=_ride_key(visitor, ride), ConsistentRead=True
        )
        return _ride_of(found["Item"]) if "Item" in found else None

    def request(self, ride: Ride) -> bool:
        """Store a request; False if the visitor has a ride with this id."""
        item = {
            **_ride_key(ride.visitor, ride.id),
            "state": {"S": ride.state},
            "pickup": _place(ride.pickup),
            "requested": {"N": _number(ride.moments["requested"])},
            "moments": _moments(ride.moments),
            "expires": {"N": str(int(ride.moments["requested"]) + self._days * _DAY)},
        }
        try:
            self._dynamodb.put_item(
                TableName=self._rides, Item=item, ConditionExpression="attribute_not_exists(ride)"
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def history(
        self, visitor: str, limit: int, after: tuple[str, float] | None
    ) -> tuple[list[Ride], tuple[str, float] | None]:
        """A visitor's rides, newest first, and where the next page begins: id and moment of the request.

        Args:
            visitor: Whose.
            limit: Of a page.
            after: What the page before ended with.
        """
        start: dict[str, Any] = {}
        if after:
            key = {**_ride_key(visitor, after[0]), "requested": {"N": _number(after[1])}}
            start = {"ExclusiveStartKey": key}
        page = self._dynamodb.query(
            TableName=self._rides, IndexName=BY_TIME, KeyConditionExpression="visitor = :visitor",
            ExpressionAttributeValues={":visitor": {"S": visitor}}, ScanIndexForward=False, Limit=limit + 1,
            ConsistentRead=True, **start,
        )  # fmt: skip
        # One more than is told: a query that reached its limit does not say whether there is more.
        rides = [_ride_of(item) for item in page["Items"]]
        last = rides[limit - 1] if len(rides) > limit else None
        return rides[:limit], (last.id, last.moments["requested"]) if last else None

    def move(self, ride: Ride, to: State, now: float) -> Ride:
        """Have a ride that has a unicorn go on to a state that changes nothing for the unicorn.

        Raises:
            ConflictingWriteError: It is not in the state that it was in.
        """
        moved = _moved(ride, to, now)
        write_together(self._dynamodb, [self._ride_update(ride, moved)])
        return moved

    # ---- unicorns

    def unicorns(self) -> list[Unicorn]:
        """The whole fleet; who is missing is made, on the first day all of it."""
        found = self.fleet()
        there = {unicorn.name for unicorn in found}
        missing = [unicorn for unicorn in FLEET if unicorn.name not in there]
        for unicorn in missing:
            self._make(unicorn)
        return self.fleet() if missing else found

    def fleet(self) -> list[Unicorn]:
        """The unicorns that there are; none before the first ride."""
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self._fleet, ConsistentRead=True)
        return [_unicorn_of(item) for page in pages for item in page["Items"]]

    def _make(self, unicorn: Unicorn) -> None:
        item = {
            "name": {"S": unicorn.name},
            "colour": {"S": unicorn.colour},
            "place": _place(unicorn.place),
        }
        try:
            self._dynamodb.put_item(
                TableName=self._fleet, Item=item, ConditionExpression="attribute_not_exists(#n)",
                ExpressionAttributeNames={"#n": "name"},
            )  # fmt: skip
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return  # another invocation made it

    # ---- both at once

    def assign(self, ride: Ride, assigned: Ride, until: float, now: float) -> None:
        """Give a requested ride its unicorn.

        Args:
            ride: As it was requested.
            assigned: The same with its unicorn.
            until: Seconds since the epoch when the unicorn is free again whatever happens.
            now: Seconds since the epoch.

        Raises:
            ConflictingWriteError: The ride is not requested any more (place 0), the unicorn is not free (1).
        """
        take: TransactWriteItemTypeDef = {
            "Update": {
                "TableName": self._fleet,
                "Key": {"name": {"S": assigned.unicorn}},
                "UpdateExpression": "SET #ride = :ride, #until = :until",
                "ConditionExpression": (
                    "attribute_exists(#name) AND (attribute_not_exists(#ride) OR #until < :now)"
                ),
                "ExpressionAttributeNames": {"#name": "name", "#ride": "ride", "#until": "until"},
                "ExpressionAttributeValues": {
                    ":ride": {"S": ride.key},
                    ":until": {"N": str(int(until))},
                    ":now": {"N": _number(now)},
                },
            }
        }
        write_together(self._dynamodb, [self._ride_update(ride, assigned), take])

    def end(self, ride: Ride, state: State, now: float, place: Place | None = None) -> Ride:
        """End a ride, and free its unicorn if it has one; the unicorn may be somebody else's by now.

        Args:
            ride: As it was.
            state: How it ends.
            now: Seconds since the epoch.
            place: Where the unicorn is now, if it moved.

        Raises:
            ConflictingWriteError: The ride is not in the state that it was in.
        """
        ended = _moved(ride, state, now)
        writes = [self._ride_update(ride, ended)]
        if not ride.unicorn:
            write_together(self._dynamodb, writes)
            return ended
        moved = "SET #place = :place " if place else ""
        names = {"#ride": "ride", "#until": "until"} | ({"#place": "place"} if place else {})
        values = {":ride": {"S": ride.key}} | ({":place": _place(place)} if place else {})
        free: TransactWriteItemTypeDef = {
            "Update": {
                "TableName": self._fleet,
                "Key": {"name": {"S": ride.unicorn}},
                "UpdateExpression": f"{moved}REMOVE #ride, #until",
                "ConditionExpression": "#ride = :ride",
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": values,
            }
        }
        try:
            write_together(self._dynamodb, [*writes, free])
        except ConflictingWriteError as error:
            if error.places != {1}:
                raise
            write_together(self._dynamodb, writes)  # the lease was over: it is another ride's
        return ended

    def _ride_update(self, before: Ride, after: Ride) -> "TransactWriteItemTypeDef":
        """The write of what changes in a ride, on the condition that it is in the state that it was in."""
        values: dict[str, Any] = {
            ":before": {"S": before.state},
            ":state": {"S": after.state},
            ":moments": _moments(after.moments),
        }
        changes = ["#state = :state", "moments = :moments"]
        details = {
            "unicorn": {"S": after.unicorn} if after.unicorn else None,
            "colour": {"S": after.colour} if after.colour else None,
            "start": _place(after.start) if after.start else None,
            "arrives": {"N": _number(after.arrives)} if after.arrives else None,
            "ends": {"N": _number(after.ends)} if after.ends else None,
            "retry_after": {"N": str(after.retry_after)} if after.retry_after else None,
        }
        names = {"#state": "state"}
        for name, value in details.items():
            if value is not None:
                names[f"#{name}"] = name
                values[f":{name}"] = value
                changes.append(f"#{name} = :{name}")
        return {
            "Update": {
                "TableName": self._rides,
                "Key": _ride_key(before.visitor, before.id),
                "UpdateExpression": f"SET {', '.join(changes)}",
                "ConditionExpression": "#state = :before",
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": values,
            }
        }


def _moved(ride: Ride, to: State, now: float) -> Ride:
    return replace(ride, state=to, moments={**ride.moments, to: now})


def _number(value: float) -> str:
    return f"{value:.3f}"


def _ride_key(visitor: str, ride: str) -> dict[str, Any]:
    return {"visitor": {"S": visitor}, "ride": {"S": ride}}


def _place(place: Place) -> dict[str, Any]:
    return {"M": {"latitude": {"N": repr(place.latitude)}, "longitude": {"N": repr(place.longitude)}}}


def _place_of(value: Mapping[str, Any]) -> Place:
    return Place(float(value["M"]["latitude"]["N"]), float(value["M"]["longitude"]["N"]))


def _moments(moments: Mapping[str, float]) -> dict[str, Any]:
    return {"M": {name: {"N": _number(moment)} for name, moment in moments.items()}}


def _ride_of(item: Mapping[str, Any]) -> Ride:
    return Ride(
        visitor=item["visitor"]["S"],
        id=item["ride"]["S"],
        state=item["state"]["S"],
        pickup=_place_of(item["pickup"]),
        moments={name: float(moment["N"]) for name, moment in item["moments"]["M"].items()},
        unicorn=item.get("unicorn", {}).get("S", ""),
        colour=item.get("colour", {}).get("S", ""),
        start=_place_of(item["start"]) if "start" in item else None,
        arrives=float(item.get("arrives", {}).get("N", 0)),
        ends=float(item.get("ends", {}).get("N", 0)),
        retry_after=int(item.get("retry_after", {}).get("N", 0)),
    )


def _unicorn_of(item: Mapping[str, Any]) -> Unicorn:
    return Unicorn(
        name=item["name"]["S"],
        colour=item["colour"]["S"],
        place=_place_of(item["place"]),
        ride=item.get("ride", {}).get("S", ""),
        until=int(item.get("until", {}).get("N", 0)),
    )
