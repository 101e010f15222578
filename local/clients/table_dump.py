"""A DynamoDB table as somebody reads it who has got hold of a copy."""

from __future__ import annotations

import base64
from typing import Any

__all__ = ["readable"]


def readable(dynamodb: Any, table: str) -> str:
    """Return all names and values of a table, a line each; binary values as text, base64 and hexadecimal.

    Args:
        dynamodb: A DynamoDB client that may scan.
        table: The table's name.
    """
    lines: list[str] = []

    def note(value: Any) -> None:
        if isinstance(value, bytes):
            lines.extend([value.decode("latin-1"), base64.b64encode(value).decode(), value.hex()])
        elif isinstance(value, dict):
            for name, inner in value.items():
                lines.append(name)
                note(inner)
        elif isinstance(value, list | set | tuple):
            for inner in value:
                note(inner)
        else:
            lines.append(str(value))

    for page in dynamodb.get_paginator("scan").paginate(TableName=table):
        note(page["Items"])
    return "\n".join(lines)
