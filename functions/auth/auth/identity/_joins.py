"""What two records of one account's fields say together.

Of each field the later edit counts, but for what somebody has shown by mail: that they read the account's
mailbox. What was changed in another region by who did not know of it counts no more; and a reset by a mailbox
that the other region had let go before, or one that it had stopped, is taken back. A join is the same
whichever of the two asks.
"""

import json
from collections.abc import Container, Mapping
from typing import Any

from ._clock import after
from ._fields import PROFILE

__all__ = [
    "CLEANED",
    "NEVER",
    "RESET",
    "TOGETHER",
    "Fields",
    "age_of",
    "as_field",
    "joined",
    "reading_of",
    "resets_of",
    "shown_by",
]

type Fields = dict[str, tuple[Any, str]]
"""Name to value, None where it was removed, and reading."""

NEVER = (None, "")
RESET, CLEANED = "reset", "cleaned"
TOGETHER = {"email_verified": "email", "phone_verified": "phone"}
"""Fields that say something of another one, and are that one's."""

_LAST = "~"  # after all readings
_RESETS = 8  # that a document holds, so that they can be taken back
_CREDENTIALS = frozenset({"secret", "totp", "totp_pending", "recovery_code", "email_pending", "recovery"})
_SET_UP = frozenset({*PROFILE, "phone", "phone_verified", "notify_new_device"})
_STOPS = ("email", "secret", "totp", "recovery")
"""Whose edit stops a delayed reset."""
_WRITTEN_ONCE = frozenset({"old_hash", "recovery_code"})


def age_of(fields: Fields, leader: str) -> tuple[str, str]:
    """When a field was edited last, or what is said of it; and what they are, for two of one reading."""
    entries = [
        fields.get(name, NEVER) for name in (leader, *(name for name, of in TOGETHER.items() if of == leader))
    ]
    return max(reading for _, reading in entries), json.dumps(entries, sort_keys=True)


def joined(one: Fields, other: Fields, held: Container[str] = ()) -> Fields:
    """Of each field the later edit."""
    # Where resets of both are void, what came of the earlier ones makes none of the others so.
    order = {id(each): _first_void(each, elsewhere) for each, elsewhere in ((one, other), (other, one))}
    first, then = sorted((one, other), key=lambda each: (order[id(each)], json.dumps(each, sort_keys=True)))
    one = _knowing(first, then, held)
    other = _knowing(then, one, held)
    fields = {}
    for name in sorted(one.keys() | other.keys()):
        leader = TOGETHER.get(name, name)
        later = max(one, other, key=lambda each: (*_standing(each, name), age_of(each, leader)))
        if name in later:
            fields[name] = later[name]
    both = [*resets_of(one), *(each for each in resets_of(other) if each not in resets_of(one))]
    return fields | as_field(sorted(both, key=lambda each: each[1], reverse=True))


def _knowing(fields: Fields, other: Fields, held: Container[str]) -> Fields:
    """A document as it would be had its region known of what was shown by mail in another one.

    Without what was done under a reset that the other region had made void before. It had let the mailbox go
    by which the reset was shown: then no password or factor is good that was chosen since, and none comes
    back, as it may be lost. Or it had stopped a delayed reset: then it was never done. What was done since a
    later reset that counts stays. And without changes of the main address by a password that had been reset.
    """
    seen = {reset["epoch"] for reset, _ in resets_of(other)}
    resets, bound = resets_of(fields), _LAST
    void: list[tuple[dict[str, Any], str]] = []
    for reset, since in reversed(resets):  # the oldest first: after one that counts nothing there makes void
        if reset["epoch"] in seen:
            continue
        if _is_void(reset, since, bound, fields, other):
            void.append((reset, since))
        elif "index" in reset and _is_undone(since, fields, other, held):
            bound = min(bound, since)
    kept, until = dict(fields), _LAST
    for reset, since in resets:
        if (reset, since) in void:
            _take_back(kept, other, reset, since, until)
        else:
            until = since
    if void:
        del kept[RESET]
        kept |= as_field([each for each in resets if each not in void])
    _stay(kept, other, held)
    return kept


def _first_void(fields: Fields, other: Fields) -> str:
    """The reading of the first reset that another region had made void."""
    seen = {reset["epoch"] for reset, _ in resets_of(other)}
    void = [
        since
        for reset, since in resets_of(fields)
        if reset["epoch"] not in seen and _is_void(reset, since, _LAST, fields, other)
    ]
    return min(void, default=_LAST)


def _take_back(fields: Fields, other: Fields, reset: Mapping[str, Any], since: str, until: str) -> None:
    """Take back what was changed between a reset and the one after it that counts."""
    by_mail = "index" in reset
    for name, (value, reading) in list(fields.items()):
        is_address = name in (CLEANED, "email", "email_verified")
        if not since <= reading < until or not (shown_by(name) == RESET or is_address):
            continue
        # What was only seen then, or is somebody else's now, is as it is elsewhere; so is the main address.
        if not by_mail or reading == since or is_address:
            del fields[name]
            fields |= {name: other[name]} if name in other else {}
        elif value is not None and not name.startswith("recovery_code."):  # which are of a factor
            fields[name] = (None, after(reading))
    fields |= {name: (value, reading) for name, (value, reading) in reset.get("was", {}).items()}


