"""What is known of a person: fields, each with the reading of the clock at its last edit.

A document is what lies encrypted in a record. Fields that hold many things have one entry for each, so that
edits of different things never collide. A removed field stays as an entry without a value: a removal is an
edit like any other.

    company.<company>       the person is known to a company; in older records `{"id"}`, from an import
    company_id.<origin>     an id of the person in a company's system
    old_hash.<origin>       the hash of a password there; in older records `old_hash.<company>`
    email_also.<index>      a further address, by its blind index
    imported                when a company's line made the account: the line's fields count as older than all

`<origin>` is the JSON of `[company, id]`: a company may have several accounts of one person.

As bytes it is JSON: `{"<field>": [<value>, "<reading>"], ...}`.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ._clock import after, tick
from ._fields import PROFILE

__all__ = ["CREDENTIALS", "Document", "origin_key"]

CREDENTIALS = ("secret", "old_hash", "totp")
"""Fields, and families of fields, by which somebody shows that they are the person, but for mailboxes."""

_TOGETHER = {"email_verified": "email", "phone_verified": "phone"}
"""Fields that say something of another one, and are that one's at a join."""


def origin_key(company: str, person: str) -> str:
    """The key of what came from one account in a company's system.

    Args:
        company: The company.
        person: The id that the person has there.
    """
    return json.dumps([company, person], ensure_ascii=False)


def _is_old_hash(name: str) -> bool:
    return name.startswith("old_hash.")


