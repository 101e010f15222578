"""Lines of imports of several files that were taken, so that a part that is done again says the same of them.

===========  ==============================================================
Item         a line that made or changed an account, or would have in a dry run
Key          `pk` = `I#<execution>#<stage>#<part>`, `sk` = `<number of the line, nine digits>`
Attributes   `report` S: JSON, what became of it
TTL          two days: an execution takes one at most
Written by   the function that imports files, in one transaction with the account
===========  ==============================================================
"""

import json
from collections.abc import Mapping
from typing import Any

from ._table import Item, Table, Write, put

__all__ = ["ImportLines"]

_KEPT_S = 2 * 86_400


class ImportLines:
    """Reads and writes of lines that were taken."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def taken(self, part: tuple[str, str, str]) -> dict[int, dict[str, Any]]:
        """What became of the lines of a part that were taken, by their numbers.

        Args:
            part: The execution, its stage, and the part's name there.
        """
        return {
            int(item["sk"]["S"]): json.loads(item["report"]["S"]) for item in self._table.query(_key(part))
        }

    def take(self, part: tuple[str, str, str], line: int, report: Mapping[str, Any]) -> Write:
        """Note what became of a line; fails if that is noted."""
        item: Item = {
            "report": {"S": json.dumps(report)},
            "expires": {"N": str(int(self._table.now()) + _KEPT_S)},
        }
        return put(_key(part), f"{line:09}", item, new=True)


def _key(part: tuple[str, str, str]) -> str:
    return "#".join(("I", *part))
