"""argon2id with OWASP's parameters: the only hash of a password that rests in the table.

19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet), a salt of 16 bytes, a tag of 32 (RFC 9106,
section 3.1), as a PHC string. The unit of `legacy.MAX_COST` is the time of one such hash.
"""

import secrets

from argon2.exceptions import VerificationError, VerifyMismatchError
from argon2.low_level import Type, hash_secret, verify_secret

__all__ = ["PREFIX", "hash_bytes", "spend", "verify_bytes"]

MEMORY = 19 * 1024
PASSES = 2
LANES = 1

PREFIX = f"$argon2id$v=19$m={MEMORY},t={PASSES},p={LANES}$"
"""What a hash with the present parameters begins with."""


def hash_bytes(secret: bytes) -> str:
    """The hash of `secret` under a new salt, as a PHC string."""
    return hash_secret(secret, secrets.token_bytes(16), PASSES, MEMORY, LANES, 32, Type.ID).decode()


def verify_bytes(phc: str, secret: bytes) -> bool:
    """Whether `phc` is a hash of `secret`.

    Args:
        phc: A PHC string; with other parameters it costs what those cost. One that cannot be read matches
            nothing, and costs as much as a present one.
        secret: What was hashed.
    """
    try:
        return verify_secret(phc.encode("ascii", "replace"), secret, Type.ID)
    except VerifyMismatchError:
        return False
    except VerificationError:
        spend(secret)
        return False


def spend(secret: bytes) -> None:
    """Spend the time of one hash, so that an answer without one takes as long."""
    hash_bytes(secret)
