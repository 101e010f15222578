"""What is known of a person: fields, each with the reading of the clock at its last edit.

A document is what lies encrypted in a record. Fields that hold many things have one entry for each, so that
edits of different things never collide. A removed field stays as an entry without a value: a removal is an
edit like any other.

    company.<company>       the person is known to a company; in older records `{"id"}`, from an import
    company_id.<origin>     an id of the person in a company's system
    old_hash.<origin>       the hash of a password there; in older records `old_hash.<company>`
    email_also.<index>      a further address, by its blind index

`<origin>` is the JSON of `[company, id]`: a company may have several accounts of one person.

The document of an account that was merged goes whole, under the account's id, into that of the one that goes
on, and stays there as it was: so it can come twice, late, or from two regions, and be edited elsewhere
meanwhile. What counts of both is decided when a field is read: the account's own value, else the other one's;
and an edit of the other one after the merge if it is the later one.

As bytes it is JSON: `{"<field>": [<value>, "<reading>"], ..., "merged": {"<account>": ["<reading of the
merge>", {"<field>": ...}]}}`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ._clock import after, tick
from ._fields import PROFILE

__all__ = ["Document", "origin_key"]

type Fields = dict[str, tuple[Any, str]]
"""Name to value, None where it was removed, and reading."""

_NEVER = (None, "")
_MERGED = "merged"
_OWN = frozenset({"email", "email_pending", "email_previous", "recovery", "totp_pending", "imported"})
"""Fields, and families of fields, that an account does not have from one that it took over."""
_TOGETHER = {"email_verified": "email", "phone_verified": "phone"}
"""Fields that say something of another one, and are that one's."""


def origin_key(company: str, person: str) -> str:
    """The key of what came from one account in a company's system.

    Args:
        company: The company.
        person: The id that the person has there.
    """
    return json.dumps([company, person], ensure_ascii=False)


def _is_old_hash(name: str) -> bool:
    return name.startswith("old_hash.")


class _Taken(NamedTuple):
    """An account that was taken over.

    Attributes:
        since: The reading at which it was.
        fields: Its own fields.
    """

    since: str
    fields: Fields


