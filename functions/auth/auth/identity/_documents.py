"""What is known of a person: fields, each with the reading of the clock at its last edit.

A document is what lies encrypted in a record. Fields that hold many things have one entry for each, so that
edits of different things never collide. A removed field stays as an entry without a value: a removal is an
edit like any other.

    company.<company>       the person is known to a company
    company_id.<origin>     an id of the person in a company's system
    old_hash.<origin>       the hash of a password there
    email_also.<index>      a further address, by its blind index
    reset, cleaned          that the person has shown that the mailbox is theirs, and chosen a password, or
                            begun anew; the epoch that it made. What was changed in another region before it
                            was known there counts no more: of credentials, and of all that was set up.
                            `reset` is `{"epoch", "address", "index"}` of the mailbox, or `{"epoch",
                            "asked", "was"}` of a delayed reset, the reading at which it was asked for, and
                            the fields that it changed; with the last seven before as `before`
    email_previous.<index>.<change>     a main address that was replaced; each change by itself
    recovery_code.<factor>.<number>     the HMAC of a recovery code

`<origin>` is the JSON of `[company, id]`: a company may have several accounts of one person; `<factor>` names
a second factor. Older records have `company.<company>` = `{"id"}`, `old_hash.<company>` and
`recovery_code.<number>`, and are read as if they had these names.

The document of an account that was merged goes whole, under the account's id, into that of the one that goes
on, and stays there as it was: so it can come twice, late, or from two regions, and be edited elsewhere
meanwhile. What counts of both is decided when a field is read: the account's own value, else the other one's;
and an edit of the other one after the merge if it is the later one.

As bytes it is JSON: `{"<field>": [<value>, "<reading>"], ..., "merged": {"<account>": ["<reading of the
merge>", {"<field>": ...}]}}`.
"""

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from ._clock import after, tick
from ._fields import PROFILE
from ._joins import (
    CLEANED,
    NEVER,
    RESET,
    TOGETHER,
    Fields,
    age_of,
    as_field,
    joined,
    reading_of,
    resets_of,
    shown_by,
)

__all__ = ["Document", "factor_key", "origin_key"]

_MERGED = "merged"
_OWN = frozenset(
    {"email", "email_pending", "email_previous", "recovery", "totp_pending", "imported", RESET, CLEANED}
)
"""Fields, and families of fields, that an account does not have from one that it took over."""


def origin_key(company: str, person: str) -> str:
    """The key of what came from one account in a company's system.

    Args:
        company: The company.
        person: The id that the person has there.
    """
    return json.dumps([company, person], ensure_ascii=False)


def factor_key(secret: str) -> str:
    """The name of a second factor: an account that was taken over may have codes of another one.

    Args:
        secret: The factor's shared secret.
    """
    return sha256(secret.encode()).hexdigest()[:8]


def _is_old_hash(name: str) -> bool:
    return name.startswith("old_hash.")


