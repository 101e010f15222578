"""Epochs of accounts: what every proof of a person carries, and every change of a credential makes anew.

A proof (the token of a mail, a code, a session, a half-done sign-in, a pending change) is good while the
account's epoch is the one at which it was made. An epoch is compared for equality alone, and never counts:
two regions would count to the same number, and a proof of the one would be good in the other. Region, clock
and 64 random bits make it unique without asking anybody.
"""

from secrets import token_hex

from ._clock import tick

__all__ = ["new_epoch"]

_RANDOM_BYTES = 8


def new_epoch(now_ms: int, region: str) -> str:
    """An epoch that no account ever had.

    Args:
        now_ms: The wall clock, milliseconds since the epoch.
        region: The region that changes the account.

    Returns:
        `<reading of the clock>.<16 hexadecimal digits>`.
    """
    return f"{tick(now_ms, region)}.{token_hex(_RANDOM_BYTES)}"
