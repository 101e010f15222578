"""What the public status page shows of the health checks."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, Protocol, TypedDict, cast

from shared.clients import client

__all__ = ["Check", "StatusRecord", "checks", "status_records"]

type State = Literal["up", "down"]


class StatusRecord(Protocol):
    """A health check's record in the ledger; it has more than the public may see."""

    @property
    def name(self) -> str:
        """What the check is called in public."""
        ...

    @property
    def state(self) -> State:
        """What it found last."""
        ...

    @property
    def since(self) -> str:
        """Since when, ISO 8601."""
        ...


class Check(TypedDict):
    """What the public sees of a health check: neither its id nor its alarm."""

    name: str
    state: State
    since: str


def checks(records: Iterable[StatusRecord]) -> list[Check]:
    """What the public sees: what is down comes first, then by name."""
    shown: list[Check] = [
        {"name": record.name, "state": record.state, "since": record.since} for record in records
    ]
    return sorted(shown, key=lambda check: (check["state"] != "down", check["name"], check["since"]))


class _Record(NamedTuple):
    name: str
    state: State
    since: str


def status_records(table: str) -> Iterator[StatusRecord]:
    """The records of a table: items whose `pk` is `status#<health check id>`."""
    pages = (
        client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=table,
            FilterExpression="begins_with(pk, :status)",
            ExpressionAttributeValues={":status": {"S": "status#"}},
        )
    )
    for page in pages:
        for item in page["Items"]:
            yield _Record(item["name"]["S"], cast("State", item["state"]["S"]), item["since"]["S"])
