"""Logs of JSON: an object a line."""

from __future__ import annotations

import json
from typing import Any

from ._columns import Layout, RowError, one_line

__all__ = ["JsonLines"]

_MAX_LAYOUTS = 100


class JsonLines:
    """Reads lines of JSON objects, whose members are the fields."""

    def __init__(self) -> None:
        self._layouts: dict[tuple[str, ...], Layout] = {}

    def split(self, line: str) -> list[str]:
        """The values of a line in the order of `FIELDS`.

        Raises:
            RowError: The line is not a JSON object, or does not say when the request was made.
        """
        try:
            found: Any = json.loads(line)
        except (ValueError, RecursionError):
            raise RowError("not JSON") from None
        if not isinstance(found, dict):
            raise RowError("not a JSON object")
        layout = self._layout(tuple(found))
        if not layout.dated:
            raise RowError("neither date nor timestamp(ms)")
        return layout.pick([_text(value) for value in found.values()])

    def _layout(self, names: tuple[str, ...]) -> Layout:
        if names not in self._layouts:
            if len(self._layouts) >= _MAX_LAYOUTS:
                self._layouts.clear()
            self._layouts[names] = Layout(names)
        return self._layouts[names]


def _text(value: object) -> str:
    if isinstance(value, str):
        whole = (
            value if value.isascii() else value.encode(errors="replace").decode()
        )  # halves of surrogate pairs
        return one_line(whole) or "-"
    return "-" if value is None else json.dumps(value)
