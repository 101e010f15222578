"""From a log file to enriched rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from ._columns import ADDRESS, FIELDS, FORWARDED_FOR, HEAD, USER_AGENT, Layout
from ._errors import NoHeaderError
from ._gunzip import Gunzip
from ._user_agents import UserAgents

__all__ = ["MAX_ROW", "AccessLog", "Rejected"]

MAX_ROW = 64 * 1024
"""Bytes of the longest row that is taken. CloudFront cuts nothing, but accepts requests of 20,480 bytes."""

# A row in our order: the columns before the added ones, the user agent among them, and the fields after them.
# What is left at the end is matched as a whole, so that the matches always cover the text. A field here may
# hold a newline, and any number of fields may follow: `[^\t]` is searched several times faster than
# `[^\t\n]`, and both are soon checked.
_ROW = re.compile(
    "(" + r"[^\t]*+\t" * USER_AGENT + r"([^\t]*+)" + r"\t[^\t]*+" * (HEAD - USER_AGENT - 1) + r")"
    r"(\t[^\n]*+)\n|[\s\S]+"
)
_KEPT = 1_024  # bytes of a rejected row that are handed to the callback


class Rejected(NamedTuple):
    """A row that is not taken.

    Attributes:
        line: Its number in the file, from 1; header lines count.
        reason: Why, in words.
        text: Its first 1,024 bytes or characters.
    """

    line: int
    reason: str
    text: str


class _Suffixes(dict[str, str]):
    """The columns that a user agent adds, for one file."""

    def __init__(self, agents: UserAgents, filename: str, distribution: str) -> None:
        super().__init__()
        self._agents = agents
        self._file = f"{_one_line(filename)}\t{_one_line(distribution)}"

    def __missing__(self, raw: str) -> str:
        browser, system, category = self._agents[raw]
        suffix = f"\t{browser}\t{system}\t{category != '-'}\t{self._file}\t{category}\t"
        # Bounded as the memo is: a user agent that it does not keep is not kept here.
        if raw in self._agents:
            if len(self) >= self._agents.limit:
                self.clear()
            self[raw] = suffix
        return suffix


def _one_line(text: str) -> str:
    return text.replace("\t", "%09").replace("\n", "%0A").replace("\r", "%0D")


class AccessLog:
    """Iterates over the enriched rows of a gzipped standard log, in blocks of whole rows.

    A block is bytes: tab-separated rows in the order of `COLUMNS`, each ended by a newline. Values are the
    source's own (the user agent stays percent-encoded, as Athena's `url_decode` and CloudFront have it);
    bytes that are not UTF-8 become U+FFFD. Memory does not grow with the file. Iterate once.

    Args:
        file: The gzipped log.
        filename: What the column of that name holds: the object's key.
        distribution: What the column of that name holds.
        agents: Looks up user agents; keep one for all files.
        layout: The order of the fields of a file without a `#Fields` line; such a line always wins.
        privacy: Changes the viewer's address and the forwarded-for list: `truncate_addresses()` or
            `hash_addresses(key)`. By default they are kept.
        on_reject: Called with every row that is short or over 64 KiB.

    Attributes:
        rows: How many rows were yielded so far.
        rejected: How many rows were not taken.
        partial: Whether the file ended too early; its last, incomplete line is left out. Known at the end.

    Raises:
        CorruptLogError: While iterating: the file is not gzip, or damaged.
        NoHeaderError: While iterating: a row comes before any `#Fields` line, and no layout was given.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        filename: str,
        distribution: str,
        agents: UserAgents,
        layout: Layout | None = None,
        privacy: Callable[[str], str] | None = None,
        on_reject: Callable[[Rejected], None] | None = None,
    ) -> None:
        self.rows = 0
        self.rejected = 0
        self.partial = False
        self._line = 1
        self._gunzip = Gunzip(file)
        self._suffixes = _Suffixes(agents, filename, distribution)
        self._layout = layout
        self._privacy = privacy
        self._on_reject = on_reject

    def __iter__(self) -> Iterator[bytes]:
        for lines in self._blocks():
            rows = self._regular_rows(lines)
            if rows:
                self._line += len(rows)
            else:
                rows = self._other_rows(lines)
            if rows:
                self.rows += len(rows)
                yield "".join(rows).encode()

    def _blocks(self) -> Iterator[str]:
        """Whole lines, each ended by a newline; of one over the limit only the newline is left."""
        rest, skipping = b"", False
        for data in self._gunzip:
            end = data.rfind(b"\n") + 1
            if not end:
                if not skipping:
                    rest += data
                    skipping = self._too_long(rest)
                continue
            block = rest + data[:end]
            # A block of the decompressor is no longer than the limit: only the first line can be over it.
            first = block.index(b"\n")
            if skipping or self._too_long(block[:first]):
                block = block[first:]
            rest, skipping = data[end:], False
            yield _text(block)
        self.partial = self._gunzip.partial
        if rest and not skipping and not self.partial:
            yield _text(rest + b"\n")

    def _too_long(self, line: bytes) -> bool:
        if len(line) <= MAX_ROW:
            return False
        self._reject(self._line, f"longer than {MAX_ROW} bytes", line[:_KEPT].decode(errors="replace"))
        return True

    def _regular_rows(self, lines: str) -> list[str]:
        """The rows of lines of which each is a row in our order; none if any is not.

        Here is where the time goes: one search over many lines is half the time of splitting each.
        """
        layout = self._layout
        if not layout or not layout.regular or self._privacy:
            return []
        suffixes = self._suffixes
        tabs, end = len(layout.names) - HEAD, "\t-" * (len(FIELDS) - len(layout.names)) + "\n"
        found = _ROW.findall(lines)
        rows = [
            f"{head}{suffixes[agent]}{number}{tail}{end}"
            for number, (head, agent, tail) in enumerate(found, self._line)
            if tail.count("\t") == tabs and "\n" not in head
        ]
        return rows if len(rows) == len(found) else []

    def _other_rows(self, lines: str) -> list[str]:
        """The rows of any lines: headers, blanks, short rows, a source with an order of its own."""
        rows: list[str] = []
        for line in lines.split("\n")[:-1]:
            number = self._line
            self._line += 1
            if line.startswith("#"):
                if line.startswith("#Fields:"):
                    self._layout = Layout.from_header(line)
                continue
            if not line:
                continue
            if self._layout is None:
                raise NoHeaderError(f"line {number}: a row before any #Fields line")
            values = self._layout.split(line)
            if values is None:
                fields = line.count("\t") + 1
                self._reject(number, f"{fields} fields instead of {len(self._layout.names)}", line[:_KEPT])
                continue
            if self._privacy:
                for place in (ADDRESS, FORWARDED_FOR):
                    values[place] = self._privacy(values[place])
            values[HEAD - 1] += f"{self._suffixes[values[USER_AGENT]]}{number}"
            rows.append("\t".join(values) + "\n")
        return rows

    def _reject(self, number: int, reason: str, text: str) -> None:
        self.rejected += 1
        if self._on_reject:
            self._on_reject(Rejected(number, reason, text))


def _text(block: bytes) -> str:
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    return block.decode(errors="replace")
