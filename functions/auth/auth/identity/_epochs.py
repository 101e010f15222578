"""Epochs of accounts: what every proof of a person carries, and every change of a credential makes anew.

A proof (the token of a mail, a code, a session, a half-done sign-in, a pending change) is good while the
account's epoch is the one at which it was made. An epoch is compared for equality alone, and never counts:
two regions would count to the same number, and a proof of the one would be good in the other. Region, clock
and 64 random bits make it unique without asking anybody.

Credentials that are changed in two regions at once leave two epochs, neither of which has seen the other:
they are joined to one that is neither's, so that what either made void stays void.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from secrets import token_hex

from ._clock import tick

__all__ = ["joined_epoch", "new_epoch"]

_RANDOM_BYTES = 8
_JOINED_BYTES = 16


def new_epoch(now_ms: int, region: str) -> str:
    """An epoch that no account ever had.

    Args:
        now_ms: The wall clock, milliseconds since the epoch.
        region: The region that changes the account.

    Returns:
        `<reading of the clock>.<16 hexadecimal digits>`.
    """
    return f"{tick(now_ms, region)}.{token_hex(_RANDOM_BYTES)}"


def joined_epoch(version: Mapping[str, int]) -> str:
    """The epoch of an account whose credentials were changed twice, neither knowing of the other.

    Args:
        version: The versions that made the two, joined.

    Returns:
        The same for both regions, and whichever epochs they met on the way there.
    """
    told = json.dumps(dict(sorted(version.items())))
    return f"joined.{sha256(told.encode()).hexdigest()[: 2 * _JOINED_BYTES]}"
