"""Accounts.

===========  ==============================================================
Item         an account
Key          `pk` = `U#<user>`, `sk` = `.`
Attributes   `status` S, `ts` S, `version` M of N, `origin` S, `data` M (the encrypted document),
             `epoch` S, `epoch_version` M of N, `email_index` S, `phone_index` S, `claims` M of S,
             `merged_into` S, `cleaned` S, `digest` S, `taken` SS, `unsettled` BOOL; from `data` on only
             where they are not empty
Indexes      `email_index`, `phone_index`: by the attribute of that name
TTL          none: what was erased or merged stays as a tombstone
Written by   accounts, imports, and log-ins that replace a legacy hash
===========  ==============================================================

The partition also holds what belongs to a person: sessions, sessions in browsers, grants, and devices.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from shared.envelope import Sealed

from ._aliases import Alias
from ._table import ONLY, Item, Table, Write, check, delete, put, update

__all__ = ["CLAIMED", "SHOWN", "User", "UserStatus", "Users", "user_key", "user_of_key"]

SHOWN, CLAIMED = "0 ", "1 "
"""Somebody has shown that an identifier is theirs; or has not, and comes after who has."""

type UserStatus = Literal["unverified", "active", "conflict", "merged", "erased"]
"""Signed up; verified; imported without a log-in, since its address is another's; taken over; forgotten."""


@dataclass(frozen=True)
class User:
    """An account as it lies in the table.

    Attributes:
        id: The person's UUID.
        status: Its state. Whether an account is in `conflict` follows from whose its identifiers are in this
            region, and is no part of its version.
        sealed: The encrypted document; None once it was erased or merged.
        email_index: Blind index of the main e-mail address.
        phone_index: Blind index of the main phone number.
        ts: The document's latest reading of the clock.
        version: Version vector: region to number of writes.
        origin: The region of the last write.
        merged_into: The account that took this one over.
        epoch: What every proof of the person has to carry (see `identity.new_epoch`).
        epoch_version: The version that made it; empty in records that were written before regions were.
        claims: The aliases that are the person's unless another has them: text to how strongly, `SHOWN` or
            `CLAIMED` and since when; of two accounts the lower text comes first. See `Records.close`.
        cleaned: The epoch at which it was begun anew; empty if it never was. Grants from before are void.
        digest: HMAC of the document: two regions that came to one version by different ways compare it.
        taken: The accounts that it took over; an erasure erases them too.
        unsettled: Whether it came from another region, and something is to be done about it in this one.
    """

    id: str
    status: UserStatus
    sealed: Sealed | None = None
    email_index: str = ""
    phone_index: str = ""
    ts: str = ""
    version: Mapping[str, int] = field(default_factory=dict)
    origin: str = ""
    merged_into: str = ""
    epoch: str = ""
    epoch_version: Mapping[str, int] = field(default_factory=dict)
    claims: Mapping[str, str] = field(default_factory=dict)
    cleaned: str = ""
    digest: str = ""
    taken: frozenset[str] = frozenset()
    unsettled: bool = False

    def written_in(self, region: str) -> "User":
        """The same with the version that a write in a region makes; and its epoch's, if that is a new one."""
        version = {**self.version, region: self.version.get(region, 0) + 1}
        return replace(self, version=version, origin=region, epoch_version=self.epoch_version or version)

    def but(self, **changes: Any) -> "User":
        """The same with some attributes changed."""
        if "epoch" in changes:
            changes.setdefault("epoch_version", {})
        return replace(self, **changes)

    @property
    def context(self) -> dict[str, str]:
        """The encryption context of the record: whose it is, and which version."""
        vector = ",".join(f"{region}={count}" for region, count in sorted(self.version.items()))
        return {"user": self.id, "version": vector}


