"""How publishers' members are read: by what they mean, whatever their case, blanks and order."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..envelopes import MalformedError

__all__ = ["folded", "identifier", "matching", "members_of_text", "moment", "optional", "required"]

_NOT_LETTERS = re.compile(r"[^a-z0-9]")
_MEMBER = re.compile(r"\s*([A-Za-z][A-Za-z0-9 _-]{0,60})\s*:(?:\s(.*))?", re.S)
_ZONE_WITHOUT_COLON = re.compile(r"([+-]\d\d)(\d\d)$")
_TEXTUAL = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d) (?:UTC|GMT) (\d{4})")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MAX_NAME = 1024
"""Longest name of a resource that is looked at; no service's identifiers are longer."""


def required(body: Mapping[str, Any], name: str) -> str:
    """A member that has text, without blanks around it.

    Raises:
        MalformedError: It has none, or is too long for an identifier.
    """
    value = optional(body, name)
    if not value:
        raise MalformedError(f"{name} is missing")
    if len(value) > MAX_NAME:
        raise MalformedError(f"{name} is too long")
    return value


def optional(body: Mapping[str, Any], name: str) -> str:
    """A member that may have text; empty if it has none.

    Raises:
        UnicodeEncodeError: It has no text that UTF-8 could have.
    """
    value = body.get(name)
    if not isinstance(value, str):
        return ""
    value.encode()  # half of a surrogate pair is no text
    return value.strip()


def identifier(text: str, pattern: re.Pattern[str], name: str) -> str:
    """An identifier as its service allows it: what is written into a call is never anything else.

    Raises:
        MalformedError: It is anything else.
    """
    if not pattern.fullmatch(text):
        raise MalformedError(f"{name} is none")
    return text


def matching(text: str, pattern: re.Pattern[str]) -> str:
    """What a pattern finds in a text; empty if nothing."""
    found = pattern.search(text)
    return found.group() if found else ""


def folded(body: Mapping[str, Any]) -> dict[str, Any]:
    """Members by their names in small letters without blanks and signs.

    DMS writes `SourceId` where RDS writes `Source ID`, and keys with a blank at their end.
    """
    return {_NOT_LETTERS.sub("", str(name).lower()): value for name, value in body.items()}


def members_of_text(text: str) -> dict[str, str]:
    """The lines `Name: value` of a text; of a name that comes twice the first counts."""
    found: dict[str, str] = {}
    for line in text[:65_536].splitlines():
        member = _MEMBER.fullmatch(line)
        if member:
            found.setdefault(member[1].strip(), (member[2] or "").strip())
    return found


def moment(text: Any, name: str) -> datetime:
    """A time-stamp in any of the publishers' forms, in UTC.

    `2026-11-20T09:15:41.902+0000` (CloudWatch), `2026-11-20 09:15:38.004` (RDS, DMS, Redshift: UTC),
    `2026-11-20T09:15:41.018Z` (Auto Scaling), `Fri Nov 20 09:15:38 UTC 2026` and milliseconds since the epoch
    (Elastic Beanstalk).

    Raises:
        MalformedError: It is none of these.
    """
    try:
        if isinstance(text, int | float) and not isinstance(text, bool):
            return datetime.fromtimestamp(text / 1000, UTC)
        found = _parsed(str(text).strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise MalformedError(f"{name} is no time") from None


def _parsed(text: str) -> datetime:
    textual = _TEXTUAL.fullmatch(text)
    if textual:
        month, day, clock, year = textual.groups()
        text = f"{year}-{_MONTHS.index(month) + 1:02}-{int(day):02}T{clock}"
    return datetime.fromisoformat(_ZONE_WITHOUT_COLON.sub(r"\1:\2", text))