def _stay(fields: Fields, other: Fields, held: Container[str]) -> None:
    """Undo changes of the main address since the other region's first reset that is not known here."""
    known = {reset["epoch"] for reset, _ in resets_of(fields)}
    unknown = [
        since
        for reset, since in resets_of(other)
        if reset["epoch"] not in known
        and "index" in reset
        and not _is_void(reset, since, _LAST, other, fields)
    ]
    unknown = [since for since in unknown if _is_undone(since, other, fields, held)]
    if not unknown:
        return
    left, first = _left(fields, other), min(unknown)
    address = _main_at(first, fields, left)
    since = max((reading for reading, _ in left if reading < first), default="")
    for name in [name for name in fields if name.startswith("email_previous.") and name not in other]:
        if fields[name][1] > first:
            del fields[name]
    for name in ("email", "email_verified"):
        fields.pop(name, None)
        if since:
            fields[name] = (address if name == "email" else True, since)
        elif name in other:
            fields[name] = other[name]


def resets_of(fields: Fields) -> list[tuple[dict[str, Any], str]]:
    """The latest reset, and those before it, with their readings."""
    value, reading = fields.get(RESET, NEVER)
    if not isinstance(value, dict):
        return []
    alone = {name: each for name, each in value.items() if name != "before"}
    return [(alone, reading), *((before, read) for before, read in value.get("before", ()))]


def as_field(resets: list[tuple[dict[str, Any], str]]) -> Fields:
    """Resets as a document has them."""
    if not resets:
        return {}
    [(value, reading), *before] = resets[: _RESETS - 1] + resets[_RESETS - 1 :][-1:]  # the first stays
    return {RESET: (value | ({"before": [[*each] for each in before]} if before else {}), reading)}


def _is_void(reset: Mapping[str, Any], since: str, bound: str, fields: Fields, other: Fields) -> bool:
    """Whether the other region had made a reset void before it was shown here, where that was not known.

    Args:
        reset: The reset.
        since: Its reading.
        bound: The reading of an earlier one that counts: no address that was changed since makes one void.
        fields: The document.
        other: The other region's.
    """
    if "index" not in reset:
        stopped = (other.get("recovery", NEVER)[0] or {}).get("state") == "cancelled"
        names = [name for name in _STOPS if stopped or name != "recovery"]
        return any(reset["asked"] < reading_of(other, name) < since for name in names)
    also, before = f"email_also.{reset['index']}", min(since, bound)
    if also in other and other[also][0] is not None:
        return False
    left = _left(other, fields)
    if _main_at(before, other, left) == reset["address"]:
        return False
    if _main_at(since, fields, _left(fields)) != reset["address"]:
        return also in other and reading_of(fields, also) < reading_of(other, also) < before
    return _has_moved(before, fields, other) or any(reading < before for reading, _ in left)


def _left(fields: Fields, but: Fields | None = None) -> list[tuple[str, str]]:
    """When which main address was replaced by another one; without those that somebody knows of."""
    return sorted(
        (reading, value["address"])
        for name, (value, reading) in fields.items()
        if name.startswith("email_previous.") and value is not None and name not in (but or {})
    )


def _is_undone(since: str, fields: Fields, other: Fields, held: Container[str]) -> bool:
    """Whether the other region changed the main address after a reset that was not known there, by a password
    that is another one since. What the mailbox itself approved stands; so does what made it somebody else's.
    """
    changes = sorted(
        (reading, "by_mail" in value or name.split(".")[1] in held)
        for name, (value, reading) in other.items()
        if name.startswith("email_previous.") and value is not None and name not in fields and reading > since
    )
    return bool(changes) and not changes[0][1]


def _main_at(since: str, fields: Fields, left: list[tuple[str, str]]) -> Any:
    """The main address at a time: the first one that was replaced since, or that which is there yet."""
    return next((address for reading, address in left if reading > since), fields.get("email", NEVER)[0])


def _has_moved(since: str, fields: Fields, other: Fields) -> bool:
    """Whether another region had changed the main address before, unknown to this one."""
    address, reading = other.get("email", NEVER)
    if not reading < since or other.get("email") == fields.get("email"):
        return False
    own = reading_of(fields, "email")
    known = own if own < since else max((read for read, left in _left(fields) if left == address), default="")
    return reading > known


def _standing(fields: Fields, name: str) -> tuple[bool, str]:
    """What comes before age: whether a field was removed for ever; else when the mailbox was shown."""
    return (True, "") if _is_final(fields, name) else (False, reading_of(fields, shown_by(name)))


def shown_by(name: str) -> str:
    """The field whose edit stands above those of a field, where those had not seen it."""
    family = name.partition(".")[0]
    return RESET if family in _CREDENTIALS else CLEANED if family in _SET_UP else ""


def reading_of(fields: Fields, name: str) -> str:
    return fields.get(name, NEVER)[1]


def _is_final(fields: Fields, name: str) -> bool:
    """Whether a field was removed for ever: a hash of an old password and a code are written once."""
    return name.partition(".")[0] in _WRITTEN_ONCE and name in fields and fields[name][0] is None
