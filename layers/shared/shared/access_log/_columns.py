"""Which field of a source is which column of the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from operator import itemgetter

__all__ = ["COLUMNS", "FIELDS", "Layout", "RowError"]

# The fields of a standard log (CloudFront Developer Guide, "Standard log file fields"), and the columns that
# hold them. Files of older years have the first 26.
_SOURCE = {
    "date": "logdate",
    "time": "logtime",
    "x-edge-location": "location",
    "sc-bytes": "bytes",
    "c-ip": "requestip",
    "cs-method": "method",
    "cs(Host)": "host",
    "cs-uri-stem": "uri",
    "sc-status": "status",
    "cs(Referer)": "referrer",
    "cs(User-Agent)": "useragent",
    "cs-uri-query": "uriquery",
    "cs(Cookie)": "cookie",
    "x-edge-result-type": "resulttype",
    "x-edge-request-id": "requestid",
    "x-host-header": "header",
    "cs-protocol": "csprotocol",
    "cs-bytes": "csbytes",
    "time-taken": "timetaken",
    "x-forwarded-for": "forwardedfor",
    "ssl-protocol": "sslprotocol",
    "ssl-cipher": "sslcipher",
    "x-edge-response-result-type": "responseresulttype",
    "cs-protocol-version": "protocolversion",
    "fle-status": "fle_status",
    "fle-encrypted-fields": "fle_encrypted_fields",
    "c-port": "c_port",
    "time-to-first-byte": "time_to_first_byte",
    "x-edge-detailed-result-type": "x_edge_detailed_result_type",
    "sc-content-type": "sc_content_type",
    "sc-content-len": "sc_content_len",
    "sc-range-start": "sc_range_start",
    "sc-range-end": "sc_range_end",
}
_ADDED = ("browserfamily", "osfamily", "isbot", "filename", "distribution", "botcategory", "linenumber")
_TYPES = {
    "logdate": "date",
    "bytes": "bigint",
    "status": "bigint",
    "timetaken": "double",
    "linenumber": "bigint",
}
FIELDS = tuple(_SOURCE)
"""The 33 fields of a standard log, in the order CloudFront writes them today."""

HEAD = 24
"""How many source columns stand before the added ones."""

COLUMNS: dict[str, str] = {
    name: _TYPES.get(name, "string")
    for name in (*tuple(_SOURCE.values())[:HEAD], *_ADDED, *tuple(_SOURCE.values())[HEAD:], "etag")
}
"""The columns of a written row, in order, with their Athena types."""

ADDRESS, USER_AGENT, FORWARDED_FOR = (
    FIELDS.index(name) for name in ("c-ip", "cs(User-Agent)", "x-forwarded-for")
)


# Of the same speed as no check at all; a class for each digit is faster than a repetition.
DATE = re.compile("[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]")
# A name of a field in any of its spellings, as in a header whose names are joined by whatever.
_NAME = re.compile(r"\w(?:[\w()-]*[\w)])?")
_PUNCTUATION = re.compile(r"\W+")
_MAX_DELIMITER = 5  # characters: CloudWatch Logs API, "CreateDelivery", fieldDelimiter
_TRIES = 100  # rows that are looked at for a delimiter


class RowError(Exception):
    """A row that cannot be taken; says why without quoting it."""


def canonical(name: str) -> str:
    """One spelling of a field: `cs(Host)` is `cs-host` in real-time logs, and `cs_host` in Parquet."""
    return name.lower().replace("_", "-").replace("(", "-").replace(")", "")


def one_line(text: str) -> str:
    """A value without the characters that end a column or a row."""
    return text.replace("\t", "%09").replace("\n", "%0A").replace("\r", "%0D")


_KNOWN = {canonical(name) for name in FIELDS}
_MILLISECONDS, _SECONDS = canonical("timestamp(ms)"), "timestamp"


class Layout:
    """The order of a source's fields.

    Fields are found by name, whatever their order and spelling; those we do not know are ignored, and columns
    that the source does not have hold `-`, CloudFront's own sign for no value. Where it has no date and time
    but a timestamp, they are made of that.

    Args:
        names: The source's fields, as a header or a real-time configuration lists them.
        delimiter: What is between the values of a line. By default it is found by the first line that it
            divides into as many values as there are names.

    Attributes:
        names: The same.
        regular: Whether the source has our order: 25 or more of the 33 fields, and nothing after them.
        dated: Whether the source says when a request was made.
    """

    def __init__(self, names: Iterable[str], delimiter: str | None = None) -> None:
        self.names = tuple(names)
        self.regular = len(self.names) > HEAD and self.names == FIELDS[: len(self.names)]
        self._delimiter = delimiter
        self._tries = 0
        self._places = {canonical(name): place for place, name in enumerate(self.names)}
        milliseconds = _MILLISECONDS in self._places
        timestamp = self.place(_MILLISECONDS if milliseconds else _SECONDS)
        complete = "date" in self._places and "time" in self._places
        self._timestamp = None if complete else timestamp
        self._per_second = 1_000 if milliseconds else 1
        self.dated = "date" in self._places or timestamp is not None
        # Place -1 is a "-" that `pick` appends.
        self._pick: Callable[[Sequence[str]], tuple[str, ...]] = itemgetter(
            *(self._places.get(canonical(name), -1) for name in FIELDS)
        )

    @classmethod
    def from_header(cls, line: str) -> Layout:
        """The layout that a header declares: a `#Fields: ...` line, or the names alone."""
        text = line.removeprefix("#Fields:").strip()
        between = set(filter(None, _NAME.split(text)))
        # Between the names of a header may be spaces whatever is between the values.
        shown = between.pop() if len(between) == 1 else " "
        return cls(_NAME.findall(text), None if shown.isspace() and shown != "\t" else shown)

    @classmethod
    def from_names(cls, line: str) -> Layout | None:
        """The layout of a header that is the names alone; None for any other line."""
        layout = cls.from_header(line)
        known = sum(name in _KNOWN for name in layout._places)
        return layout if layout.dated and 2 * known >= len(layout.names) else None

    def place(self, name: str) -> int | None:
        """The index of a field, in any spelling; None if the source does not have it."""
        return self._places.get(canonical(name))

    def split(self, line: str) -> list[str]:
        """The values of a line in the order of `FIELDS`.

        Raises:
            RowError: The line has fewer fields than the layout, or more where only a tab could tell which.
        """
        if self._delimiter is None and self._tries < _TRIES:
            self._tries += 1
            self._delimiter = self._delimiter_of(line)
        # CloudFront encodes tabs in values: what comes after the last field was appended.
        delimiter = self._delimiter or "\t"
        values = line.split(delimiter)
        if len(values) < len(self.names) or (len(values) > len(self.names) and delimiter != "\t"):
            raise RowError(f"{len(values)} fields instead of {len(self.names)}")
        return self.pick(values)

    def pick(self, values: list[str]) -> list[str]:
        """The values in the order of `FIELDS`; the list given is changed.

        Raises:
            RowError: They do not say when the request was made.
        """
        values.append("-")
        picked = list(self._pick(values))
        if self._timestamp is not None:
            try:
                moment = datetime.fromtimestamp(float(values[self._timestamp]) / self._per_second, UTC)
            except (ValueError, OverflowError, OSError):
                raise RowError("the timestamp is not a number") from None
            picked[:2] = f"{moment:%Y-%m-%d}", f"{moment:%H:%M:%S}"
        if not DATE.fullmatch(picked[0]):
            raise RowError("no date of the request")
        return picked

    def _delimiter_of(self, line: str) -> str | None:
        """What divides a line into as many values as there are names, a date among them."""
        if "\t" in line:
            return "\t"
        runs: list[str] = _PUNCTUATION.findall(line)
        sizes = range(1, _MAX_DELIMITER + 1)
        parts = {run[at : at + size] for run in runs for size in sizes for at in range(len(run) - size + 1)}
        for part in sorted(parts, key=lambda part: (-len(part), part)):
            values = line.split(part)
            if len(values) == len(self.names) and all(value and value == value.strip() for value in values):
                with suppress(RowError):
                    self.pick(values)
                    return part
        return None
