"""JSON as RFC 7493 (I-JSON) has it: what Python's parser forgives is refused."""

import json
from typing import Any

__all__ = ["is_shallow", "parse"]

MAX_DEPTH = 8


def parse(data: bytes | str) -> Any:
    """JSON without repeated member names, NaN and Infinity, whose texts UTF-8 can hold.

    Args:
        data: The text, or its bytes in UTF-8 without a byte order mark. Python's parser guesses UTF-16 and
            UTF-32 too; RFC 8259, section 8.1, has neither them nor the mark in what is sent.

    Raises:
        ValueError: It is anything else, or nested beyond what the parser takes.
    """
    if isinstance(data, bytes):
        data = data.decode()  # a text that begins with the mark is refused by the parser
    try:
        value = json.loads(data, object_pairs_hook=_unique, parse_constant=_refuse)
        # The parser lets halves of surrogate pairs and numbers beyond a float's range through.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def is_shallow(value: Any, depth: int = MAX_DEPTH) -> bool:
    """Whether a value of JSON is nested at most `depth` deep."""
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(is_shallow(each, depth - 1) for each in inner)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name is repeated")
    return members


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