class Users:
    """Reads and writes of accounts."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, user: str) -> User | None:
        """An account; None if there never was one."""
        item = self._table.get(user_key(user))
        return None if item is None else _user(user, item)

    def save(self, user: User, before: User | None) -> Write:
        """Write an account over the version that was read, or a new one."""
        item: Item = {
            "status": {"S": user.status},
            "ts": {"S": user.ts},
            "version": _vector(user.version),
            "origin": {"S": user.origin},
        }
        for name in ("epoch", "email_index", "phone_index", "merged_into", "cleaned", "digest"):
            if value := getattr(user, name):
                item[name] = {"S": value}
        if user.epoch_version:
            item["epoch_version"] = _vector(user.epoch_version)
        if user.claims:
            item["claims"] = {"M": {text: {"S": rank} for text, rank in sorted(user.claims.items())}}
        if user.taken:
            item["taken"] = {"SS": sorted(user.taken)}
        if user.unsettled:
            item["unsettled"] = {"BOOL": True}
        if user.sealed is not None:
            item["data"] = user.sealed.to_attribute()
        made = put(user_key(user.id), ONLY, item, new=before is None)
        if before is None:
            return made
        condition = {  # a status can change without the version
            "ConditionExpression": "version = :before AND #status = :status",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": {
                ":before": _vector(before.version),
                ":status": {"S": before.status},
            },
        }
        return made._replace(request={**made.request, **condition})

    def note(self, user: User, before: User) -> Write:
        """Write what is no part of an account's version: whether it is in conflict, whether it is settled.

        Args:
            user: The account.
            before: As it was read.
        """
        values = {":version": _vector(before.version), ":before": {"S": before.status}}
        return update(
            user_key(user.id),
            ONLY,
            "SET #status = :status" + (", unsettled = :true" if user.unsettled else " REMOVE unsettled"),
            ConditionExpression="version = :version AND #status = :before",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues=values
            | {":status": {"S": user.status}}
            | ({":true": {"BOOL": True}} if user.unsettled else {}),
        )

    def unchanged(self, user: User) -> Write:
        """Check that an account is as it was read."""
        values = {":version": _vector(user.version)}
        return check(user_key(user.id), ONLY, "version = :version", ExpressionAttributeValues=values)

    def epoch_is(self, user: str, epoch: str) -> Write:
        """Check that no credential of a person was changed since a proof was made.

        Args:
            user: Whose.
            epoch: The proof's.
        """
        if not epoch:  # of an account that was written before there were epochs
            return check(user_key(user), ONLY, "attribute_exists(pk) AND attribute_not_exists(epoch)")
        return check(
            user_key(user), ONLY, "epoch = :epoch", ExpressionAttributeValues={":epoch": {"S": epoch}}
        )

    def sharing(self, alias: Alias) -> list[str]:
        """The people whose accounts have an identifier, by the table's index (behind by a moment)."""
        items = self._table.query_index(f"{alias.kind}_index", alias.index)
        return sorted(item["pk"]["S"].removeprefix("U#") for item in items)

    def delete_belongings(self, user: str) -> list[Write]:
        """Delete the sessions of a person, browsers' too, and what was granted to applications."""
        keys = [item["sk"]["S"] for item in self._table.query(user_key(user))]
        return [delete(user_key(user), sk) for sk in keys if sk != ONLY]


def user_key(user: str) -> str:
    """The partition of a person."""
    return f"U#{user}"


def user_of_key(key: str) -> str | None:
    """Whose account lies in a partition; None for a partition of something else."""
    return key.removeprefix("U#") if key.startswith("U#") else None


def _vector(version: Mapping[str, int]) -> Item:
    return {"M": {region: {"N": str(count)} for region, count in version.items()}}


def _counts(vector: Item | None) -> dict[str, int]:
    return {region: int(count["N"]) for region, count in vector["M"].items()} if vector else {}


def _user(user: str, item: Item) -> User:
    strings = {name: value["S"] for name, value in item.items() if "S" in value}
    return User(
        user,
        strings["status"],
        Sealed.from_attribute(item["data"]) if "data" in item else None,
        email_index=strings.get("email_index", ""),
        phone_index=strings.get("phone_index", ""),
        ts=strings["ts"],
        version=_counts(item["version"]),
        origin=strings["origin"],
        merged_into=strings.get("merged_into", ""),
        cleaned=strings.get("cleaned", ""),
        digest=strings.get("digest", ""),
        epoch=strings.get("epoch", ""),
        epoch_version=_counts(item.get("epoch_version")),
        claims={text: rank["S"] for text, rank in item["claims"]["M"].items()} if "claims" in item else {},
        taken=frozenset(item["taken"]["SS"]) if "taken" in item else frozenset(),
        unsettled="unsettled" in item,
    )