class Document:
    """The fields of one person.

    Args:
        fields: Name to (value, reading); None is the value of a removed field.
        taken: Accounts that were taken over, by their ids.
    """

    def __init__(
        self, fields: Mapping[str, tuple[Any, str]] | None = None, taken: "Mapping[str, _Taken] | None" = None
    ) -> None:
        self._fields: Fields = dict(fields or {})
        self._taken = dict(taken or {})

    @classmethod
    def from_bytes(cls, data: bytes) -> "Document":
        """The document that `to_bytes` wrote."""
        return cls._from_json(json.loads(data))

    @classmethod
    def _from_json(cls, read: dict[str, Any]) -> "Document":
        taken = read.pop(_MERGED, {})
        fields = {name: (entry[0], entry[1]) for name, entry in read.items()}
        return cls(
            _by_todays_names(fields),
            {each: _Taken(entry[0], cls._from_json(entry[1])) for each, entry in taken.items()},
        )

    def to_bytes(self) -> bytes:
        """The document as compact JSON."""
        return json.dumps(self._to_json(), separators=(",", ":"), ensure_ascii=False).encode()

    def canonical(self) -> bytes:
        """The same bytes for all documents that say the same."""
        return json.dumps(self._to_json(), sort_keys=True).encode()

    def _to_json(self) -> dict[str, Any]:
        if not self._taken:
            return self._fields
        taken = {each: [since, document._to_json()] for each, (since, document) in self._taken.items()}
        return {**self._fields, _MERGED: taken}

    @property
    def latest(self) -> str:
        """The latest reading of all fields; empty for an empty document."""
        readings = [reading for _, reading in self._fields.values()]
        taken = [max(since, document.latest) for since, document in self._taken.values()]
        return max([*readings, *taken], default="")

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
        taken = [name for _, document in self._taken.values() for name in document.names()]
        return dict.fromkeys([*self._fields, *taken])

    # ---- what counts of several accounts

    def _entry(self, name: str) -> tuple[Any, str]:
        family, leader = name.partition(".")[0], TOGETHER.get(name, name)
        if family == "old_hash":
            return self._hash(name)
        if not self._taken or leader in _OWN or family in _OWN:
            return self._fields.get(name, NEVER)
        if family == "totp":
            return self._factor()
        if family == "recovery_code":
            return max(self._everywhere(name), key=lambda entry: (entry[0] is None, entry[1]), default=NEVER)
        return self._source(leader).get(name, NEVER)

    def _source(self, leader: str) -> Fields:
        """The account whose field counts: this one, unless it has none, or another was edited later since."""
        own = {} if leader == "secret" and self._is_void() else self._fields
        best, age, lacks = own, age_of(own, leader), own.get(leader, NEVER)[0] is None
        for since, document in self._taken.values():
            fields = document._source(leader)
            value, theirs = fields.get(leader, NEVER)[0], age_of(fields, leader)
            is_late = theirs[0] > since
            # A password of an account that was merged replaces none of the one that goes on.
            if is_late and leader == "secret" and leader in own:
                continue
            if is_late and self._stands_above(leader, since, document):
                continue
            if (is_late or (lacks and value is not None)) and theirs > age:
                best, age = fields, theirs
        return best

    def _stands_above(self, name: str, since: str, document: "Document") -> bool:
        """Whether the mailbox was shown here after an account was taken over, and not there since: what was
        edited there meanwhile was edited by who knew nothing of it."""
        shown = shown_by(name)
        own = reading_of(self._fields, shown)
        return own > since and own > reading_of(document._fields, shown)

    def _factor(self) -> tuple[Any, str]:
        """The second factor: this account's if it has one, else that which was enrolled last, and after the
        end of its own."""
        own = self._fields.get("totp", NEVER)
        if own[0] is not None:
            return own
        enrolled = []
        for since, document in self._taken.values():
            secret, reading = document._factor()
            counts = reading <= since or not self._stands_above("totp", since, document)
            if counts and secret is not None and reading > own[1]:
                enrolled.append((secret, reading))
        return max(enrolled, key=lambda entry: entry[1], default=own)

    def _everywhere(self, name: str) -> Iterator[tuple[Any, str]]:
        """The entries of a field in all accounts."""
        if name in self._fields:
            yield self._fields[name]
        for _, document in self._taken.values():
            yield from document._everywhere(name)

    def _hash(self, name: str) -> tuple[Any, str]:
        """The hash of a password in a company's system: removed for ever if anybody did so, and void if the
        person chose a password after it was imported, which they may not have known of."""
        found = list(self._hashes(name))
        removed = [entry for entry, _ in found if entry[0] is None]
        valid = [entry for entry, void_from in found if not void_from]
        return max(removed or valid, key=lambda entry: entry[1], default=NEVER)

    def _is_void(self) -> bool:
        """Whether this account's password is the hash of one that was taken over, replaced at a log-in, and
        void there: such a password is older than the line that the hash came with."""
        reading = reading_of(self._fields, "secret")
        replaced = [
            name
            for name, entry in self._fields.items()
            if _is_old_hash(name) and entry[0] is None and entry[1] <= reading
        ]
        return any(
            reading < void_from
            for name in replaced
            for _, document in self._taken.values()
            for _, void_from in document._hashes(name)
        )

    def _hashes(self, name: str, chosen: str = "") -> Iterator[tuple[tuple[Any, str], str]]:
        """The entries of a hash in all accounts, and when each was imported if it is void, else nothing.

        Args:
            name: The field.
            chosen: When the person of the account that took this one over chose a password.
        """
        own = self._fields.get("secret", NEVER)[1]  # one that replaced an old hash is as old as that
        if name in self._fields:
            origin = name.partition(".")[2]
            imported = self._fields.get(f"company_id.{origin}", self._fields[name])[1]
            yield self._fields[name], imported if imported < max(own, chosen) else ""
        for since, document in self._taken.values():
            yield from document._hashes(name, max(chosen, own if own > since else ""))

    # ---- what is known of companies' systems

    def origins(self) -> set[tuple[str, str]]:
        """The accounts of the person in companies' systems: company and id."""
        keys = [json.loads(key) for key, _ in self.family("company_id")]
        return {(company, person) for company, person in keys}

    def companies(self) -> set[str]:
        """The companies whose person somebody is: that they came to, or were imported by."""
        return {company for company, _ in self.family("company")} | {company for company, _ in self.origins()}

    def old_hashes(self) -> dict[str, Any]:
        """The hashes of passwords in companies' systems, by origin."""
        return dict(self.family("old_hash"))

    def companies_of_hashes(self) -> list[str]:
        """The companies in whose systems the person's old passwords are."""
        return sorted({json.loads(key)[0] for key in self.old_hashes()})

    # ---- what two documents say together

    def joined(self, other: "Document", held: Container[str] = ()) -> "Document":
        """What two regions know of a person together: of each field the edit with the latest reading.

        It is the same whichever of the two asks, and whatever was joined before: the readings of a document
        that was edited are never earlier than those that it had. The hash of a password in a company's
        system, which is written once, stays removed once it was.

        Args:
            other: What another region knows.
            held: The blind indexes of addresses that are somebody else's by now, so that nobody comes back to
                them.
        """
        taken = dict(sorted((self._taken | other._taken).items()))
        for each in self._taken.keys() & other._taken.keys():
            taken[each] = self._taken[each].joined(other._taken[each])
        both = Document(joined(self._fields, other._fields, held), taken)
        both._level()
        return both

    def absorb(self, own: str, account: str, other: "Document", reading: str) -> None:
        """Take over the document of an account that was merged into this one, or into one that this one took
        over.

        Args:
            own: The id of this account.
            account: The id of the other one.
            other: Its document.
            reading: Of the merge; that of an earlier one stays.
        """
        other, copies = other._without(own)
        for since, copy in copies:  # of this account, which the other one took over in another region
            joined, reading = self.joined(copy), min(reading, since)
            self._fields, self._taken = joined._fields, joined._taken
        if not self._join_taken(account, other):
            self._taken[account] = _Taken(reading, other)
        self._level()

    def _level(self) -> None:
        """Have an account that several took over be the same in all of them: one may have it as it was before
        something was removed, and the other one after."""
        fields: dict[str, Fields] = {}
        for account, copy in self._copies():
            fields[account] = joined(fields[account], copy) if account in fields else copy
        self._taken = self._of(fields)

    def _copies(self) -> Iterator[tuple[str, Fields]]:
        for account, (_, document) in self._taken.items():
            yield account, document._fields
            yield from document._copies()

    def _of(self, fields: Mapping[str, Fields]) -> "dict[str, _Taken]":
        """What was taken over, with these fields of each account."""
        return {
            account: _Taken(since, Document(fields[account], document._of(fields)))
            for account, (since, document) in self._taken.items()
        }

    def _join_taken(self, account: str, other: "Document") -> bool:
        """Join a document with that of an account wherever it was taken over; whether it was."""
        found = account in self._taken
        if found:
            since, document = self._taken[account]
            self._taken[account] = _Taken(since, document.joined(other))
        for each, (since, document) in self._taken.items():
            if document.taken(account) is not None:  # and no account comes to be within itself
                document.absorb(each, account, other, since)
                found = True
        return found

    def _without(self, account: str) -> "tuple[Document, list[_Taken]]":
        """The same without what was taken over of an account, and that."""
        taken, copies = dict[str, _Taken](), list[_Taken]()
        for each, (since, document) in self._taken.items():
            left, found = document._without(account)
            copies += found
            if each == account:
                copies.append(_Taken(since, left))
            else:
                taken[each] = _Taken(since, left)
        return Document(self._fields, taken), copies

    def taken(self, account: str) -> "Document | None":
        """The document of an account that was taken over; None if it was not."""
        for each, (_, document) in self._taken.items():
            found = document if each == account else document.taken(account)
            if found is not None:
                return found
        return None

    def accounts(self) -> set[str]:
        """The accounts that were taken over, and those that these had taken over."""
        return set(self._taken).union(*(document.accounts() for _, document in self._taken.values()))

    def resets(self) -> list[str]:
        """The epochs that the last resets made."""
        return [reset["epoch"] for reset, _ in resets_of(self._fields)]

    def same(self, other: "Document", name: str) -> bool:
        """Whether an account's own field is as in another document."""
        return self._fields.get(name) == other._fields.get(name)

    # ---- edits

    def replace_hash(self, changes: Mapping[str, Any]) -> None:
        """Set hashes of a password that stays the same: no edit that wins over a new password elsewhere.

        Args:
            changes: Field to new value; None removes it.
        """
        reading = after(max(self.reading(name) for name in changes))
        for name, value in changes.items():
            self._fields[name] = (value, reading)

    def edit(self, changes: Mapping[str, Any], now_ms: int, region: str, *, anew: bool = False) -> None:
        """Set fields (None removes), all under one reading; a value that is already there stays as it is.

        Args:
            changes: Field to new value.
            now_ms: The wall clock, milliseconds since the epoch.
            region: The region that edits.
            anew: Whether a value that is already there is set again, and so wins over an older one elsewhere.
        """
        reading = tick(now_ms, region, self.latest)
        changed = {
            name: value
            for name, value in changes.items()
            if self[name] != value or (anew and value is not None)
        }
        for name, leader in TOGETHER.items():
            if leader not in _OWN and changed.keys() & {name, leader}:  # as it is, of one account
                whole = {each: changes.get(each, self[each]) for each in (leader, name)}
                changed |= {each: value for each, value in whole.items() if not self._has(each, value)}
        if isinstance(changed.get(RESET), dict):
            was = {name: [*self._fields[name]] for name in changed if name in self._fields and name != RESET}
            reset = changed[RESET] | ({} if "index" in changed[RESET] else {"was": was})
            resets = [(reset, reading), *resets_of(self._fields)]
            changed[RESET] = as_field(resets)[RESET][0]
        changed = self._seen(changed) | changed
        self._fields |= {name: (value, reading) for name, value in changed.items()}

    def _seen(self, changed: Mapping[str, Any]) -> dict[str, Any]:
        """What an edit stands above, if it says that the mailbox was shown: as it is seen then, and whichever
        account it came from, it is this one's. A recovery code has one value in all accounts."""
        seen = {name: self[name] for name in self.names() if shown_by(name) in changed}
        return {
            name: value
            for name, value in seen.items()
            if not (name.startswith("recovery_code.") or self._has(name, value))
        }

    def _has(self, name: str, value: Any) -> bool:
        """Whether an account's own field has a value."""
        return bool(self._fields.get(name, NEVER)[0] == value)

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


