"""From a log file to enriched rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

from ._columns import ADDRESS, DATE, FIELDS, FORWARDED_FOR, HEAD, USER_AGENT, Layout, RowError, one_line
from ._errors import AllRejectedError, NoHeaderError, UnknownFieldsError
from ._gunzip import Gunzip
from ._json_lines import JsonLines
from ._parquet import MAGIC, read_parquet
from ._user_agents import UserAgents

__all__ = ["MAX_ROW", "AccessLog", "Rejected"]

MAX_ROW = 64 * 1024
"""Bytes of the longest row that is taken. CloudFront cuts nothing, but accepts requests of 20,480 bytes."""

# A row in our order: the columns before the added ones, the user agent among them, and the fields after them.
# What is left at the end is matched as a whole, so that the matches always cover the text. A field here may
# hold a newline, and any number of fields may follow: `[^\t]` is searched several times faster than
# `[^\t\n]`, and both are soon checked.
_ROW = re.compile(
    f"({DATE.pattern}\t"
    + r"[^\t]*+\t" * (USER_AGENT - 1)
    + r"([^\t]*+)"
    + r"\t[^\t]*+" * (HEAD - USER_AGENT - 1)
    + r")"
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


class AccessLog:
    """Iterates over the enriched rows of a standard log, in blocks of whole rows.

    Read are all forms that CloudFront delivers (Developer Guide, "Configure standard logging (v2)"): gzipped
    text with a header, its fields in any order and with any delimiter, gzipped lines of JSON, and Parquet.
    The file itself tells which, not its name.

    A block is bytes: tab-separated rows in the order of `COLUMNS`, each ended by a newline. Values are the
    source's own (the user agent stays percent-encoded, as Athena's `url_decode` and CloudFront have it);
    bytes that are not UTF-8 become U+FFFD. Memory does not grow with the file. Iterate once.

    Args:
        file: The log.
        filename: What the column of that name holds: the object's key.
        distribution: What the column of that name holds.
        agents: Looks up user agents; keep one for all files.
        etag: What the column of that name holds: the object's ETag.
        layout: The order of the fields of a text without a header; a header always wins.
        privacy: Changes the viewer's address and the forwarded-for list: `truncate_addresses()` or
            `hash_addresses(key)`. By default they are kept.
        on_reject: Called with every row that is not taken: it is short, over 64 KiB, not JSON, or does not
            say when the request was made.

    Attributes:
        rows: How many rows were yielded so far.
        rejected: How many rows were not taken.
        partial: Whether the file ended too early; its last, incomplete line is left out. Known at the end.

    Raises:
        CorruptLogError: While iterating: the file is neither gzip nor Parquet, or damaged.
        NoHeaderError: While iterating: a row comes before any header, and no layout was given.
        UnknownFieldsError: While iterating: a header does not say when requests were made.
        AllRejectedError: At the end: there were rows, and all were rejected.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        filename: str,
        distribution: str,
        agents: UserAgents,
        etag: str = "-",
        layout: Layout | None = None,
        privacy: Callable[[str], str] | None = None,
        on_reject: Callable[[Rejected], None] | None = None,
    ) -> None:
        self.rows = 0
        self.rejected = 0
        self.partial = False
        self._file = file
        self._line = 1
        self._begun = False
        self._known = agents.known
        self._names = f"{one_line(filename)}\t{one_line(distribution)}"
        self._end = f"\t{one_line(etag)}\n"
        self._layout = layout
        self._split = layout.split if layout else None
        self._privacy = privacy
        self._on_reject = on_reject

    def __iter__(self) -> Iterator[bytes]:
        start = _first(self._file, len(MAGIC))
        for rows in self._parquet(start) if start == MAGIC else self._text(start):
            if rows:
                self.rows += len(rows)
                yield "".join(rows).encode()
        if self.rejected and not self.rows:
            raise AllRejectedError(f"none of {self.rejected} rows could be taken")

    def _text(self, start: bytes) -> Iterator[list[str]]:
        for lines in self._blocks(Gunzip(self._file, start)):
            rows = self._regular_rows(lines)
            if rows:
                self._line += len(rows)
            else:
                rows = self._other_rows(lines)
            yield rows

    def _parquet(self, start: bytes) -> Iterator[list[str]]:
        for layout, found in read_parquet(self._file, start):
            self._use(layout, "the columns")
            yield list(filter(None, (self._row(self._short, values) for values in found)))

    def _blocks(self, content: Gunzip) -> Iterator[str]:
        """Whole lines, each ended by a newline; of one over the limit only the newline is left."""
        rest, skipping = b"", False
        for data in content:
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
        self.partial = content.partial
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
        agents, names = self._known, self._names
        tabs, end = len(layout.names) - HEAD, "\t-" * (len(FIELDS) - len(layout.names)) + self._end
        found = _ROW.findall(lines)
        rows = [
            f"{head}{(known := agents[agent]).before}{names}{known.after}{number}{tail}{end}"
            for number, (head, agent, tail) in enumerate(found, self._line)
            if tail.count("\t") == tabs and "\n" not in head
        ]
        return rows if len(rows) == len(found) else []

    def _other_rows(self, lines: str) -> list[str]:
        """The rows of any lines: headers, blanks, JSON, short rows, a source with an order of its own."""
        rows: list[str] = []
        for line in lines.split("\n")[:-1]:
            if line.startswith("#Fields:"):
                self._use(Layout.from_header(line), f"line {self._line}")
            elif line and not line.startswith("#") and not self._is_header(line):
                if self._split is None:
                    raise NoHeaderError(f"line {self._line}: a row before any header")
                rows += filter(None, [self._row(self._split, line)])
                continue
            self._line += 1
        return rows

    def _is_header(self, line: str) -> bool:
        """Whether a text's first line is the names of its fields; tells JSON by the same line."""
        if self._begun:
            return False
        self._begun = True
        if line.lstrip().startswith("{"):
            self._layout, self._split = None, JsonLines().split
            return False
        if layout := Layout.from_names(line):
            self._use(layout, f"line {self._line}")
        return layout is not None

    def _use(self, layout: Layout, where: str) -> None:
        if not layout.dated:
            raise UnknownFieldsError(f"{where}: neither date nor timestamp(ms) is among the fields")
        self._layout, self._split = layout, layout.split

    def _short(self, values: list[str]) -> list[str]:
        if sum(map(len, values)) > MAX_ROW:
            raise RowError(f"longer than {MAX_ROW} characters")
        return self._layout.pick(values) if self._layout else values

    def _row(self, split: Callable[[Any], list[str]], source: str | list[str]) -> str:
        """The next row; none if it is rejected."""
        number = self._line
        self._line += 1
        try:
            values = split(source)
        except RowError as error:
            self._reject(number, str(error), source if isinstance(source, str) else "\t".join(source))
            return ""
        if self._privacy:
            for place in (ADDRESS, FORWARDED_FOR):
                values[place] = self._privacy(values[place])
        known = self._known[values[USER_AGENT]]
        values[HEAD - 1] += f"{known.before}{self._names}{known.after}{number}"
        return "\t".join(values) + self._end

    def _reject(self, number: int, reason: str, text: str) -> None:
        self.rejected += 1
        if self._on_reject:
            self._on_reject(Rejected(number, reason, text[:_KEPT]))


def _text(block: bytes) -> str:
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    return block.decode(errors="replace")


def _first(file: BinaryIO, size: int) -> bytes:
    """The first bytes of a file, of which `read` may return fewer than asked for."""
    start = b""
    while len(start) < size and (more := file.read(size - len(start))):
        start += more
    return start
