"""SHA-256 tree hashes of Glacier, computed part by part.

Each chunk of 1 MiB is hashed, then each pair of neighbouring hashes, level by level; one without a neighbour
goes up as it is: https://docs.aws.amazon.com/amazonglacier/latest/dev/checksum-calculations.html
"""

import hashlib
from collections.abc import Sequence

__all__ = ["CHUNK", "extended", "root", "tree_hash"]

CHUNK = 1024 * 1024
type Stack = Sequence[tuple[int, str]]
"""Hashes of subtrees that are complete, the largest first: (height, hex)."""


def tree_hash(data: bytes) -> str:
    """The tree hash of bytes, in hex."""
    stack: Stack = ()
    for start in range(0, max(len(data), 1), CHUNK):
        stack = extended(stack, 0, hashlib.sha256(data[start : start + CHUNK]).hexdigest())
    return root(stack)


def extended(stack: Stack, height: int, digest: str) -> list[tuple[int, str]]:
    """Put the hash of the next subtree behind those that are there.

    Args:
        stack: What is there.
        height: Of the subtree: it has 2 ** height chunks, unless it is the last.
        digest: Its hash, in hex.
    """
    grown = [*stack, (height, digest)]
    while len(grown) > 1 and grown[-2][0] == grown[-1][0]:
        (_, left), (_, right) = grown[-2:]
        grown[-2:] = [(grown[-1][0] + 1, _joined(left, right))]
    return grown


def root(stack: Stack) -> str:
    """The hash of all, in hex.

    Raises:
        IndexError: There is nothing.
    """
    digest = stack[-1][1]
    for _, left in reversed(stack[:-1]):
        digest = _joined(left, digest)
    return digest


def _joined(left: str, right: str) -> str:
    return hashlib.sha256(bytes.fromhex(left) + bytes.fromhex(right)).hexdigest()
