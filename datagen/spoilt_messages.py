"""Messages of publishers in which something is another's, or nothing: seeded."""

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["STRANGERS", "spoilt_messages"]

STRANGERS = (
    "production", "db-2", "i-0fffffffffffffff0", "fs-0ffffffff", "other-bucket", "E9Z8", "../x", "*", "", ":",
    "arn:aws:rds:eu-west-1:123456789012:db:production", "shop-web2", "x" * 300,
    "JID00000000-0000-0000-0000-000000000000",
)  # fmt: skip
"""Names that a message may have in the place of its own."""


def spoilt_messages(texts: Sequence[str], count: int, seed: int) -> Iterator[str]:
    """Messages in which about one leaf in six is spoilt.

    Args:
        texts: Messages as the queue has them: JSON, of which each is taken in turn.
        count: How many to make.
        seed: For the same ones again.
    """
    rng = random.Random(seed)
    for number in range(count):
        yield json.dumps(_spoilt(json.loads(texts[number % len(texts)]), rng))


def _spoilt(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        return {name: _spoilt(inner, rng) for name, inner in value.items() if rng.random() > 0.01}
    if isinstance(value, list):
        return [_spoilt(inner, rng) for inner in value]
    if isinstance(value, str) and value[:1] == "{":
        return json.dumps(_spoilt(json.loads(value), rng))
    if rng.random() > 0.15:
        return value
    if isinstance(value, str):
        return rng.choice((*STRANGERS, value[:-1], value + "x", value.upper()))
    return rng.choice((None, True, -1, 0, 2**70, [], {}, "x"))