class Document:
    """The fields of one person.

    Args:
        fields: Name to (value, reading); None is the value of a removed field.
    """

    def __init__(self, fields: Mapping[str, tuple[Any, str]] | None = None) -> None:
        self._fields: dict[str, tuple[Any, str]] = dict(fields or {})

    @classmethod
    def from_bytes(cls, data: bytes) -> "Document":
        """The document that `to_bytes` wrote."""
        return cls({name: (entry[0], entry[1]) for name, entry in json.loads(data).items()})

    def to_bytes(self) -> bytes:
        """The document as compact JSON."""
        return json.dumps(self._fields, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def latest(self) -> str:
        """The latest reading of all fields; empty for an empty document."""
        return max((reading for _, reading in self._fields.values()), default="")

    def __getitem__(self, name: str) -> Any:
        """A field's value; None if there is none."""
        return self._fields.get(name, (None, ""))[0]

    def family(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """The entries of a field that holds many things: what comes after `<prefix>.`, and the value."""
        for name, (value, _) in self._fields.items():
            if value is not None and name.startswith(f"{prefix}."):
                yield name.removeprefix(f"{prefix}."), value

    def origins(self) -> set[tuple[str, str]]:
        """The accounts of the person in companies' systems: company and id."""
        older = {(company, known["id"]) for company, known in self.family("company") if "id" in known}
        keys = [json.loads(key) for key, _ in self.family("company_id")]
        return older | {(company, person) for company, person in keys}

    def companies(self) -> set[str]:
        """The companies whose person somebody is: that they came to, or were imported by."""
        return {company for company, _ in self.family("company")} | {company for company, _ in self.origins()}

    def old_hashes(self) -> dict[str, Any]:
        """The hashes of passwords in companies' systems, by origin, those of older records too."""
        return {self._origin_of_hash(key): wrapped for key, wrapped in self.family("old_hash")}

    def known_hashes(self) -> set[str]:
        """The origins of which there ever was a hash: one that a new password made void never comes back."""
        return {self._origin_of_hash(name.partition(".")[2]) for name in self._fields if _is_old_hash(name)}

    def companies_of_hashes(self) -> list[str]:
        """The companies in whose systems the person's old passwords are."""
        return sorted({json.loads(key)[0] for key in self.old_hashes()})

    def _origin_of_hash(self, key: str) -> str:
        if key.startswith("["):
            return key
        known = self[f"company.{key}"] or {}
        return origin_key(key, known.get("id", ""))

    def reading(self, name: str) -> str:
        """When a field was edited last; empty if it never was."""
        return self._fields.get(name, (None, ""))[1]

    def names(self) -> set[str]:
        """The fields that were ever edited, removed ones too."""
        return set(self._fields)

    def without(self, prefixes: Collection[str]) -> "Document":
        """The same without some fields and families of fields, as if they had never been edited."""
        left = {name: entry for name, entry in self._fields.items() if name.split(".")[0] not in prefixes}
        return Document(left)

    def joined(self, other: "Document") -> "Document":
        """What two regions know of a person together: of each field the edit with the latest reading.

        Of a hash in a company's system, which is written once, its removal counts: by whoever chose a new
        password, not knowing that the other region imported it. It is the same whichever of the two asks, and
        whatever was joined before: the readings of a document that was edited are never earlier than those
        that it had.
        """
        fields = {}
        for name in sorted(self.names() | other.names()):
            later = self.later(other, name)
            if name in later._fields:
                fields[name] = later._fields[name]
        return Document(fields)

    def later(self, other: "Document", name: str) -> "Document":
        """Which of two documents has the later edit of a field."""
        leader = _TOGETHER.get(name, name)
        return max(self, other, key=lambda document: (document._is_final(name), document._age(leader)))

    def _is_final(self, name: str) -> bool:
        """Whether a field was removed for ever: an import writes the hash of a password once."""
        return _is_old_hash(name) and name in self._fields and self[name] is None

    def _age(self, leader: str) -> tuple[str, str]:
        """When a field was edited last, or what is said of it; and what they are, for two of one reading."""
        names = (leader, *(name for name, of in _TOGETHER.items() if of == leader))
        entries = [self._fields.get(name, (None, "")) for name in names]
        return max(reading for _, reading in entries), json.dumps(entries, sort_keys=True)

    def take(self, name: str, value: Any, reading: str) -> None:
        """Set a field to what was edited in another document of the person, at the reading of that edit.

        So it is no newer than it was, and loses to what somebody edits elsewhere meanwhile.

        Args:
            name: The field.
            value: Its value.
            reading: When it was edited there.
        """
        if self[name] != value or not self.reading(name):
            self._fields[name] = (value, max(reading, after(self.reading(name))))

    def end_hash(self, origin: str, reading: str) -> None:
        """Remove the hash of an account in a company's system for ever, whether it is there yet or not.

        Args:
            origin: Which account.
            reading: When it was removed, at the latest.
        """
        names = [name for name in self._fields if _is_old_hash(name)]
        theirs = [name for name in names if self._origin_of_hash(name.partition(".")[2]) == origin]
        for name in theirs or [f"old_hash.{origin}"]:
            self.take(name, None, reading)

    def replace_hash(self, changes: Mapping[str, Any]) -> None:
        """Set hashes of a password that stays the same: no edit that wins over a new password elsewhere.

        Args:
            changes: Field to new value; None removes it.
        """
        reading = after(max(self.reading(name) for name in changes))
        for name, value in changes.items():
            self._fields[name] = (value, reading)

    def edit(self, changes: Mapping[str, Any], now_ms: int, region: str) -> None:
        """Set fields (None removes), all under one reading; a value that is already there stays as it is.

        Args:
            changes: Field to new value.
            now_ms: The wall clock, milliseconds since the epoch.
            region: The region that edits.
        """
        reading = tick(now_ms, region, self.latest)
        for name, value in changes.items():
            if self[name] != value:
                self._fields[name] = (value, reading)

    def profile(self) -> dict[str, Any]:
        """What a company may see."""
        shown = {name: self[name] for name in PROFILE if self[name] is not None}
        for identifier in ("email", "phone"):
            if self[identifier] is not None:
                shown[identifier] = self[identifier]
                shown[f"{identifier}_verified"] = bool(self[f"{identifier}_verified"])
        if self["notify_new_device"]:
            shown["notify_new_device"] = True
        companies: dict[str, dict[str, list[str]]] = {key: {"ids": []} for key, _ in self.family("company")}
        for company, person in sorted(self.origins()):
            companies.setdefault(company, {"ids": []})["ids"].append(person)
        return shown | ({"companies": companies} if companies else {})
