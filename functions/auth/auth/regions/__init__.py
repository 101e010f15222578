"""Regions: every region writes, and each sends what was written in it to the other one.

    joined, order    what two regions know of an account together; pure
    Peer             the other region's table and key
    Replication      sends accounts, takes joins, and settles what follows from them

What is sent is an account (`U#`), in a transaction with whose its identifiers are. Sessions, codes, tokens of
mails, counters and the trail stay in the region where they were made.
"""

from ._joining import Known, joined, order
from ._peers import Peer, connect
from ._queues import Queues, drain, replicate_each
from ._replication import (
    KeyTroubleError,
    NotYetError,
    Replication,
    TableTroubleError,
    UnreplicableError,
)

__all__ = [
    "KeyTroubleError",
    "Known",
    "NotYetError",
    "Peer",
    "Queues",
    "Replication",
    "TableTroubleError",
    "UnreplicableError",
    "connect",
    "drain",
    "joined",
    "order",
    "replicate_each",
]
