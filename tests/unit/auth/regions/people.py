"""People in two regions, as the tests of the replication make and edit them."""

from __future__ import annotations

from typing import Any

from auth.identity import Document
from auth.storage import User
from local.memory_regions import NAMES, Region, Regions

__all__ = ["PASSWORD", "A", "B", "edit", "imported", "merge", "record", "signed_up"]

A, B = NAMES
PASSWORD = "a long enough password"


def signed_up(region: Region, email: str, *, verified: bool = False) -> str:
    """Somebody signs up, and verifies their address or not; the id."""
    world = region.world
    assert world.ask("POST", "/v1/signup", "shop", email=email, password=PASSWORD).status == 202
    world.deliver()
    token = next(mail.token for mail in reversed(world.mails) if mail.to == email and mail.kind == "verify")
    if verified:
        assert world.ask("POST", "/v1/verify", "shop", token=token, password=PASSWORD).status == 200
    return region.owners()[world.services.alias("email", email).text]


def imported(region: Region, number: str, email: str, **more: Any) -> str:
    """A company's line is imported; the id of the account that it is in."""
    taken = region.world.take_line("*", id=number, company="shop", email=email, **more)
    return str(taken["user_id"])


def edit(region: Region, user: str, **changes: Any) -> None:
    """A company edits somebody."""
    assert region.world.ask("PATCH", "/v1/users/{id}", "shop", user, **changes).status == 200


def merge(region: Region, stays: str, ends: str) -> None:
    """The group merges two accounts."""
    assert region.world.ask("POST", "/v1/users/{id}/merge", "group", stays, other=ends).status == 200


def record(regions: Regions, name: str, user: str) -> tuple[User, Document | None]:
    """An account as a region has it."""
    return regions[name].known()[user]
