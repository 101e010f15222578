"""Passwords: what a new one must be like, how it is kept, and whether one is right.

Kept is argon2id of the password in NFKC, so that it is the same from every keyboard (NIST SP 800-63B, section
3.1.1.2); hashes of the systems of origin see the bytes that were typed, as they did there. Every call of
`verify` computes at least one argon2id, whatever it is given, and costs at most what `legacy.MAX_COST` says.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.http import UnprocessableError

from . import argon2id

__all__ = ["LONGEST", "Policy", "Verdict", "check_new", "hash_password", "needs_rehash", "verify"]

LONGEST = 1024
"""Longer passwords, in characters, are never right: nothing may cost by the length of what is sent."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a new password must be like (NIST SP 800-63B-4, section 3.1.1.2: length, and nothing about signs).

    Attributes:
        min_length: Characters where there is no second factor.
        min_length_with_second_factor: Characters where there is one.
        max_length: Characters, at most `LONGEST`.
    """

    min_length: int = 15
    min_length_with_second_factor: int = 8
    max_length: int = 256

    def __post_init__(self) -> None:
        if self.max_length > LONGEST:
            raise ValueError(f"no password of more than {LONGEST} characters is ever right")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found.

    Attributes:
        matched: Whether the password is right.
        old_hash: Which of the legacy hashes it matched; None if it was our own.
        upgrade: Whether it is right and has to be hashed anew. A legacy hash is, unless there is one of our
            own already: who has several old passwords keeps them all, until a new one is chosen.
    """

    matched: bool
    old_hash: str | None = None
    upgrade: bool = False


def check_new(password: str, policy: Policy, *, second_factor: bool, identifiers: Sequence[str] = ()) -> None:
    """Refuse a weak new password.

    Args:
        password: As it was typed.
        policy: What it must be like.
        second_factor: Whether the account has one.
        identifiers: Names of the person, which are as good as breached: the email, its local part.

    Raises:
        UnprocessableError: `password_too_long`, `password_too_short` or `password_breached`.
    """
    if len(password) > policy.max_length:
        raise UnprocessableError(
            "password_too_long", f"The password has over {policy.max_length} characters."
        )
    least = policy.min_length_with_second_factor if second_factor else policy.min_length
    # NFKC makes up to 18 characters of one, which count as one; and one of several, which people see as one.
    if min(len(password), len(_normalise(password))) < least:
        raise UnprocessableError("password_too_short", f"The password has under {least} characters.")
    from . import breached  # only sign-ups and changes of a password need it

    names = {form for identifier in identifiers for form in breached.forms(identifier)}
    if breached.is_breached(password) or not names.isdisjoint(breached.forms(password)):
        raise UnprocessableError(
            "password_breached", "The password is one that is tried first; choose another."
        )


def hash_password(password: str) -> str:
    """The hash to keep, a PHC string."""
    return argon2id.hash_bytes(_encode(_normalise(password)))


def needs_rehash(phc: str) -> bool:
    """Whether a hash has other parameters than new ones have."""
    return not phc.startswith(argon2id.PREFIX)


def verify(password: str, secret: str | None, old_hashes: Mapping[str, Any]) -> Verdict:
    """Whether a password is right; costs one argon2id at least, for an account that does not exist too.

    Args:
        password: As it was typed.
        secret: What `hash_password` answered, if there is such a hash.
        old_hashes: What `legacy.wrap` answered, by a name of each. The cheapest are tried first, and no more
            than cost `legacy.MAX_COST` together.
    """
    if len(password) > LONGEST or (secret is None and not old_hashes):
        argon2id.spend(b"")
        return Verdict(matched=False)
    if secret is not None and argon2id.verify_bytes(secret, _encode(_normalise(password))):
        return Verdict(matched=True, upgrade=needs_rehash(secret))
    if old_hashes:
        from . import legacy  # of no use to those whose hash is ours

        spent = 0.0
        for cost, name in sorted((legacy.cost(wrapped), name) for name, wrapped in old_hashes.items()):
            spent += cost
            if spent > legacy.MAX_COST:
                break
            if legacy.matches(old_hashes[name], password):
                return Verdict(matched=True, old_hash=name, upgrade=secret is None)
    return Verdict(matched=False)


def _normalise(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _encode(password: str) -> bytes:
    # Half a surrogate pair can be written in JSON; it is a character like another.
    return password.encode("utf-8", "surrogatepass")
