"""What is known of a person: fields, each with the reading of the clock at its last edit.

A document is what lies encrypted in a record. Fields that hold many things have one entry for each, so that
edits of different things never collide: `company.<company>`, `old_hash.<company>`. A removed field stays as
an entry without a value: a removal is an edit like any other.

As bytes it is JSON: `{"<field>": [<value>, "<reading>"], ...}`.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from shared.http import BadRequestError

from ._clock import tick
from ._identifiers import normalise_phone

__all__ = ["PROFILE", "Document", "checked"]

# Fields that a company may read and edit: names and forms of OpenID Connect Core 1.0, section 5.1.
PROFILE = {
    "given_name": 100,
    "family_name": 100,
    "name": 200,
    "nickname": 100,
    "gender": 40,
    "birthdate": 10,
    "locale": 35,
    "zoneinfo": 60,
    "country": 2,
    "street_address": 300,
    "locality": 100,
    "postal_code": 20,
}
"""Name to longest value in characters."""


def checked(changes: dict[str, Any]) -> dict[str, Any]:
    """Fields of a profile and `phone`, as they may be stored; None removes one.

    Raises:
        BadRequestError: A field is unknown, too long or malformed.
    """
    good: dict[str, Any] = {}
    for name, value in changes.items():
        if name != "phone" and name not in PROFILE:
            raise BadRequestError("unknown_field", "The profile has a field that is not known.")
        if value is not None and not isinstance(value, str):
            raise BadRequestError("bad_field", "A field of the profile is not a text.")
        if name == "phone":
            good[name] = normalise_phone(value) if value is not None else None
        elif value is not None and not (0 < len(value) <= PROFILE[name] and value.isprintable()):
            raise BadRequestError("bad_field", "A field of the profile is empty, too long, or not printable.")
        else:
            good[name] = value
    return good


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
        companies = dict(self.family("company"))
        return shown | ({"companies": companies} if companies else {})
