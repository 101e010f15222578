"""What the public status page shows of the health checks."""

from collections.abc import Iterable
from typing import Literal, TypedDict

from .ledger import StatusRecord

__all__ = ["Check", "checks"]


_ORDER = {"down": 0, "unknown": 1, "up": 2}


class Check(TypedDict):
    """What the public sees of a health check: neither its id nor its alarm."""

    name: str
    state: Literal["up", "down", "unknown"]
    since: str


def checks(records: Iterable[StatusRecord]) -> list[Check]:
    """What the public sees of the ledger's records: what is down comes first, then what is unknown."""
    shown: list[Check] = [
        {"name": record.name, "state": record.state, "since": record.since} for record in records
    ]
    return sorted(shown, key=lambda check: (_ORDER[check["state"]], check["name"].casefold(), check["since"]))