class _Taken(NamedTuple):
    """An account that was taken over.

    Attributes:
        since: The reading at which it was.
        document: Its document.
    """

    since: str
    document: Document

    def joined(self, other: "_Taken") -> "_Taken":
        """What two regions know of it together."""
        return _Taken(min(self.since, other.since), self.document.joined(other.document))


def _by_todays_names(fields: Fields) -> Fields:
    """The fields of a record, which may be older."""
    moved = _older_origins(fields)
    secret = fields.get("totp", NEVER)[0]
    codes = [name for name in fields if name.startswith("recovery_code.") and name.count(".") == 1]
    for name in codes if secret else ():
        moved[f"recovery_code.{factor_key(secret)}.{name.partition('.')[2]}"] = fields.pop(name)
    return joined(fields, moved) if moved else fields


def _older_origins(fields: Fields) -> Fields:
    """Take out the one id and the one hash of each company; what they are by their origins."""
    ids = {
        name.removeprefix("company."): value["id"]
        for name, (value, _) in fields.items()
        if name.startswith("company.") and value and "id" in value
    }
    moved: Fields = {}
    for company, person in ids.items():
        reading = fields[f"company.{company}"][1]
        fields[f"company.{company}"] = ({}, reading)
        moved[f"company_id.{origin_key(company, person)}"] = (True, reading)
    for name in [name for name in fields if _is_old_hash(name) and not name.startswith("old_hash.[")]:
        company = name.removeprefix("old_hash.")
        moved[f"old_hash.{origin_key(company, ids.get(company, ''))}"] = fields.pop(name)
    return moved
