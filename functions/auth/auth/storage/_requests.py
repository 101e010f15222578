"""Signed requests that were answered.

===========  ==============================================================
Item         a signed request
Key          `pk` = `J#<client>#<jti>`, `sk` = `.`
Attributes   none
TTL          until the request could be replayed
Written by   `Store.commit`, with whatever the request changes
===========  ==============================================================
"""

from typing import NamedTuple

from ._table import ONLY, Write, put

__all__ = ["Once", "answered"]


class Once(NamedTuple):
    """A signed request, which may be answered once.

    Attributes:
        client: Who signed it.
        jti: Its identifier.
        until: Seconds since the epoch until which it could be replayed.
    """

    client: str
    jti: str
    until: int


def answered(once: Once) -> Write:
    """Note that a request was answered; fails if it was answered before."""
    return put(f"J#{once.client}#{once.jti}", ONLY, {"expires": {"N": str(once.until)}}, new=True)
