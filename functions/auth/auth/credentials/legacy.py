"""Password hashes of the systems of origin: read once at import, wrapped, and never stored bare.

A fast hash that leaks is a password that leaks. At import its text is taken apart into an algorithm with its
parameters, which are kept, and a digest, of which only argon2id(digest) is kept. A login computes the old
digest from the password and compares its argon2id; the first good one replaces the record by one.

What names itself needs no hint:

=================  =======================================================================================
bcrypt             ``$2a$``, ``$2b$``, ``$2y$``, also in Django's ``bcrypt$``
Django's bcrypt    ``bcrypt_sha256$``
WordPress          ``$wp$2y$`` (since 6.8), ``$P$`` (before)
phpass             ``$P$``, ``$H$`` (phpBB)
Drupal 7           ``$S$``
crypt(3)           ``$1$``, ``$apr1$`` (Apache), ``$5$``, ``$6$``, also in LDAP's ``{CRYPT}``
Django             ``pbkdf2_sha256$``, ``pbkdf2_sha1$``, ``scrypt$``, ``argon2$``, ``md5$``, ``sha1$``
Passlib            ``$pbkdf2$``, ``$pbkdf2-sha256$``, ``$pbkdf2-sha512$``, ``$scrypt$``
Werkzeug           ``pbkdf2:``, ``scrypt:``
Argon2             ``$argon2i$``, ``$argon2d$``, ``$argon2id$``, versions 16 and 19, with any parameters
MySQL since 4.1    ``*`` and 40 hexadecimal digits
LDAP               ``{MD5}``, ``{SHA}``, ``{SHA256}``, ``{SHA512}``, and each of them salted: ``{SMD5}``, ...
Atlassian          ``{PKCS5S2}``
ASP.NET Identity   versions 2 and 3, in base64
=================  =======================================================================================

Bare hexadecimal digests all look the same, and a wrong guess would lock a person out without a word: they
need one of the hints in `BARE`. Refused are ``$2x$`` (hashes of a broken bcrypt), DES, LM and NTLM.

How long a login takes must not tell what kind of hash an account has. A floor hides it, and therefore `wrap`
refuses what would take longer than `MAX_COST`.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from argon2.exceptions import HashingError

from shared.http import BadRequestError

from . import argon2id
from .legacy_algorithms import ALGORITHMS, Algorithm
from .legacy_formats import BARE, read

__all__ = ["BARE", "LONGEST", "MAX_COST", "cost", "matches", "total_cost", "wrap"]

MAX_COST = 18.0
"""The most that `matches` may cost, in units of one argon2id hash of the suite, which is itself one of them.

A whole login costs at most two more: an argon2id hash that does not match, and the new one. The floor of a
login's time has to be above those 20. Accepted are:

================  ===============================================  =====================================
bcrypt            to cost 12                                       defaults of most, to PHP 8.4's 12
PBKDF2            to 1,200,000 rounds of SHA-256 or SHA-1,         defaults of Django to 6.0 (not 6.1),
                  520,000 of SHA-512                               Passlib, Werkzeug, ASP.NET Identity
scrypt            to N·r·p = 1,000,000                             defaults of Django, Passlib, Werkzeug
Argon2            to m·t = 370,000 KiB with m to 128 MiB           defaults of Django, argon2-cffi, PHP
sha256-crypt      to 320,000 rounds                                default of crypt(3), not of Passlib
sha512-crypt      to 168,000 rounds                                default of crypt(3), not of Passlib
phpass, Drupal 7  to 2^18 rounds, to 2^17 rounds                   defaults of WordPress, phpBB, Drupal
================  ===============================================  =====================================
"""

LONGEST = 512
"""Longer passwords, in bytes of UTF-8, match no legacy hash: some algorithms' time grows with the length."""

_NAMES = {algorithm: name for name, algorithm in ALGORITHMS.items()}
_MALFORMED = (AttributeError, HashingError, LookupError, OverflowError, TypeError, ValueError)


def wrap(text: str, *, scheme: str | None = None, salt: str | None = None) -> dict[str, Any]:
    """The record of a legacy hash. Costs one argon2id.

    Args:
        text: The hash as the system of origin has it; a bare one may be followed by a colon and its salt.
        scheme: What it is. A bare digest needs one of `BARE`; what names itself needs none, and is refused if
            it names itself otherwise.
        salt: The salt of a bare digest, if it is not in the text.

    Returns:
        `scheme` (the format's name), `algorithm`, `parameters` and `argon2id` (of the digest, a PHC string),
        all of them JSON. It belongs inside the encrypted part of an account.

    Raises:
        BadRequestError: `legacy_hash_unknown`, or `legacy_hash_too_costly`.
    """
    try:
        name, (algorithm, digest) = read(text, scheme, salt)
    except ValueError:
        raise BadRequestError("legacy_hash_unknown", "This is no password hash of a known kind.") from None
    if algorithm.cost() + 1 > MAX_COST:
        raise BadRequestError("legacy_hash_too_costly", "Checking this password hash would take too long.")
    return {
        "scheme": name,
        "algorithm": _NAMES[type(algorithm)],
        "parameters": asdict(algorithm),  # type: ignore[call-overload]  # every algorithm is a dataclass
        "argon2id": argon2id.hash_bytes(digest),
    }


def matches(wrapped: Mapping[str, Any], password: str) -> bool:
    """Whether `password` is the one of a wrapped hash.

    Costs `cost(wrapped)`; one argon2id for a record that cannot be read, and for a password that no system of
    origin can have taken: one with a NUL, or longer than `LONGEST`.
    """
    secret = password.encode("utf-8", "surrogatepass")
    try:
        algorithm, phc = _algorithm(wrapped), str(wrapped["argon2id"])
        if len(secret) > LONGEST or b"\0" in secret:
            raise ValueError("not a password of a system of origin")
        digest = algorithm.digest(secret)
    except _MALFORMED:
        argon2id.spend(secret)
        return False
    return argon2id.verify_bytes(phc, digest)


def cost(wrapped: Mapping[str, Any]) -> float:
    """What `matches` costs at most, in units of one argon2id hash of the suite: from 1 to `MAX_COST`."""
    try:
        return _algorithm(wrapped).cost() + 1
    except _MALFORMED:
        return 1.0


def total_cost(hashes: Iterable[Mapping[str, Any]]) -> int:
    """What a log-in spends on a person's legacy hashes, in thousandths of `cost`, each rounded up.

    Beyond `1000 * MAX_COST` it never comes to the dearest of them: no account may get there.
    """
    return sum(math.ceil(1000 * cost(wrapped)) for wrapped in hashes)


def _algorithm(wrapped: Mapping[str, Any]) -> Algorithm:
    algorithm = ALGORITHMS[wrapped["algorithm"]](**wrapped["parameters"])
    if algorithm.cost() + 1 > MAX_COST:
        raise ValueError("costlier than any that was let in")
    return algorithm