class Document:
    """The fields of one person.

    Args:
        fields: Name to (value, reading); None is the value of a removed field.
        taken: Accounts that were taken over, by their ids.
    """

    def __init__(
        self, fields: Mapping[str, tuple[Any, str]] | None = None, taken: Mapping[str, _Taken] | None = None
    ) -> None:
        self._fields: Fields = dict(fields or {})
        self._taken = dict(taken or {})

    @classmethod
    def from_bytes(cls, data: bytes) -> "Document":
        """The document that `to_bytes` wrote."""
        read = json.loads(data)
        taken = read.pop(_MERGED, {})
        return cls(
            _fields_of(read),
            {each: _Taken(since, _fields_of(fields)) for each, (since, fields) in taken.items()},
        )

    def to_bytes(self) -> bytes:
        """The document as compact JSON."""
        taken = {_MERGED: self._taken} if self._taken else {}
        return json.dumps(self._fields | taken, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def latest(self) -> str:
        """The latest reading of all fields; empty for an empty document."""
        every = [self._fields, *(each.fields for each in self._taken.values())]
        readings = [reading for fields in every for _, reading in fields.values()]
        return max([*readings, *(each.since for each in self._taken.values())], default="")

    def __getitem__(self, name: str) -> Any:
        """A field's value; None if there is none."""
        return self._entry(name)[0]

    def reading(self, name: str) -> str:
        """When a field was edited last; empty if it never was."""
        return self._entry(name)[1]

    def family(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """The entries of a field that holds many things: what comes after `<prefix>.`, and the value."""
        for name in self.names():
            if name.startswith(f"{prefix}.") and (value := self[name]) is not None:
                yield name.removeprefix(f"{prefix}."), value

    def names(self) -> Iterable[str]:
        """The fields that were ever edited, removed ones too."""
        if not self._taken:
            return list(self._fields)
        return dict.fromkeys(
            [*self._fields, *(name for each in self._taken.values() for name in each.fields)]
        )

    # ---- what counts of several accounts

    def _entry(self, name: str) -> tuple[Any, str]:
        if not self._taken:
            return self._own_hash(name) if _is_old_hash(name) else self._fields.get(name, _NEVER)
        family = name.partition(".")[0]
        leader = _TOGETHER.get(name, name)
        if leader in _OWN or family in _OWN:
            return self._fields.get(name, _NEVER)
        if _is_old_hash(name):
            return self._hash(name)
        if family in ("totp", "recovery_code"):
            return self._of_factor(name)
        return self._source(leader).get(name, _NEVER)

    def _source(self, leader: str) -> Fields:
        """The account whose field counts: this one, unless it has none, or another was edited later since."""
        best, age = self._fields, _age(self._fields, leader)
        lacks = self._fields.get(leader, _NEVER)[0] is None
        for each in self._taken.values():
            value, theirs = each.fields.get(leader, _NEVER)[0], _age(each.fields, leader)
            if (theirs[0] > each.since or (lacks and value is not None)) and theirs > age:
                best, age = each.fields, theirs
        return best

    def _of_factor(self, name: str) -> tuple[Any, str]:
        """A field of the second factor: this account's if it has one, else the one that was taken over and is
        newer than the end of its own; a recovery code is spent in either."""
        own = self._fields.get("totp", _NEVER)
        found = [
            each.fields for each in self._taken.values() if each.fields.get("totp", _NEVER)[0] is not None
        ]
        newest = max(found, key=lambda fields: _age(fields, "totp"), default=self._fields)
        if own[0] is not None or own[1] >= newest.get("totp", _NEVER)[1]:
            newest = self._fields
        entries = [fields[name] for fields in (newest, self._fields) if name in fields]
        return max(entries, key=lambda entry: entry[1], default=_NEVER)

    def _own_hash(self, name: str) -> tuple[Any, str]:
        entry = self._fields.get(name, _NEVER)
        return _NEVER if _is_void(self._fields, name, _chosen(self._fields)) else entry

    def _hash(self, name: str) -> tuple[Any, str]:
        """The hash of a password in a company's system: removed for ever if anybody did so, and void if the
        person chose a password after it was imported."""
        own = _chosen(self._fields)
        places = [(self._fields, own)]
        for each in self._taken.values():
            theirs = _chosen(each.fields)
            places.append((each.fields, max(theirs, own) if own > each.since else theirs))
        entries = [fields[name] for fields, _ in places if name in fields]
        removed = [entry for entry in entries if entry[0] is None]
        valid = [
            fields[name] for fields, chosen in places if name in fields and not _is_void(fields, name, chosen)
        ]
        return max(removed or valid, key=lambda entry: entry[1], default=_NEVER)

    # ---- what is known of companies' systems

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

    def companies_of_hashes(self) -> list[str]:
        """The companies in whose systems the person's old passwords are."""
        return sorted({json.loads(key)[0] for key in self.old_hashes()})

    def _origin_of_hash(self, key: str) -> str:
        if key.startswith("["):
            return key
        known = self[f"company.{key}"] or {}
        return origin_key(key, known.get("id", ""))

    # ---- what two documents say together

    def joined(self, other: "Document") -> "Document":
        """What two regions know of a person together: of each field the edit with the latest reading.

        It is the same whichever of the two asks, and whatever was joined before: the readings of a document
        that was edited are never earlier than those that it had. The hash of a password in a company's
        system, which is written once, stays removed once it was.
        """
        taken = dict(sorted((self._taken | other._taken).items()))
        for each in self._taken.keys() & other._taken.keys():
            taken[each] = _joined_taken(self._taken[each], other._taken[each])
        return Document(_joined(self._fields, other._fields), taken)

    def later(self, other: "Document", name: str) -> "Document":
        """Which of two documents has the later edit of an account's own field."""
        leader = _TOGETHER.get(name, name)
        return max(self, other, key=lambda document: _age(document._fields, leader))

    def absorb(self, own: str, account: str, other: "Document", reading: str) -> bool:
        """Take over the document of an account that was merged into this one.

        Args:
            own: The id of this account.
            account: The id of the other one.
            other: Its document.
            reading: Of the merge; that of an earlier one stays.

        Returns:
            Whether anything of it was not known.
        """
        before = self.to_bytes()
        for each, taken in {account: _Taken(reading, other._fields), **other._taken}.items():
            if each == own:
                self._fields = _joined(self._fields, taken.fields)
            else:
                known = self._taken.get(each)
                self._taken[each] = _joined_taken(known, taken) if known else taken
        return self.to_bytes() != before

    def absorbed(self, account: str, other: "Document", name: str) -> bool:
        """Whether a field of another account was taken over as it is."""
        known = self._taken.get(account)
        return known is not None and known.fields.get(name) == other._fields.get(name)

    # ---- edits

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


def _fields_of(read: Mapping[str, Any]) -> Fields:
    return {name: (entry[0], entry[1]) for name, entry in read.items()}


def _age(fields: Fields, leader: str) -> tuple[str, str]:
    """When a field was edited last, or what is said of it; and what they are, for two of one reading."""
    entries = [
        fields.get(name, _NEVER)
        for name in (leader, *(name for name, of in _TOGETHER.items() if of == leader))
    ]
    return max(reading for _, reading in entries), json.dumps(entries, sort_keys=True)


def _joined(one: Fields, other: Fields) -> Fields:
    """Of each field the later edit."""
    fields = {}
    for name in sorted(one.keys() | other.keys()):
        leader = _TOGETHER.get(name, name)
        later = max(one, other, key=lambda each: (_is_final(each, name), _age(each, leader)))
        if name in later:
            fields[name] = later[name]
    return fields


def _joined_taken(one: _Taken, other: _Taken) -> _Taken:
    return _Taken(min(one.since, other.since), _joined(one.fields, other.fields))


def _is_final(fields: Fields, name: str) -> bool:
    """Whether a field was removed for ever: an import writes the hash of a password once."""
    return _is_old_hash(name) and name in fields and fields[name][0] is None


def _chosen(fields: Fields) -> str:
    """When the person of an account chose its password; a hash that replaced an old one is as old as that."""
    return fields.get("secret", _NEVER)[1]


def _is_void(fields: Fields, name: str, chosen: str) -> bool:
    """Whether a password was chosen after the hash of an old one was imported: whoever chose it may not have
    known of it, as it was imported in another region."""
    imported = fields.get(f"company_id.{name.partition('.')[2]}", _NEVER)[1] or fields.get(name, _NEVER)[1]
    return name in fields and fields[name][0] is not None and imported < chosen
